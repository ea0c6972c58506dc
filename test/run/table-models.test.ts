import assert from 'node:assert/strict';
import test from 'node:test';
import { previewActivation } from '../../src/run/preview.ts';
import { validateActivation } from '../../src/run/validation/validate.ts';
import { withExporter } from '../support/exporter.ts';

const { signal } = new AbortController();
const DELTA = { runType: 'full_then_delta', syncMode: 'difference', fileName: '{run}' };

test('a table is exported with all its columns, by the key that the catalogue knows', () =>
  withExporter(async exporter => {
    await exporter.database.sql(`create schema "Sales"; create table "Sales"."Or""ders" (note text, "B" int, a int, primary key ("B", a));
      insert into "Sales"."Or""ders" values ('one', 1, 1), ('two', 1, 2)`);
    const activation = exporter.activation({ ...DELTA, model: { table: '"Sales"."Or""ders"' } });
    const { record, error } = await exporter.run(activation);
    assert.equal(record.state, 'succeeded', String(error));
    assert.deepEqual(await exporter.lines(`${record.run}_added.csv`), ['note,B,a', 'one,1,1', 'two,1,2']);

    await exporter.database.sql(`update "Sales"."Or""ders" set a = 3 where a = 2`);
    const { record: delta } = await exporter.run(activation);
    assert.deepEqual([delta.counts.added, delta.counts.updated, delta.counts.removed], [1, 0, 1]);
    const { checks } = await validateActivation({ activation, offline: false, signal });
    const key = checks.find(({ check }) => check === 'key');
    assert.deepEqual(key, { check: 'key', outcome: 'passed', message: 'B, a' });
  }));

test('names that are not quoted are read in lower case, as SQL does', () =>
  withExporter(async exporter => {
    await exporter.database.sql(`create table "order" (id int primary key); insert into "order" values (1)`);
    const activation = exporter.activation({ model: { table: 'Public.ORDER' } });
    const { rows } = await previewActivation({ activation, rows: 5, signal });
    assert.deepEqual(rows, [['1']]);
  }));

test('a table is filtered by its own condition over all columns, then by that of the segment', () =>
  withExporter(async exporter => {
    await exporter.database.sql(`create table t (id int primary key, country text, secret text);
      insert into t values (1, 'FR', 'x'), (2, 'FR', 'y'), (3, 'DE', 'x')`);
    const model = { table: 'public.t', columns: ['country', 'id'], where: `secret = 'x' -- only those` };
    const activation = exporter.activation({ model, where: `country = 'FR' -- and these` });
    const { record, error } = await exporter.run(activation);
    assert.equal(record.state, 'succeeded', String(error));
    assert.deepEqual(await exporter.lines('out.csv'), ['country,id', 'FR,1']);
  }));

test('a mistake in the condition of a table is shown by its place', () =>
  withExporter(async exporter => {
    await exporter.database.sql('create table t (id int primary key)');
    const model = { table: 'public.t', where: 'id > 0\n  and nope = 1' };
    const { record } = await exporter.run(exporter.activation({ model }));
    assert.equal(record.error?.code, 'SOURCE_QUERY_INVALID');
    assert.match(record.error!.message, /column "nope" does not exist.*line 2, column 7 of the filter/);
  }));

test('a table without a primary key needs one in the model, for deltas only', () =>
  withExporter(async exporter => {
    await exporter.database.sql('create table t (id int, v text); insert into t values (1, null)');
    const model = { table: 'public.t' };
    const full = await exporter.run(exporter.activation({ model }));
    assert.equal(full.record.state, 'succeeded');
    const { record } = await exporter.run(exporter.activation({ ...DELTA, model }));
    assert.equal(record.error?.code, 'COLUMN_UNKNOWN');
    assert.match(record.error!.message, /model m names no primaryKey, and public\.t has none/);
    const named = exporter.activation({ ...DELTA, model: { ...model, primaryKey: ['id'] } });
    assert.equal((await exporter.run(named)).record.state, 'succeeded');
  }));

test('a view, whose key nobody knows, and a partitioned table are tables too', () =>
  withExporter(async exporter => {
    await exporter.database.sql(`create table p (id int primary key, v text) partition by range (id);
      create table p1 partition of p for values from (0) to (10);
      create view w as select id, v from p; insert into p values (1, 'one')`);
    for (const model of [{ table: 'public.p' }, { table: 'public.w', primaryKey: ['id'] }]) {
      const { record, error } = await exporter.run(
        exporter.activation({ ...DELTA, name: model.table.slice(-1), model }),
      );
      assert.equal(record.state, 'succeeded', String(error));
      assert.equal(record.counts.added, 1);
    }
  }));

test('a table that is not there fails the run by its name', () =>
  withExporter(async exporter => {
    const { record } = await exporter.run(exporter.activation({ model: { table: 'public.gone' } }));
    assert.equal(record.error?.code, 'SOURCE_QUERY_INVALID');
    assert.match(record.error!.message, /relation "public\.gone" does not exist/);
  }));
