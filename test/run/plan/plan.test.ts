import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import test from 'node:test';
import type { ResolvedActivation } from '../../../src/config/activation.ts';
import { activationFolder } from '../../../src/disk/data-directory.ts';
import { type Plan, type PlanRequest, planActivation } from '../../../src/run/plan/plan-activation.ts';
import { Chance } from '../../changes/history.ts';
import { type Exporter, withExporter } from '../../support/exporter.ts';

function plan(activation: ResolvedActivation, request: Partial<PlanRequest> = {}): Promise<Plan> {
  return planActivation({ activation, rows: 20, signal: new AbortController().signal, ...request });
}

/** Every file below the data directory with its content, but for the state's lock. */
async function filesOf(directory: string): Promise<Map<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries.filter(entry => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const kept = paths.filter(path => !/\/lock\//.test(path)).sort();
  const contents = kept.map(
    async path => [relative(directory, path), await readFile(path, 'base64')] as const,
  );
  return new Map(await Promise.all(contents));
}

/** The plan, which must have left everything as it was. */
async function planWithoutATrace(exporter: Exporter, activation: ResolvedActivation): Promise<Plan> {
  const before = await filesOf(exporter.dataDirectory);
  const blobs = await exporter.container.list();
  const planned = await plan(activation);
  assert.deepEqual(await exporter.container.list(), blobs);
  assert.deepEqual(
    [...(await filesOf(exporter.dataDirectory))].map(([path]) => path),
    [...before.keys()],
  );
  assert.deepEqual(await filesOf(exporter.dataDirectory), before);
  return planned;
}

const MODES: readonly (readonly [string, string, Record<string, unknown>?])[] = [
  ['full_only', 'snapshot'],
  ['full_only', 'insert'],
  ['full_then_delta', 'upsert'],
  ['full_then_delta', 'insert'],
  ['full_then_delta', 'difference'],
  ['full_then_delta', 'difference', { partitionBy: ['name'] }],
  ['full_then_delta', 'insert', { ifExists: 'append' }],
];

for (const [runType, syncMode, more] of MODES) {
  const what = `${runType} with ${syncMode}${more ? ` and ${Object.keys(more).join()}` : ''}`;
  test(`a run of ${what} publishes what the plan before it says, and the plan leaves no trace`, () =>
    withExporter(async exporter => {
      const { database } = exporter;
      await database.sql('create table t (id int primary key, name text, n int)');
      const chance = new Chance(MODES.findIndex(mode => mode[1] === syncMode && mode[0] === runType) + 1);
      const activation = exporter.activation({
        runType,
        syncMode,
        // Often one of them is held, and often there are parts that are stale then.
        ...(runType === 'full_then_delta' &&
          syncMode !== 'insert' && { warnings: { removedRowsOver: '60%' } }),
        maxFileRows: 5,
        ...more,
      });
      for (let round = 0; round < 6; round++) {
        for (let change = chance.below(8); change > 0; change--) {
          const id = chance.below(12);
          await database.sql(
            chance.of([
              `insert into t values (${id}, 'new', ${change}) on conflict (id) do update set n = t.n + 1`,
              `update t set name = 'other ${round}' where id = ${id}`,
              `delete from t where id = ${id}`,
              `delete from t where id > ${id}`,
            ]),
          );
        }
        const planned = await planWithoutATrace(exporter, activation);
        const { record } = await exporter.run(activation);
        const told = `round ${round}`;
        assert.equal(planned.outcome === 'held', record.state === 'held', told);
        assert.deepEqual(planned.counts, record.counts, told);
        assert.equal(planned.full, record.full, told);
        assert.equal(planned.held?.reason, record.reason, told);
        assert.deepEqual(
          planned.files,
          record.files.map(({ name, change, part, rows, bytes }) => ({
            name,
            ...(change && { change }),
            part,
            rows,
            bytes,
          })),
          told,
        );
        assert.deepEqual(
          planned.warnings,
          record.warnings.filter(({ code }) => code !== 'HELD'),
          told,
        );
        if (record.state === 'held') assert.deepEqual(planned.sample, record.sample, told);
        const { added, updated, removed } = planned.sample;
        assert.equal(added.length, Math.min(20, planned.counts.added), told);
        assert.equal(updated.length, planned.counts.updated, told);
        assert.equal(removed.length, syncMode === 'difference' ? planned.counts.removed : 0, told);
      }
    }));
}

const TABLE = `create table t (id int primary key, name text, age int);
  insert into t values (1, 'one', 10), (2, 'two', 20), (3, 'three', 30), (4, 'four', null)`;
const CHANGES = `update t set name = 'TWO', age = null where id = 2; delete from t where id = 3;
  update t set age = 40 where id = 4; insert into t values (5, 'five', 50)`;

test('a plan shows keys, and of updated rows the columns that differ with both values, by their names in the file', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const mapping = ['id', { from: 'name', to: 'label' }, 'age'];
    const activation = exporter.activation({ runType: 'full_then_delta', syncMode: 'difference', mapping });
    const first = await plan(activation);
    assert.deepEqual([first.full, first.why, first.outcome], [true, 'there is no baseline yet', 'changes']);
    await exporter.run(activation);
    assert.equal((await plan(activation)).outcome, 'nothing');
    await exporter.database.sql(CHANGES);
    const { sample, why, full, files } = await plan(activation);
    assert.deepEqual([full, why], [false, 'changes since generation 1']);
    const id = (value: string) => [{ column: 'id', value }];
    assert.deepEqual(sample, {
      added: [{ key: id('5') }],
      updated: [
        {
          key: id('2'),
          differences: [
            { column: 'label', before: 'two', after: 'TWO' },
            { column: 'age', before: '20', after: null },
          ],
        },
        { key: id('4'), differences: [{ column: 'age', before: null, after: '40' }] },
      ],
      removed: [{ key: id('3') }],
      gaps: [],
    });
    assert.deepEqual(
      files.map(({ name, rows }) => [name, rows]),
      [
        ['out_added.csv', 1],
        ['out_updated.csv', 2],
        ['out_removed.csv', 1],
      ],
    );
  }));

