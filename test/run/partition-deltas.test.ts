import assert from 'node:assert/strict';
import test from 'node:test';
import type { RunRecord } from '../../src/history/run-record.ts';
import type { ExportRequest } from '../../src/run/export-run.ts';
import { planActivation } from '../../src/run/plan/plan-activation.ts';
import { type Exporter, withExporter } from '../support/exporter.ts';

const CREATE = `create table t (id int primary key, country text, name text);
  insert into t values (1, 'FR', 'one'), (2, 'DE', 'two'), (3, 'FR', 'three'), (4, 'IT', 'four'), (5, 'DE', 'five')`;
/** 1 changes in place, 2 and 5 move (5 to a new partition), 3 goes, 6 comes. */
const CHANGE = `update t set name = 'ONE' where id = 1;
  update t set country = 'FR', name = 'TWO' where id = 2; delete from t where id = 3;
  update t set country = 'ES' where id = 5; insert into t values (6, 'ES', 'six')`;

async function run(
  exporter: Exporter,
  settings: Record<string, unknown>,
  request: Partial<ExportRequest> = {},
): Promise<RunRecord> {
  const activation = exporter.activation({
    runType: 'full_then_delta',
    fileName: '{run}/{column.country}',
    partitionBy: ['country'],
    ...settings,
  });
  const { record, error } = await exporter.run(activation, request);
  assert.equal(record.state, 'succeeded', String(error));
  return record;
}

/** The rows of each file of a run, by what follows the run in its name. */
async function rowsOf(exporter: Exporter, { run, files }: RunRecord): Promise<Record<string, string[]>> {
  const read = files.map(async ({ name }) => {
    const [, ...rows] = await exporter.lines(name);
    return [name.slice(run.length + 1, -'.csv'.length), rows] as const;
  });
  return Object.fromEntries(await Promise.all(read));
}

const FIRST = { DE: ['2,DE,two', '5,DE,five'], FR: ['1,FR,one', '3,FR,three'], IT: ['4,IT,four'] };

test('upsert has a row that moved in the file of its new partition, and no file of a partition without changes', () =>
  withExporter(async exporter => {
    await exporter.database.sql(CREATE);
    assert.deepEqual(await rowsOf(exporter, await run(exporter, { syncMode: 'upsert' })), FIRST);
    await exporter.database.sql(CHANGE);
    const second = await run(exporter, { syncMode: 'upsert' });
    assert.deepEqual(await rowsOf(exporter, second), {
      ES: ['5,ES,five', '6,ES,six'],
      FR: ['1,FR,ONE', '2,FR,TWO'],
    });
    const { added, updated, removed, unchanged, written } = second.counts;
    assert.deepEqual([added, updated, removed, unchanged, written], [1, 3, 1, 1, 4]);
    const third = await run(exporter, { syncMode: 'upsert' });
    assert.deepEqual(third.files, []);
  }));

test('insert has rows with new keys, and not those that moved', () =>
  withExporter(async exporter => {
    await exporter.database.sql(CREATE);
    assert.deepEqual(await rowsOf(exporter, await run(exporter, { syncMode: 'insert' })), FIRST);
    await exporter.database.sql(CHANGE);
    assert.deepEqual(await rowsOf(exporter, await run(exporter, { syncMode: 'insert' })), {
      ES: ['6,ES,six'],
    });
  }));

for (const keepPartitionColumns of [true, false]) {
  test(`difference removes a row that moved from its old partition, with its last values, and adds it to the new one; columns ${keepPartitionColumns ? 'kept' : 'left out'}`, () =>
    withExporter(async exporter => {
      const of = (row: string): string => (keepPartitionColumns ? row : row.replace(/,[A-Z]{2},/, ','));
      const settings = { syncMode: 'difference', keepPartitionColumns, onEmpty: 'skip' };
      await exporter.database.sql(CREATE);
      const first = await run(exporter, settings);
      assert.deepEqual(
        await rowsOf(exporter, first),
        Object.fromEntries(
          Object.entries(FIRST).map(([country, rows]) => [`${country}_added`, rows.map(of)]),
        ),
      );
      await exporter.database.sql(CHANGE);
      const second = await run(exporter, settings);
      assert.deepEqual(await rowsOf(exporter, second), {
        DE_removed: [of('2,DE,two'), of('5,DE,five')],
        ES_added: [of('5,ES,five'), of('6,ES,six')],
        FR_added: [of('2,FR,TWO')],
        FR_removed: [of('3,FR,three')],
        FR_updated: [of('1,FR,ONE')],
      });
      const { added, updated, removed, unchanged, written } = second.counts;
      assert.deepEqual([added, updated, removed, unchanged, written], [3, 1, 3, 1, 7]);

      // The state has moved on with them.
      await exporter.database.sql(`update t set country = 'DE' where id = 2`);
      assert.deepEqual(await rowsOf(exporter, await run(exporter, settings)), {
        DE_added: [of('2,DE,TWO')],
        FR_removed: [of('2,FR,TWO')],
      });
      assert.deepEqual((await run(exporter, settings)).counts.unchanged, 5);
    }));
}

