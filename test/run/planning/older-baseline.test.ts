import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { Level } from 'level';
import { Baseline, type BaselineState } from '../../../src/baseline/baseline.ts';
import type { ResolvedActivation } from '../../../src/config/activation.ts';
import type { RunRecord } from '../../../src/history/run-record.ts';
import { planActivation } from '../../../src/run/plan/plan-activation.ts';
import { backupState } from '../../../src/state/back-up-state.ts';
import { describeState } from '../../../src/state/describe-state.ts';
import { restoreState } from '../../../src/state/restore-state.ts';
import { everyNth } from '../../support/all-cases.ts';
import { type Exporter, withExporter } from '../../support/exporter.ts';
import { BLOCK, COLLIDING, makeOlder, OLDER_SEED } from '../../support/older-baseline.ts';

const DELTA = { runType: 'full_then_delta', fileName: '{run}' };
const { signal } = new AbortController();

async function run(exporter: Exporter, activation: ResolvedActivation): Promise<RunRecord> {
  const { record, error } = await exporter.run(activation);
  assert.equal(record.state, 'succeeded', String(error));
  return record;
}

function baselineOf(exporter: Exporter): string {
  return join(exporter.dataDirectory, 'activations', 'exported', 'baseline');
}

async function stateOf(exporter: Exporter): Promise<BaselineState> {
  const baseline = await Baseline.open(baselineOf(exporter));
  await baseline.close();
  return baseline.state!;
}

/** A first run, of which the baseline is then as an older version would have left it. */
async function firstRun(exporter: Exporter, settings: Record<string, unknown>): Promise<ResolvedActivation> {
  await exporter.database.sql(`create table t (id text primary key, name text);
    insert into t select 'k' || i, 'n' || i from generate_series(1, 200) i`);
  const activation = exporter.activation({ ...DELTA, ...settings });
  await run(exporter, activation);
  await rewriteAsOlder(exporter);
  return activation;
}

async function rewriteAsOlder(exporter: Exporter): Promise<void> {
  const rows = await exporter.database.sql('select id, name from t order by id');
  await makeOlder(
    baselineOf(exporter),
    rows.map(row => [row['id'] as string, row['name'] as string]),
  );
}

const CHANGE = `update t set name = 'changed' where id in ('k1', 'k50'); delete from t where id in ('k2', 'k3', 'k4');
  insert into t values ('new', 'n')`;

const MODES: [string, Record<string, unknown>, { written: number; unchanged: number; removed: number }][] = [
  ['upsert', { syncMode: 'upsert' }, { written: 3, unchanged: 195, removed: 3 }],
  ['insert', { syncMode: 'insert' }, { written: 1, unchanged: 197, removed: 0 }],
  ['difference', { syncMode: 'difference' }, { written: 6, unchanged: 195, removed: 3 }],
  [
    'difference by keys',
    { syncMode: 'difference', removedRows: 'keys' },
    { written: 6, unchanged: 195, removed: 3 },
  ],
];
for (const [what, settings, expected] of everyNth(2, MODES)) {
  test(`a baseline of an older version is carried over by the next delta (${what})`, () =>
    withExporter(async exporter => {
      const activation = await firstRun(exporter, settings);
      await exporter.database.sql(CHANGE);
      const { full, generation, counts, warnings } = await run(exporter, activation);
      const { written, unchanged, removed } = counts;
      assert.deepEqual({ written, unchanged, removed }, expected);
      assert.deepEqual([full, generation, warnings], [false, 2, []]);
      const { hashing, seed } = await stateOf(exporter);
      assert.deepEqual([hashing?.function, seed], ['siphash-2-4-128/1-3-64', undefined]);

      await exporter.database.sql(
        `update t set name = 'again' where id = 'k7'; insert into t values ('k2', 'back')`,
      );
      const next = await run(exporter, activation);
      const written2 = { upsert: 2, insert: 0, difference: 2 }[settings['syncMode'] as string];
      assert.deepEqual([next.full, next.counts.written], [false, written2]);
      assert.equal((await run(exporter, activation)).counts.written, 0);
    }));
}

test('a plan against a baseline of an older version shows what updated rows were', () =>
  withExporter(async exporter => {
    const activation = await firstRun(exporter, { syncMode: 'difference' });
    await exporter.database.sql(CHANGE);
    const { sample, counts } = await planActivation({ activation, rows: 20, signal });
    assert.equal(counts.updated, 2);
    const differences = new Map(sample.updated.map(row => [row.key[0]!.value, row.differences]));
    for (const [id, before] of [
      ['k1', 'n1'],
      ['k50', 'n50'],
    ] as const)
      assert.deepEqual(differences.get(id), [{ column: 'name', before, after: 'changed' }]);
    assert.deepEqual(sample.gaps, []);
  }));

