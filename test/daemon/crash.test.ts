import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { Oracle } from '../faults/oracle.ts';
import { SourceHistory } from '../faults/source-history.ts';
import { Random } from '../simulation/random.ts';
import { everyNth } from '../support/all-cases.ts';
import { getAzurite } from '../support/azurite.ts';
import { type BlobProxy, type BlobRequest, startBlobProxy } from '../support/blob-proxy.ts';
import { getPostgres } from '../support/postgres.ts';
import { lakeBehind, ServeProcess, writeConfig } from './support/serve-process.ts';

const ACTIVATION = 'checked';

/**
 * An export of changes that a daemon serves, and the oracle that folds what it has
 * published.
 */
async function openServed() {
  const [postgres, azurite] = await Promise.all([getPostgres(), getAzurite()]);
  const database = await postgres.createDatabase();
  const container = await azurite.createContainer();
  const source = await SourceHistory.create(database, 12);
  const blobs = await startBlobProxy(container.accountUrl);
  const folder = await mkdtemp(join(tmpdir(), 'sluice-served-'));
  const dataDirectory = join(folder, 'data');
  await writeConfig(folder, {
    version: 1,
    dataDirectory,
    sources: { db: { type: 'postgres', url: database.url } },
    destinations: { lake: lakeBehind(blobs, container) },
    models: { m: { source: 'db', sql: 'select id, name from t', primaryKey: ['id'] } },
    activations: {
      [ACTIVATION]: {
        model: 'm',
        destination: 'lake',
        // Each run has files of its own, so that the oracle can read all of them when it
        // comes.
        fileName: 'out-{run}',
        format: { type: 'csv' },
        runType: 'full_then_delta',
        syncMode: 'difference',
      },
    },
    daemon: { retry: { attempts: 5, minDelay: '50ms', maxDelay: '200ms' }, gracePeriod: '20s' },
  });
  const oracle = new Oracle({
    activation: ACTIVATION,
    syncMode: 'difference',
    runType: 'full_then_delta',
    container,
    source,
    dataDirectory,
    secrets: [container.accountKey],
  });
  const close = async (): Promise<void> => {
    await blobs.close();
    await Promise.all([database.drop(), container.drop()]);
    await rm(folder, { recursive: true, force: true });
  };
  return { folder, source, blobs, oracle, close };
}

interface Moment {
  readonly name: string;
  /**
   * The request that the daemon is killed at; without it, it is killed as soon as all
   * runs are accepted.
   */
  readonly at?: (request: BlobRequest) => boolean;
}

const MOMENTS: readonly Moment[] = [
  { name: 'with all runs queued' },
  { name: 'while blocks are staged', at: ({ comp }) => comp === 'block' },
  { name: 'while files are published', at: ({ comp }) => comp === 'blocklist' },
  { name: 'while the manifest is written', at: ({ blob = '' }) => /_sluice\/checked\/\d/.test(blob) },
  { name: 'while latest.json is written', at: ({ blob = '' }) => blob.endsWith('latest.json') },
];

/** The next request that fits. */
function nextRequest(blobs: BlobProxy, fits: (request: BlobRequest) => boolean): Promise<void> {
  return new Promise(resolve => {
    blobs.setHook(request => {
      if (request.method === 'PUT' && fits(request)) resolve();
      return undefined;
    });
  });
}

test('a daemon that is killed loses no run and makes none twice', async () => {
  const served = await openServed();
  const { folder, source, blobs, oracle } = served;
  const random = new Random(20250414);
  const runs: string[] = [];
  let daemon = await ServeProcess.start(folder);
  try {
    for (const [round, { name, at }] of everyNth(2, MOMENTS).entries()) {
      await source.change(random);
      const keys = [1, 2, 3].map(number => `round-${round}-number-${number}`);
      const there = at && nextRequest(blobs, at);
      const accepted: string[] = [];
      for (const key of keys) {
        const { status, body } = await daemon.trigger(ACTIVATION, key);
        assert.equal(status, 202, name);
        accepted.push(body.run);
      }
      await there;
      await daemon.kill();
      daemon = await ServeProcess.start(folder);
      for (const [index, key] of keys.entries()) {
        const again = await daemon.trigger(ACTIVATION, key);
        assert.equal(again.body.run, accepted[index], `${name}: the key makes another run`);
        const record = await daemon.ended(accepted[index]!);
        assert.match(record.state, /^(succeeded|recovered)$/, `${name}: ${JSON.stringify(record)}`);
      }
      runs.push(...accepted);
      await oracle.checkSettled(accepted.at(-1)!);
    }
    assert.deepEqual(
      oracle.generations.map(({ run }) => run).sort(),
      [...runs].sort(),
      'one generation a run',
    );
    const { body } = await daemon.call<{ runs: { run: string }[] }>('GET', '/v1/runs?limit=100');
    assert.deepEqual(
      body.runs.map(({ run }) => run),
      [...runs].sort().reverse(),
    );
    assert.deepEqual((await daemon.stop()).code, 0);
  } finally {
    daemon.command.kill('SIGKILL');
    await served.close();
  }
});