test('with onEmpty: write a partition with changes has all files of difference, so that none of an earlier run stays among them', () =>
  withExporter(async exporter => {
    await exporter.database.sql(CREATE);
    await run(exporter, { syncMode: 'difference' });
    await exporter.database.sql(`update t set name = 'ONE' where id = 1`);
    assert.deepEqual(await rowsOf(exporter, await run(exporter, { syncMode: 'difference' })), {
      FR_added: [],
      FR_updated: ['1,FR,ONE'],
      FR_removed: [],
    });
  }));

test('the file of a partition is not a stale part of another one, whose name with a number it has', () =>
  withExporter(async exporter => {
    await exporter.database.sql(`create table t (id int primary key, country text, name text);
      insert into t values (1, 'FR', 'one'), (2, 'FR_part00002', 'two')`);
    const settings = { syncMode: 'upsert', fileName: '{column.country}' };
    await run(exporter, settings);
    await exporter.database.sql(`update t set name = 'ONE' where id = 1`);
    await run(exporter, settings);
    assert.deepEqual(await exporter.files(), ['FR.csv', 'FR_part00002.csv']);
  }));

test('a full run after a baseline tells of rows that moved and that are gone', () =>
  withExporter(async exporter => {
    const settings = { syncMode: 'difference', onEmpty: 'skip' };
    await exporter.database.sql(CREATE);
    await run(exporter, settings);
    await exporter.database.sql(CHANGE);
    assert.deepEqual(await rowsOf(exporter, await run(exporter, settings, { full: true })), {
      DE_removed: ['2,DE,two', '5,DE,five'],
      ES_added: ['5,ES,five', '6,ES,six'],
      FR_added: ['1,FR,ONE', '2,FR,TWO'],
      FR_removed: ['3,FR,three'],
      IT_added: ['4,IT,four'],
    });
    assert.deepEqual((await run(exporter, settings)).files, []);
  }));

test('rows that are found by xmin are dealt into partitions as all others', () =>
  withExporter(async exporter => {
    const settings = {
      model: { table: 'public.t' },
      changeDetection: 'xmin',
      syncMode: 'difference',
      onEmpty: 'skip',
    };
    await exporter.database.sql(CREATE);
    await run(exporter, settings);
    await exporter.database.sql(CHANGE);
    const second = await run(exporter, settings);
    assert.equal(second.changeDetection?.mode, 'xmin');
    assert.deepEqual(await rowsOf(exporter, second), {
      DE_removed: ['2,DE,two', '5,DE,five'],
      ES_added: ['5,ES,five', '6,ES,six'],
      FR_added: ['2,FR,TWO'],
      FR_removed: ['3,FR,three'],
      FR_updated: ['1,FR,ONE'],
    });
    await exporter.database.sql(`update t set country = 'IT' where id = 1`);
    const third = await run(exporter, settings);
    assert.equal(third.changeDetection?.mode, 'xmin');
    assert.deepEqual(await rowsOf(exporter, third), { FR_removed: ['1,FR,ONE'], IT_added: ['1,IT,ONE'] });
  }));

test('a full run of the same name deletes the delta files of partitions that are gone', () =>
  withExporter(async exporter => {
    const settings = { syncMode: 'upsert', fileName: 'all' };
    await exporter.database.sql(CREATE);
    await run(exporter, settings);
    await exporter.database.sql(`delete from t where country = 'DE'; update t set name = 'x' where id = 4`);
    const delta = await run(exporter, settings);
    assert.deepEqual(
      delta.files.map(({ name }) => name),
      ['country=IT/all.csv'],
    );
    // What has no changes stands as it was.
    assert.deepEqual(
      await exporter.files(),
      ['DE', 'FR', 'IT'].map(country => `country=${country}/all.csv`),
    );
    await exporter.database.sql(`delete from t where country = 'IT'`);
    const full = await run(exporter, settings, { full: true });
    assert.deepEqual(
      await exporter.files(),
      ['DE', 'FR'].map(country => `country=${country}/all.csv`),
    );
    assert.deepEqual(
      full.warnings.map(({ code }) => code),
      ['DELTA_OVERWRITTEN'],
    );
  }));