test('two keys that met under the former hash are two rows, also while a baseline is carried over', () =>
  withExporter(async exporter => {
    const [first, second] = COLLIDING.map(text => `'${BLOCK}${text}'`);
    const activation = await firstRun(exporter, { syncMode: 'upsert' });
    await exporter.database.sql(`insert into t values (${first}, 'v')`);
    await rewriteAsOlder(exporter);
    await exporter.database.sql(`insert into t values (${second}, 'v')`);
    assert.deepEqual((await run(exporter, activation)).counts.written, 1);
    assert.deepEqual((await run(exporter, activation)).counts.written, 0);
    await exporter.database.sql(`delete from t where id = ${first}`);
    assert.deepEqual((await run(exporter, activation)).counts.removed, 1);
    const { record } = await exporter.run(activation, { full: true });
    assert.deepEqual([record.state, record.counts.written], ['succeeded', 201]);
  }));

test('two keys, and two versions of a row, that were made to meet under MurmurHash3 are told apart', () =>
  withExporter(async exporter => {
    const [first, second] = COLLIDING.map(text => `'${BLOCK}${text}'`);
    await exporter.database.sql(`create table t (id text primary key, name text);
      insert into t values (${first}, 'v'), ('somebody else', 'v'), ('7', '7777777' || ${COLLIDING.map(text => `'${text}'`)[0]})`);
    const activation = exporter.activation({ ...DELTA, syncMode: 'difference' });
    await run(exporter, activation);
    await exporter.database.sql(`insert into t values (${second}, 'v');
      update t set name = '7777777' || ${COLLIDING.map(text => `'${text}'`)[1]} where id = '7'`);
    const { counts } = await run(exporter, activation);
    assert.deepEqual([counts.added, counts.updated, counts.unchanged], [1, 1, 2]);
    const full = await exporter.run(activation, { full: true });
    assert.equal(full.record.counts.written, 4);
  }));

test('a baseline that is hashed by an unknown function is refused, and --full goes on', () =>
  withExporter(async exporter => {
    const activation = await firstRun(exporter, { syncMode: 'upsert' });
    await run(exporter, activation);
    const level = new Level<Buffer, Buffer>(baselineOf(exporter), {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
    });
    const { crc: _, ...state } = JSON.parse((await level.get(Buffer.from('m')))!.toString()) as {
      crc: number;
      hashing: { function: string };
    };
    state.hashing.function = 'hash of 2031';
    await level.put(Buffer.from('m'), Buffer.from(JSON.stringify(state)));
    await level.close();
    const { record, error } = await exporter.run(activation);
    assert.equal(record.error?.code, 'STATE_STALE');
    assert.match(record.error.message, /made by another version of Sluice.*hash of 2031/);
    assert.match((error as { hint?: string }).hint!, /--full/);
    const full = await exporter.run(activation, { full: true });
    assert.equal(full.record.state, 'succeeded');
    assert.equal((await run(exporter, activation)).counts.unchanged, 200);
  }));

test('a baseline is carried over by the next start where the process that decided it is gone', () =>
  withExporter(async exporter => {
    const activation = await firstRun(exporter, { syncMode: 'insert' });
    const olderState = await stateOf(exporter);
    await exporter.database.sql(CHANGE);
    const { record } = await exporter.run(activation, {
      intercept: parts => ({
        ...parts,
        baseline: {
          get state() {
            return parts.baseline.state;
          },
          compact: () => parts.baseline.compact(),
          apply: () => Promise.reject(new Error('killed')),
        },
      }),
    });
    assert.equal(record.state, 'failed');
    assert.deepEqual(await stateOf(exporter), olderState);
    const next = await run(exporter, activation);
    assert.deepEqual([next.counts.written, next.generation], [0, 3]);
    const { hashing } = await stateOf(exporter);
    assert.equal(hashing?.former?.count, 3);
  }));

test('a backup of an older version is restored, and carried over by the next delta', () =>
  withExporter(async exporter => {
    const activation = await firstRun(exporter, { syncMode: 'difference' });
    await backupState({ activation, force: false, signal });
    const name = (await exporter.container.list()).find(blob => /state\/backups\/.*\.json$/.test(blob))!;
    const { state } = JSON.parse((await exporter.container.download(name)).toString());
    assert.deepEqual([state.seed, state.hashing], [OLDER_SEED, undefined]);
    await rm(join(exporter.dataDirectory, 'activations'), { recursive: true });
    await restoreState({ activation, force: false, signal });
    await exporter.database.sql(CHANGE);
    const { counts } = await run(exporter, activation);
    assert.deepEqual([counts.added, counts.updated, counts.removed, counts.unchanged], [1, 2, 3, 195]);

    await backupState({ activation, force: false, signal });
    await rm(join(exporter.dataDirectory, 'activations'), { recursive: true });
    await restoreState({ activation, force: false, signal });
    assert.equal((await run(exporter, activation)).counts.unchanged, 198);
  }));

test('the secret of a baseline is in no record, manifest or description of the state', () =>
  withExporter(async exporter => {
    const activation = await firstRun(exporter, { syncMode: 'insert' });
    const record = await run(exporter, activation);
    const { secret } = (await stateOf(exporter)).hashing!;
    assert.match(secret, /^[0-9a-f]{32}$/);
    const shown = [
      JSON.stringify(record),
      JSON.stringify(await describeState(activation)),
      JSON.stringify(await exporter.manifest('exported')),
      await readFile(
        join(exporter.dataDirectory, 'activations/exported/history', `${record.run}.json`),
        'utf8',
      ),
    ];
    for (const text of shown) assert.ok(!text.includes(secret), text);
  }));
