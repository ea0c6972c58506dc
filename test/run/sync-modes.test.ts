import assert from 'node:assert/strict';
import test from 'node:test';
import type { ExportResult } from '../../src/run/export-run.ts';
import { type Exporter, withExporter } from '../support/exporter.ts';

const CREATE = `create table t (id int primary key, name text);
  insert into t values (1, 'one'), (2, 'two'), (3, 'three')`;
const CHANGE = `update t set name = 'TWO' where id = 2; delete from t where id = 3; insert into t values (4, 'four')`;

function succeeded({ record, error }: ExportResult): void {
  assert.equal(record.state, 'succeeded', String(error));
}

for (const syncMode of ['snapshot', 'upsert', 'insert'] as const) {
  test(`full_only with ${syncMode} writes every row in every run and keeps no state`, () =>
    withExporter(async exporter => {
      await exporter.database.sql(CREATE);
      const activation = exporter.activation({ runType: 'full_only', syncMode });
      succeeded(await exporter.run(activation));
      assert.deepEqual(await exporter.lines('out.csv'), ['id,name', '1,one', '2,two', '3,three']);
      await exporter.database.sql(CHANGE);
      const { record } = await exporter.run(activation);
      assert.deepEqual(await exporter.lines('out.csv'), ['id,name', '1,one', '2,TWO', '4,four']);
      assert.equal(record.full, true);
    }));
}

/**
 * A first and a second run of full_then_delta into files named by run, and the lines of
 * the second run's files.
 */
async function twoRuns(
  exporter: Exporter,
  settings: Record<string, unknown>,
): Promise<[ExportResult, ExportResult]> {
  await exporter.database.sql(CREATE);
  const activation = exporter.activation({ runType: 'full_then_delta', fileName: '{run}', ...settings });
  const first = await exporter.run(activation);
  succeeded(first);
  await exporter.database.sql(CHANGE);
  const second = await exporter.run(activation);
  succeeded(second);
  return [first, second];
}

test('full_then_delta with upsert writes every row, then added and updated rows in one file', () =>
  withExporter(async exporter => {
    const [first, second] = await twoRuns(exporter, { syncMode: 'upsert' });
    assert.deepEqual(await exporter.lines(`${first.record.run}.csv`), [
      'id,name',
      '1,one',
      '2,two',
      '3,three',
    ]);
    assert.deepEqual(await exporter.lines(`${second.record.run}.csv`), ['id,name', '2,TWO', '4,four']);
    assert.deepEqual(
      [second.record.full, second.record.generation, second.record.previousGeneration],
      [false, 2, 1],
    );
    const { read, added, updated, removed, unchanged, written } = second.record.counts;
    assert.deepEqual(
      { read, added, updated, removed, unchanged, written },
      { read: 3, added: 1, updated: 1, removed: 1, unchanged: 1, written: 2 },
    );
  }));

test('full_then_delta with insert writes every row, then rows with new keys only, and a key that comes back is not new', () =>
  withExporter(async exporter => {
    const [, second] = await twoRuns(exporter, { syncMode: 'insert' });
    assert.deepEqual(await exporter.lines(`${second.record.run}.csv`), ['id,name', '4,four']);
    await exporter.database.sql(`insert into t values (3, 'three again')`);
    const third = await exporter.run(
      exporter.activation({ runType: 'full_then_delta', fileName: '{run}', syncMode: 'insert' }),
    );
    assert.deepEqual(await exporter.lines(`${third.record.run}.csv`), ['id,name']);
  }));

test('with upsert a key that comes back is added', () =>
  withExporter(async exporter => {
    await twoRuns(exporter, { syncMode: 'upsert' });
    await exporter.database.sql(`insert into t values (3, 'three')`);
    const { record } = await exporter.run(
      exporter.activation({ runType: 'full_then_delta', fileName: '{run}', syncMode: 'upsert' }),
    );
    assert.deepEqual(await exporter.lines(`${record.run}.csv`), ['id,name', '3,three']);
    assert.equal(record.counts.added, 1);
  }));

