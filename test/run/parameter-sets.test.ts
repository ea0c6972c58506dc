import assert from 'node:assert/strict';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import type { ResolvedActivation } from '../../src/config/activation.ts';
import { planActivation } from '../../src/run/plan/plan-activation.ts';
import { backupState } from '../../src/state/back-up-state.ts';
import { describeState } from '../../src/state/describe-state.ts';
import { listBackups } from '../../src/state/list-backups.ts';
import { resetState } from '../../src/state/reset-state.ts';
import { restoreState } from '../../src/state/restore-state.ts';
import { verifyRun } from '../../src/verify/verify-run.ts';
import { type Exporter, withExporter } from '../support/exporter.ts';

const { signal } = new AbortController();

const TABLE = `create table t (id int primary key, brand text, name text);
  insert into t values (1, 'a', 'one'), (2, 'a', 'two'), (3, 'b', 'three'), (4, 'b', 'four')`;

const BY_BRAND = {
  source: 'db',
  sql: 'select id, name from t where brand = :brand order by id',
  primaryKey: ['id'],
  params: { brand: { type: 'text', default: 'a' } },
};

type Settings = Record<string, unknown>;

function byBrand(exporter: Exporter, settings: Settings = {}): ResolvedActivation {
  return exporter.activation({
    model: BY_BRAND,
    fileName: '{param.brand}/{run}',
    runType: 'full_then_delta',
    syncMode: 'difference',
    ...settings,
  });
}

async function run(exporter: Exporter, activation: ResolvedActivation, brand?: string, more: Settings = {}) {
  const given = brand === undefined ? {} : { params: { brand } };
  const { record, error, recovered } = await exporter.run(activation, { ...given, ...more });
  assert.equal(record.state, 'succeeded', String(error));
  const { added, updated, removed } = record.counts;
  const { generation, previousGeneration, full, run, counts } = record;
  return {
    run,
    full,
    generation,
    previousGeneration,
    recovered,
    read: counts.read,
    changes: [added, updated, removed],
  };
}

async function failed(exporter: Exporter, activation: ResolvedActivation, brand: string) {
  const { record } = await exporter.run(activation, { params: { brand } });
  return record.error?.code ?? record.reason ?? record.state;
}

for (const engine of ['fast', 'library'] as const)
  for (const syncMode of ['upsert', 'difference'] as const)
    test(`each set of values has its own changes, whatever runs come between (${syncMode}, engine ${engine})`, () =>
      withExporter(async exporter => {
        await exporter.database.sql(TABLE);
        const activation = byBrand(exporter, { syncMode, format: { type: 'csv', engine } });
        const first = await run(exporter, activation, 'a');
        const other = await run(exporter, activation, 'b');
        assert.deepEqual([first.full, other.full], [true, true]);
        await exporter.database.sql(`update t set name = 'new' where id in (2, 3); delete from t where id = 1;
          insert into t values (5, 'b', 'five')`);
        const a = await run(exporter, activation, 'a');
        const b = await run(exporter, activation, 'b');
        assert.deepEqual([a.full, a.changes], [false, [0, 1, 1]]);
        assert.deepEqual([b.full, b.changes], [false, [1, 1, 0]]);
        assert.deepEqual([a.generation, a.previousGeneration, b.generation], [2, 1, 2]);
        const rows = async (name: string) => (await exporter.lines(name)).slice(1);
        if (syncMode === 'upsert') {
          assert.deepEqual(await rows(`a/${a.run}.csv`), ['2,new']);
          assert.deepEqual(await rows(`b/${b.run}.csv`), ['3,new', '5,five']);
        } else {
          assert.deepEqual(await rows(`a/${a.run}_removed.csv`), ['1,one']);
          assert.deepEqual(await rows(`a/${a.run}_updated.csv`), ['2,new']);
          assert.deepEqual(await rows(`b/${b.run}_added.csv`), ['5,five']);
          assert.deepEqual(await rows(`b/${b.run}_updated.csv`), ['3,new']);
        }
        assert.deepEqual((await run(exporter, activation)).changes, [0, 0, 0]);
      }));