test('rows that outgrow the memory of the state are sorted on disk, and every one is in the file of its partition', () =>
  withExporter(async exporter => {
    const settings = { syncMode: 'difference', stateMemory: '1MiB', onEmpty: 'skip' };
    await exporter.database.sql(`create table t as select i as id, chr(65 + i % 7) as country, 'x' as name
      from generate_series(1, 60000) i`);
    const first = await run(exporter, settings);
    await exporter.database.sql(`update t set country = chr(65 + (id + 1) % 7) where id % 2 = 0`);
    const second = await run(exporter, settings);
    assert.deepEqual([first.counts.added, second.counts.added, second.counts.removed], [60000, 30000, 30000]);
    for (const record of [first, second]) {
      let rows = 0;
      for (const { name, partition, rows: told } of record.files) {
        const [, ...lines] = await exporter.lines(name);
        assert.equal(lines.length, told);
        assert.ok(lines.every(line => line.split(',')[1] === partition!['country']));
        rows += lines.length;
      }
      assert.equal(rows, record.counts.written);
    }
  }));

test('a plan tells what the run then publishes, rows that moved among what is removed, and writes nothing', () =>
  withExporter(async exporter => {
    const settings = { syncMode: 'difference', onEmpty: 'skip' };
    await exporter.database.sql(CREATE);
    await run(exporter, settings);
    await exporter.database.sql(CHANGE);
    const before = await exporter.container.list();
    const activation = exporter.activation({
      runType: 'full_then_delta',
      fileName: '{run}/{column.country}',
      partitionBy: ['country'],
      ...settings,
    });
    const { signal } = new AbortController();
    const plan = await planActivation({ activation, rows: 10, signal });
    assert.deepEqual(await exporter.container.list(), before);
    const second = await run(exporter, settings);
    const told = (files: readonly { name: string; rows: number }[]): string[] =>
      files.map(({ name, rows }) => `${name.slice(name.indexOf('/'))} ${rows}`);
    assert.deepEqual(told(plan.files), told(second.files));
    assert.deepEqual(plan.counts, second.counts);
    const ids = (rows: readonly { key: readonly { value: string | null }[] }[]): (string | null)[] =>
      rows.map(({ key }) => key[0]!.value).sort();
    assert.deepEqual(ids(plan.sample.removed), ['2', '3', '5']);
    assert.deepEqual(ids(plan.sample.added), ['2', '5', '6']);
    assert.deepEqual(ids(plan.sample.updated), ['1']);
  }));

test('files may be partitioned from some run on: what the baseline knows of rows says where they were', () =>
  withExporter(async exporter => {
    const settings = { syncMode: 'difference', onEmpty: 'skip' };
    await exporter.database.sql(CREATE);
    await run(exporter, { ...settings, fileName: '{run}/all', partitionBy: undefined });
    await exporter.database.sql(CHANGE);
    const second = await run(exporter, settings);
    assert.equal(second.full, false);
    assert.deepEqual(await rowsOf(exporter, second), {
      DE_removed: ['2,DE,two', '5,DE,five'],
      ES_added: ['5,ES,five', '6,ES,six'],
      FR_added: ['2,FR,TWO'],
      FR_removed: ['3,FR,three'],
      FR_updated: ['1,FR,ONE'],
    });
  }));

test('a baseline that does not know the partition of its rows makes a full run, and what is gone is counted only', () =>
  withExporter(async exporter => {
    const settings = { syncMode: 'difference', onEmpty: 'skip', mapping: ['id', 'name'] };
    await exporter.database.sql(CREATE);
    await run(exporter, { ...settings, fileName: '{run}/all', partitionBy: undefined });
    await exporter.database.sql(CHANGE);
    const second = await run(exporter, { ...settings, keepPartitionColumns: false });
    assert.deepEqual(
      [second.full, second.counts.removed, second.warnings.map(({ code }) => code)],
      [true, 1, ['COLUMNS_CHANGED']],
    );
    assert.deepEqual(await rowsOf(exporter, second), {
      ES_added: ['5,five', '6,six'],
      FR_added: ['1,ONE', '2,TWO'],
      IT_added: ['4,four'],
    });
    await exporter.database.sql(`update t set country = 'IT' where id = 1`);
    assert.deepEqual(
      await rowsOf(exporter, await run(exporter, { ...settings, keepPartitionColumns: false })),
      {
        FR_removed: ['1,ONE'],
        IT_added: ['1,ONE'],
      },
    );
  }));