test('full_then_delta with difference writes three files, and the first run has every row in _added', () =>
  withExporter(async exporter => {
    const [first, second] = await twoRuns(exporter, { syncMode: 'difference' });
    const of = (result: ExportResult, change: string): Promise<string[]> =>
      exporter.lines(`${result.record.run}_${change}.csv`);
    assert.deepEqual(await of(first, 'added'), ['id,name', '1,one', '2,two', '3,three']);
    assert.deepEqual(await of(first, 'updated'), ['id,name']);
    assert.deepEqual(await of(first, 'removed'), ['id,name']);
    assert.deepEqual(await of(second, 'added'), ['id,name', '4,four']);
    assert.deepEqual(await of(second, 'updated'), ['id,name', '2,TWO']);
    assert.deepEqual(await of(second, 'removed'), ['id,name', '3,three']);
  }));

test('removedRows: keys leaves the other columns of a removed row empty', () =>
  withExporter(async exporter => {
    const [, second] = await twoRuns(exporter, { syncMode: 'difference', removedRows: 'keys' });
    assert.deepEqual(await exporter.lines(`${second.record.run}_removed.csv`), ['id,name', '3,']);
  }));

test('a key column that is not mapped identifies rows and is not written', () =>
  withExporter(async exporter => {
    const [, second] = await twoRuns(exporter, {
      syncMode: 'difference',
      mapping: [{ from: 'name', to: 'label' }],
    });
    assert.deepEqual(await exporter.lines(`${second.record.run}_updated.csv`), ['label', 'TWO']);
    assert.deepEqual(await exporter.lines(`${second.record.run}_removed.csv`), ['label', 'three']);
  }));

test('only a difference in mapped columns is a change', () =>
  withExporter(async exporter => {
    const [, second] = await twoRuns(exporter, { syncMode: 'upsert', mapping: ['id'] });
    assert.deepEqual(await exporter.lines(`${second.record.run}.csv`), ['id', '4']);
  }));

test('a segment is its model where the filter holds, and a row that leaves it is removed', () =>
  withExporter(async exporter => {
    await exporter.database.sql(CREATE);
    const activation = exporter.activation({
      runType: 'full_then_delta',
      syncMode: 'difference',
      where: "name <> 'two'",
    });
    succeeded(await exporter.run(activation));
    assert.deepEqual(await exporter.lines('out_added.csv'), ['id,name', '1,one', '3,three']);
    await exporter.database.sql(`update t set name = 'two' where id = 1`);
    succeeded(await exporter.run(activation));
    assert.deepEqual(await exporter.lines('out_removed.csv'), ['id,name', '1,one']);
  }));

test('a failed run leaves the baseline and the files of the last success untouched', () =>
  withExporter(async exporter => {
    await exporter.database.sql(CREATE);
    const settings = { runType: 'full_then_delta', syncMode: 'difference' };
    succeeded(await exporter.run(exporter.activation(settings)));
    await exporter.database.sql(CHANGE);
    await exporter.database.sql(`insert into t select i, 'more' from generate_series(10, 20000) i`);
    const broken = exporter.activation({
      ...settings,
      sql: 'select id, case when id = 19999 then (1 / (id - 19999))::text else name end as name from t',
    });
    const { record } = await exporter.run(broken);
    assert.equal(record.state, 'failed');
    assert.equal(record.error?.code, 'SOURCE_QUERY_FAILED');
    assert.match(record.error!.message, /division by zero/);
    assert.deepEqual(await exporter.lines('out_added.csv'), ['id,name', '1,one', '2,two', '3,three']);
    await exporter.database.sql('delete from t where id >= 10');
    succeeded(await exporter.run(exporter.activation(settings)));
    assert.deepEqual(await exporter.lines('out_removed.csv'), ['id,name', '3,three']);
  }));

test('a cancelled run publishes nothing and leaves the baseline', () =>
  withExporter(async exporter => {
    await exporter.database.sql(CREATE);
    const abort = new AbortController();
    const activation = exporter.activation({
      sql: `select id, name, pg_sleep(case when id = 3 then 600 else 0 end)::text as s from t`,
    });
    const running = exporter.run(activation, { signal: abort.signal, observe: () => abort.abort() });
    const { record } = await running;
    assert.equal(record.state, 'cancelled');
    assert.deepEqual(await exporter.container.list(), []);
    const [row] = await exporter.database.sql(
      `select count(*)::int as n from pg_stat_activity where query like '%pg_sleep(case%' and state = 'active' and pid <> pg_backend_pid()`,
    );
    assert.equal(row!['n'], 0);
  }));