test('where the baseline keeps hashes alone a plan says what it cannot know', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = exporter.activation({ runType: 'full_then_delta', syncMode: 'upsert' });
    await exporter.run(activation);
    await exporter.database.sql(CHANGES);
    const { sample, counts } = await plan(activation);
    assert.deepEqual([counts.updated, counts.removed], [2, 1]);
    assert.deepEqual(
      sample.updated,
      ['2', '4'].map(value => ({ key: [{ column: 'id', value }] })),
    );
    assert.deepEqual(sample.removed, []);
    assert.match(
      sample.gaps.join('; '),
      /which columns .* syncMode upsert .*; which rows are removed .* syncMode upsert/,
    );
  }));

test('a sample of many rows and long values is cut, and rows is how many are shown of each change', () =>
  withExporter(async exporter => {
    await exporter.database.sql(
      `create table t as select g as id, repeat('x', 3000) as long from generate_series(1, 300) g`,
    );
    const activation = exporter.activation({ runType: 'full_only', primaryKey: [] });
    const { sample, counts } = await plan(activation, { rows: 100 });
    assert.equal(counts.added, 300);
    assert.equal(sample.added.length, 100);
    // Without a key every field that is written is shown.
    assert.deepEqual(sample.added[0]!.key, [
      { column: 'id', value: '1' },
      { column: 'long', value: `${'x'.repeat(512)}… (3000 bytes)` },
    ]);
    assert.equal((await plan(activation, { rows: 3 })).sample.added.length, 3);
  }));

test('compressed files are said to be estimates', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const estimated = async (format: object): Promise<boolean> =>
      (await plan(exporter.activation({ format }))).estimated;
    assert.equal(await estimated({ type: 'csv' }), false);
    assert.equal(await estimated({ type: 'csv', compression: 'gzip' }), true);
    assert.equal(await estimated({ type: 'parquet' }), true);
    assert.equal(await estimated({ type: 'parquet', compression: 'none' }), false);
  }));

test('a plan waits for a decided run to be finished, and finishes none', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = exporter.activation({ runType: 'full_then_delta', syncMode: 'upsert' });
    const broken = await exporter.run(activation, {
      intercept: parts => ({
        ...parts,
        store: Object.assign(Object.create(parts.store), {
          head: (name: string) => parts.store.head(name),
          stageBlock: (...args: Parameters<typeof parts.store.stageBlock>) => parts.store.stageBlock(...args),
          getBlob: (name: string) => parts.store.getBlob(name),
          commitBlocks: () => Promise.reject(new Error('the line is cut')),
        }),
      }),
    });
    assert.equal(broken.record.state, 'failed');
    await assert.rejects(plan(activation), (error: Error & { code: string; exitCode: number }) => {
      assert.match(error.message, /exported cannot be planned: run .* is decided and not finished/);
      assert.deepEqual([error.code, error.exitCode], ['STATE_STALE', 75]);
      return true;
    });
    assert.deepEqual(await exporter.files(), []);
    assert.equal((await exporter.run(activation)).recovered.length, 1);
    assert.equal((await plan(activation)).outcome, 'nothing');
  }));

test('a first plan leaves no data directory behind', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = exporter.activation({ runType: 'full_then_delta', syncMode: 'upsert' });
    await plan(activation);
    assert.deepEqual(await readdir(exporter.dataDirectory), []);
    await assert.rejects(readdir(activationFolder(exporter.dataDirectory, 'exported')), /ENOENT/);
  }));

test('a held run keeps the rows that it would have published in its record', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const settings = { runType: 'full_then_delta', warnings: { removedRowsOver: '10%' } };
    const activation = exporter.activation({ ...settings, syncMode: 'difference' });
    await exporter.run(activation);
    await exporter.database.sql(CHANGES);
    const { record } = await exporter.run(activation);
    assert.equal(record.state, 'held');
    const { added = [], updated = [], removed = [] } = record.sample ?? {};
    assert.deepEqual([added.length, updated.length, removed.length], [1, 2, 1]);
    assert.deepEqual(removed, [{ key: [{ column: 'id', value: '3' }] }]);
    const kept = await readFile(
      join(activationFolder(exporter.dataDirectory, 'exported'), 'history', `${record.run}.json`),
      'utf8',
    );
    assert.deepEqual(JSON.parse(kept).sample, record.sample);
    const allowed = await exporter.run(activation, { allowRemovals: true });
    assert.equal(allowed.record.state, 'succeeded');
    assert.equal(allowed.record.sample, undefined);
  }));

test('secrets are taken out of sampled values before those are cut', () =>
  withExporter(async exporter => {
    await exporter.database.sql(
      `create table t as select 1 as id, repeat('x', 508) || 'hunter22-secret' as note`,
    );
    const activation = exporter.activation({ runType: 'full_only', primaryKey: [] });
    const clean = (text: string): string => text.replaceAll('hunter22-secret', '***');
    const { sample } = await plan(activation, { clean });
    assert.equal(sample.added[0]!.key[1]!.value, `${'x'.repeat(508)}***… (523 bytes)`);
  }));
