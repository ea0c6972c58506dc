/** What runs leave behind is kept within its limits, whichever way they are made. */
import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { historyFolder } from '../../src/disk/data-directory.ts';
import { SluiceError } from '../../src/errors.ts';
import { pruneHistory } from '../../src/history/history-limits.ts';
import { newRunId } from '../../src/history/run-id.ts';
import { NO_COUNTS, type RunRecord } from '../../src/history/run-record.ts';
import { storeWith } from '../support/blob-store-with.ts';
import { type Exporter, withExporter } from '../support/exporter.ts';

const DAY = 86_400_000;
const DELTA = { runType: 'full_then_delta', syncMode: 'upsert', fileName: '{run}' };

interface Kept {
  readonly history: string[];
  readonly manifests: string[];
}

async function kept({ dataDirectory, container }: Exporter): Promise<Kept> {
  const history = await readdir(historyFolder(dataDirectory, 'exported'));
  const names = await container.list('_sluice/exported/');
  return {
    history: history.map(file => file.slice(0, -'.json'.length)).sort(),
    manifests: names.map(name => name.slice('_sluice/exported/'.length, -'.json'.length)).sort(),
  };
}

test('a run prunes the history, and manifests go by their rule once the history has forgotten their runs', () =>
  withExporter(async exporter => {
    await exporter.database.sql('create table t (id int primary key)');
    const settings = { ...DELTA, daemon: { history: { keepRuns: 2 } } };
    const runs: string[] = [];
    const run = async (own: object): Promise<void> => {
      const { record, error } = await exporter.run(exporter.activation({ ...settings, ...own }));
      assert.equal(record.state, 'succeeded', String(error));
      assert.deepEqual(record.warnings, []);
      runs.push(record.run);
    };
    for (let index = 0; index < 4; index++) await run({});
    assert.deepEqual(await kept(exporter), { history: runs.slice(-2), manifests: [...runs, 'latest'] });
    // Those that the history has are known from now on.
    await run({ manifest: { keep: 3 } });
    await run({ manifest: { keep: 3 } });
    assert.deepEqual(await kept(exporter), {
      history: runs.slice(-2),
      manifests: [...runs.slice(0, 2), ...runs.slice(-3), 'latest'],
    });
    await run({ manifest: { keep: 1 } });
    const { history, manifests } = await kept(exporter);
    assert.deepEqual(manifests.slice(2), [...history, 'latest'], 'the history wins over the rule');
    await run({ manifest: { keep: '30d' } });
    assert.equal((await kept(exporter)).manifests.length, 2 + 3 + 1);
    const { record } = await exporter.run(exporter.activation({ ...settings, manifest: { keep: '30d' } }), {
      clock: { now: () => new Date(Date.now() + 40 * DAY), sleep: async () => {} },
    });
    assert.deepEqual((await kept(exporter)).manifests.slice(2, -1), [runs.at(-1), record.run]);
  }));

test('manifests that may not be deleted are a warning, once, and the run succeeds', () =>
  withExporter(async exporter => {
    await exporter.database.sql('create table t (id int primary key)');
    const activation = exporter.activation({
      ...DELTA,
      manifest: { keep: 1 },
      daemon: { history: { keepRuns: 1 } },
    });
    let mayDelete = false;
    const codes: string[][] = [];
    for (let index = 0; index < 5; index++) {
      mayDelete = index === 4;
      const { record } = await exporter.run(activation, {
        intercept: parts => ({
          ...parts,
          store: storeWith(parts.store, {
            deleteBlob: async (name, etag) => {
              if (mayDelete) return parts.store.deleteBlob(name, etag);
              throw new SluiceError('DESTINATION_PERMISSION', `deleting ${name}: it takes delete (d)`);
            },
          }),
        }),
      });
      assert.equal(record.state, 'succeeded');
      codes.push(record.warnings.map(({ code }) => code));
    }
    assert.deepEqual(codes, [[], ['MANIFESTS_LEFT'], [], [], []]);
    const { history, manifests } = await kept(exporter);
    assert.deepEqual(manifests, [...history, 'latest']);
  }));

test('the manifest of a run that is not finished stays', () =>
  withExporter(async exporter => {
    await exporter.database.sql('create table t (id int primary key)');
    const activation = exporter.activation({
      ...DELTA,
      manifest: { keep: 1 },
      daemon: { history: { keepRuns: 1 } },
    });
    const first = await exporter.run(activation);
    const folder = join(exporter.dataDirectory, 'activations', 'exported', 'runs', first.record.run);
    const { record } = await exporter.run(activation, {
      intercept: parts => ({
        ...parts,
        journal: {
          list: async () => {
            const listed = await parts.journal.list();
            await mkdir(folder, { recursive: true });
            return listed;
          },
          create: run => parts.journal.create(run),
          write: (run, document, content) => parts.journal.write(run, document, content),
          read: (run, document) => parts.journal.read(run, document),
          path: (run, file) => parts.journal.path(run, file),
          remove: run => parts.journal.remove(run),
        },
      }),
    });
    assert.deepEqual((await kept(exporter)).manifests, [first.record.run, record.run, 'latest']);
  }));

test('a run that fails prunes the history too, and the last success stays', () =>
  withExporter(async exporter => {
    await exporter.database.sql('create table t (id int primary key)');
    const settings = { ...DELTA, daemon: { history: { keepRuns: 2 } } };
    const { record } = await exporter.run(exporter.activation(settings));
    const failing = exporter.activation({ ...settings, sql: 'select nothing from t' });
    const failed: string[] = [];
    for (let index = 0; index < 4; index++) failed.push((await exporter.run(failing)).record.run);
    assert.deepEqual((await kept(exporter)).history, [record.run, ...failed.slice(-2)]);
  }));

test('the history is pruned without reading what stays, and a record that cannot be read goes by its number', () =>
  withExporter(async ({ dataDirectory }) => {
    const folder = historyFolder(dataDirectory, 'a');
    await mkdir(folder, { recursive: true });
    const now = new Date('2026-06-30T00:00:00Z');
    const ids: string[] = [];
    for (let day = 1; day <= 20; day++) {
      const at = new Date(Date.UTC(2026, 5, day));
      ids.push(newRunId(at));
      const record: RunRecord = {
        run: ids.at(-1)!,
        activation: 'a',
        state: 'failed',
        trigger: 'command',
        runType: 'full_only',
        syncMode: 'snapshot',
        full: true,
        generation: 0,
        previousGeneration: 0,
        startedAt: at.toISOString(),
        endedAt: at.toISOString(),
        counts: NO_COUNTS,
        files: [],
        warnings: [],
      };
      const text = JSON.stringify(record);
      await writeFile(join(folder, `${ids.at(-1)}.json`), day === 2 ? '{' : text);
    }
    const left = async (): Promise<string[]> => (await readdir(folder)).map(file => file.slice(0, -5)).sort();
    await pruneHistory(folder, { keepRuns: 19, keepFor: 0 }, now);
    assert.deepEqual(await left(), ids.slice(1));
    await pruneHistory(folder, { keepRuns: 100, keepFor: 20 * DAY }, now);
    assert.deepEqual(await left(), [ids[1], ...ids.slice(9)]);
    await pruneHistory(folder, { keepRuns: 3, keepFor: 20 * DAY }, now);
    assert.deepEqual(await left(), ids.slice(-3));
  }));