test('equal values are one set, however they are written, and defaults count as values', () =>
  withExporter(async exporter => {
    await exporter.database.sql(`create table n (id int primary key); insert into n values (1), (2)`);
    const activation = exporter.activation({
      model: {
        source: 'db',
        sql: 'select id, :at as at from n where id <= :most',
        primaryKey: ['id'],
        params: { most: { type: 'int', default: 7 }, at: { type: 'timestamp' } },
      },
      fileName: '{run}',
      runType: 'full_then_delta',
      syncMode: 'upsert',
    });
    const full = async (params: Record<string, string>) => {
      const { record, error } = await exporter.run(activation, { params });
      assert.equal(record.state, 'succeeded', String(error));
      return record.full;
    };
    assert.equal(await full({ most: '7', at: '2025-04-14T09:00:00+02:00' }), true);
    assert.equal(await full({ at: '2025-04-14T07:00:00.000Z', most: '+007' }), false);
    assert.equal(await full({ at: '2025-04-14T07:00Z' }), false);
    assert.equal(await full({ at: '2025-04-14T07:00Z', most: '8' }), true);
    const names = await readdir(join(exporter.dataDirectory, 'activations/exported/sets'));
    assert.match(names.join(), /^2025-04-14t07-00-00z-7-[0-9a-f]{16},2025-04-14t07-00-00z-8-[0-9a-f]{16}$/);
  }));

test('one set more than maxParameterSets fails before the source is read, known ones go on, and a reset makes room', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = byBrand(exporter, { maxParameterSets: 2 });
    await run(exporter, activation, 'a');
    // What never succeeded takes no place.
    const wrong = byBrand(exporter, { maxParameterSets: 2, mapping: ['absent'] });
    assert.equal(await failed(exporter, wrong, 'wrong'), 'COLUMN_UNKNOWN');
    const folders = await readdir(join(exporter.dataDirectory, 'activations/exported/sets'));
    assert.equal(folders.length, 1);
    await run(exporter, activation, 'b');
    const { record } = await exporter.run(activation, { params: { brand: 'c' } });
    assert.equal(record.error?.code, 'PARAMETER_SETS_EXCEEDED');
    assert.match(record.error!.message, /for 2 other sets .* maxParameterSets allows; this run has brand=c/);
    await assert.rejects(planActivation({ activation, rows: 1, signal, params: { brand: 'c' } }), {
      code: 'PARAMETER_SETS_EXCEEDED',
    });
    assert.equal((await run(exporter, activation, 'b')).full, false);
    await resetState({ activation, params: { brand: 'a' }, abandonDecided: false });
    assert.equal((await run(exporter, activation, 'c')).full, true);
    assert.equal(await failed(exporter, activation, 'a'), 'PARAMETER_SETS_EXCEEDED');
  }));

test('a reset set exports every row at its next run, and the others stay as they are', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = byBrand(exporter);
    await run(exporter, activation, 'a');
    await run(exporter, activation, 'b');
    const report = await resetState({ activation, params: { brand: 'b' }, abandonDecided: false });
    assert.deepEqual([report.params, report.generation, report.keys], [{ brand: 'b' }, 1, 2]);
    const b = await run(exporter, activation, 'b');
    assert.deepEqual([b.full, b.generation], [true, 2]);
    assert.equal((await run(exporter, activation, 'a')).full, false);
    assert.equal((await resetState({ activation, abandonDecided: false, allSets: true })).sets, 2);
    assert.deepEqual((await describeState(activation)).sets, []);
    assert.equal((await run(exporter, activation, 'a')).full, true);
  }));

test('the state shows all sets with their values, and one by its values', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = byBrand(exporter);
    assert.deepEqual((await describeState(activation)).sets, []);
    await run(exporter, activation, 'a');
    await run(exporter, activation, 'b');
    await run(exporter, activation, 'b');
    const { sets, baseline } = await describeState(activation);
    assert.equal(baseline, undefined);
    assert.deepEqual(
      sets!.map(({ params, baseline }) => [params, baseline?.generation, baseline?.keys]),
      [
        [{ brand: 'a' }, 1, 2],
        [{ brand: 'b' }, 2, 2],
      ],
    );
    const one = await describeState(activation, { brand: 'b' });
    assert.deepEqual([one.params, one.baseline?.generation, one.sets], [{ brand: 'b' }, 2, undefined]);
    assert.equal((await describeState(activation, { brand: 'c' })).baseline, undefined);
    await assert.rejects(describeState(activation, { colour: 'c' }), { code: 'PARAMETER_INVALID' });
  }));

test('a lost or empty source is held against the baseline of the same values', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = byBrand(exporter);
    await run(exporter, activation, 'a');
    await run(exporter, activation, 'b');
    await run(exporter, activation, 'none');
    await exporter.database.sql(`delete from t where brand = 'b'`);
    assert.equal(await failed(exporter, activation, 'b'), 'SOURCE_EMPTY');
    assert.deepEqual((await run(exporter, activation, 'none')).changes, [0, 0, 0]);
    assert.deepEqual((await run(exporter, activation, 'b', { allowRemovals: true })).changes, [0, 0, 2]);
    await rm(join(exporter.dataDirectory, 'activations'), { recursive: true });
    assert.equal(await failed(exporter, activation, 'a'), 'STATE_LOST');
    assert.equal((await run(exporter, activation, 'new')).full, true);
  }));

