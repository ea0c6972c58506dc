import assert from 'node:assert/strict';
import test from 'node:test';
import { type Exporter, withExporter } from '../support/exporter.ts';

const DELTA = {
  runType: 'full_then_delta',
  syncMode: 'difference',
  fileName: '{run}',
  model: { table: 'public.t' },
  changeDetection: 'xmin',
};

const CREATE = `create table t (id int primary key, name text);
  insert into t select i, 'row ' || i from generate_series(1, 100) i`;

async function run(exporter: Exporter, settings: Record<string, unknown> = {}) {
  const { record, error } = await exporter.run(exporter.activation({ ...DELTA, ...settings }));
  assert.equal(record.state, 'succeeded', String((error as Error | undefined)?.stack));
  return record;
}

test('only rows that were written since are read, and what is gone is found by its key', () =>
  withExporter(async exporter => {
    await exporter.database.sql(CREATE);
    const first = await run(exporter);
    assert.deepEqual([first.full, first.changeDetection], [true, { mode: 'full' }]);

    const still = await run(exporter);
    assert.deepEqual(still.changeDetection, { mode: 'xmin', candidates: 0 });
    assert.deepEqual([still.counts.read, still.counts.unchanged, still.counts.written], [100, 100, 0]);

    await exporter.database.sql(`update t set name = 'new' where id = 1; update t set name = name where id = 2;
      delete from t where id = 3; update t set id = 104 where id = 4; insert into t values (105, 'more')`);
    const changed = await run(exporter);
    assert.deepEqual(changed.changeDetection, { mode: 'xmin', candidates: 4 });
    const { read, added, updated, removed, unchanged } = changed.counts;
    assert.deepEqual(
      { read, added, updated, removed, unchanged },
      { read: 100, added: 2, updated: 1, removed: 2, unchanged: 97 },
    );
    const of = (change: string): Promise<string[]> => exporter.lines(`${changed.run}_${change}.csv`);
    assert.deepEqual(await of('added'), ['id,name', '104,row 4', '105,more']);
    assert.deepEqual(await of('updated'), ['id,name', '1,new']);
    assert.deepEqual(await of('removed'), ['id,name', '3,row 3', '4,row 4']);
    assert.deepEqual((await exporter.manifest('exported')).changeDetection, { mode: 'xmin', candidates: 4 });

    await exporter.database.sql('delete from t where id > 50');
    const gone = await run(exporter);
    assert.deepEqual([gone.changeDetection?.candidates, gone.counts.removed, gone.counts.read], [0, 52, 48]);
  }));

test('a change of columns makes a comparison of all rows, which says why', () =>
  withExporter(async exporter => {
    await exporter.database.sql(CREATE);
    const settings = { mapping: ['id', 'name'] };
    await run(exporter, settings);
    await exporter.database.sql(`alter table t add column extra text default 'x'`);
    const { changeDetection, counts, full } = await run(exporter, settings);
    assert.deepEqual(
      [full, changeDetection],
      [false, { mode: 'full', reason: 'columns of the table have changed' }],
    );
    assert.deepEqual([counts.written, counts.read], [0, 100]);
    assert.equal((await run(exporter, settings)).changeDetection?.mode, 'xmin');
  }));
