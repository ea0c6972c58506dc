import assert from 'node:assert/strict';
import test from 'node:test';
import { runDescription } from '../../src/cli/terminal/run-description.ts';
import { Terminal } from '../../src/cli/terminal/terminal.ts';
import type { RunRecord } from '../../src/history/run-record.ts';
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

/** What `show` prints of how changes were found. */
function shown(record: RunRecord): string | undefined {
  const nowhere = { write: () => true };
  const lines = runDescription(record, new Terminal(nowhere, nowhere)).split('\n');
  return lines.map(line => line.trim()).find(line => /^(?:changes found|all rows compared)/.test(line));
}

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
    assert.equal(shown(changed), 'changes found by xmin: 4 rows read of those written since the baseline');

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
    const record = await run(exporter, settings);
    const { changeDetection, counts, full } = record;
    const said = { mode: 'full', reason: 'columns of the table have changed' };
    assert.deepEqual([full, changeDetection], [false, said]);
    assert.deepEqual((await exporter.manifest('exported')).changeDetection, said);
    assert.equal(shown(record), 'all rows compared: columns of the table have changed');
    assert.deepEqual([counts.written, counts.read], [0, 100]);
    assert.equal((await run(exporter, settings)).changeDetection?.mode, 'xmin');
  }));

test('auto compares all rows where nothing else can be, and says so in record, manifest and show', () =>
  withExporter(async exporter => {
    await exporter.database.sql(CREATE);
    const model = { table: 'public.t', where: 'id < random() * 0 + 50' };
    const settings = { changeDetection: 'auto', model };
    for (const full of [true, false]) {
      const record = await run(exporter, settings);
      assert.equal(record.full, full);
      const { mode, reason } = record.changeDetection!;
      assert.equal(mode, 'full');
      assert.match(reason!, /nothing is known to make `.*random\(\)/);
      assert.deepEqual((await exporter.manifest('exported')).changeDetection, record.changeDetection);
      assert.equal(shown(record), `all rows compared: ${reason}`);
    }
  }));

test('all rows are compared after so many runs, which names a row that had been missed and publishes nothing', t =>
  withExporter(async exporter => {
    const { database } = exporter;
    await database.sql(CREATE);
    const settings = { fullCompareEvery: { runs: 3, every: '30d' } };
    for (const mode of ['full', 'xmin', 'xmin', 'full', 'xmin'])
      assert.equal((await run(exporter, settings)).changeDetection!.mode, mode);
    const proven = await run(exporter, settings);
    assert.equal(proven.changeDetection!.mode, 'xmin');

    const [extension] = await database.sql(`select from pg_available_extensions where name = 'pg_surgery'`);
    if (extension === undefined) return t.skip('the server has no pg_surgery');
    // As if an earlier transaction had written it.
    await database.sql(`create extension pg_surgery; update t set name = 'missed' where id = 7`);
    const [row] = await database.sql('select ctid from t where id = 7');
    await database.sql(`select heap_force_freeze('t', array['${row!['ctid']}'::tid])`);
    const published = await exporter.files();
    const { record } = await exporter.run(exporter.activation({ ...DELTA, ...settings }));
    assert.deepEqual([record.state, record.error?.code], ['failed', 'CHANGE_DETECTION_MISMATCH']);
    assert.match(record.error!.message, /1 row has changed without being found by xmin, such as \(7\)/);
    assert.deepEqual(await exporter.files(), published);

    const next = await run(exporter, settings);
    assert.match(shown(next)!, /^all rows compared: .*without being found by xmin/);
    assert.equal(next.full, true);
    assert.equal((await run(exporter, settings)).changeDetection!.mode, 'xmin');
  }));