test('each set is backed up, listed and restored by itself', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = byBrand(exporter);
    const at = (brand: string) => ({ activation, params: { brand }, force: false, signal });
    await run(exporter, activation, 'a');
    await run(exporter, activation, 'b');
    const report = await backupState(at('b'));
    assert.deepEqual([report.params, report.generation, report.keys], [{ brand: 'b' }, 1, 2]);
    assert.equal((await listBackups(at('a'))).backups.length, 0);
    assert.equal((await listBackups(at('b'))).backups.length, 1);
    await rm(join(exporter.dataDirectory, 'activations'), { recursive: true });
    await assert.rejects(restoreState(at('a')), {
      code: 'NAME_UNKNOWN',
      message: /no backup of exported with brand=a at _sluice\/exported\/sets\/a-[0-9a-f]{16}\/state\//,
    });
    assert.equal((await restoreState(at('b'))).generation, 1);
    await exporter.database.sql('delete from t where id = 3');
    assert.deepEqual((await run(exporter, activation, 'b')).changes, [0, 0, 1]);
  }));

test('a plan is taken against the baseline of its values, and says what the run then publishes', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = byBrand(exporter);
    await run(exporter, activation, 'a');
    await exporter.database.sql(`delete from t where id = 1`);
    const planned = async (brand: string) => {
      const { counts, why } = await planActivation({ activation, rows: 1, signal, params: { brand } });
      return [why, counts.added, counts.updated, counts.removed];
    };
    assert.deepEqual(await planned('a'), ['changes since generation 1', 0, 0, 1]);
    assert.deepEqual(await planned('b'), ['there is no baseline yet', 2, 0, 0]);
    assert.deepEqual(
      (await describeState(activation)).sets?.map(({ params }) => params),
      [{ brand: 'a' }],
    );
    assert.deepEqual((await run(exporter, activation, 'a')).changes, [0, 0, 1]);
  }));

test('each manifest names its set, whose newest has a place of its own beside the newest of all', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = byBrand(exporter);
    const a = await run(exporter, activation, 'a');
    const b = await run(exporter, activation, 'b');
    const [set] = await readdir(join(exporter.dataDirectory, 'activations/exported/sets'));
    const read = async (name: string) => {
      const { run, set, params } = JSON.parse(
        String(await exporter.container.download(`_sluice/exported/${name}`)),
      );
      return { run, set, params };
    };
    const manifest = { run: a.run, set, params: { brand: 'a' } };
    assert.deepEqual(await read(`${a.run}.json`), manifest);
    assert.deepEqual(await read(`sets/${set}/latest.json`), manifest);
    assert.equal((await read('latest.json')).run, b.run);
    const { findings, files } = await verifyRun({ activations: [activation], run: a.run, signal });
    assert.deepEqual([findings, files.length], [[], 3]);
  }));

test('partitions, files with fixed names and those that are appended to are those of the set', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = byBrand(exporter, {
      fileName: '{param.brand}/rows',
      syncMode: 'upsert',
      partitionBy: ['id'],
      onDeltaOverwrite: 'warn',
    });
    await run(exporter, activation, 'a');
    await run(exporter, activation, 'b');
    await exporter.database.sql('delete from t where id in (1, 3)');
    await run(exporter, activation, 'a', { full: true });
    assert.deepEqual(await exporter.files(), ['a/id=2/rows.csv', 'b/id=3/rows.csv', 'b/id=4/rows.csv']);
  }));

test('an activation that had parameters, or has them now, begins anew and forgets no row', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const plain = exporter.activation({
      model: { source: 'db', sql: 'select id, name from t', primaryKey: ['id'] },
      fileName: 'all-{run}',
      runType: 'full_then_delta',
      syncMode: 'difference',
    });
    const withValues = byBrand(exporter);
    assert.equal((await run(exporter, plain)).full, true);
    assert.equal((await run(exporter, withValues, 'a')).full, true);
    const again = await run(exporter, plain);
    assert.deepEqual([again.full, again.read], [true, 4]);
    assert.equal((await run(exporter, plain)).full, false);
    assert.equal((await run(exporter, withValues, 'a')).full, false);
  }));

test('with changeDetection auto every row is read, and the record says why', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = byBrand(exporter, {
      model: { source: 'db', table: 'public.t', where: 'brand = :brand', params: BY_BRAND.params },
      changeDetection: 'auto',
    });
    await run(exporter, activation, 'a');
    const { record } = await exporter.run(activation, { params: { brand: 'a' } });
    assert.equal(record.changeDetection?.mode, 'full');
    assert.match(record.changeDetection?.reason ?? '', /has parameters/);
  }));
