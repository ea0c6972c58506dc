import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { type ServingDaemon, serveDaemon } from '../../src/daemon/serve-daemon.ts';
import { EXIT } from '../../src/errors.ts';
import type { RunRecord } from '../../src/history/run-record.ts';
import { builtProgram, SLOW } from '../daemon/support/daemon-world.ts';
import { everyNth } from '../support/all-cases.ts';
import { getAzurite, type TestContainer } from '../support/azurite.ts';
import { getPostgres, type TestDatabase } from '../support/postgres.ts';
import {
  ORCHESTRATOR_CLIENTS,
  type Outcome,
  type StartedClient,
  startClient,
} from './support/orchestrator-clients.ts';

/**
 * The clients of docs/orchestrators, as their users run them, against a daemon as it is
 * served.
 */

const TOKEN = 'a-token-of-the-orchestrator';

let database: TestDatabase;
let container: TestContainer;
let folder: string;
let serving: ServingDaemon;

before(async () => {
  const [postgres, azurite] = await Promise.all([getPostgres(), getAzurite()]);
  database = await postgres.createDatabase();
  container = await azurite.createContainer();
  folder = await mkdtemp(join(tmpdir(), 'sluice-orchestrators-'));
  await database.sql(
    'create table t (id int primary key, name text); insert into t select generate_series(1, 7)',
  );
  await database.sql('create table shrinking (id int primary key); insert into shrinking values (1), (2)');
  const activation = { destination: 'lake', format: { type: 'csv' } };
  const config = {
    version: 1,
    dataDirectory: './data',
    daemon: { port: 0, tokens: { write: [TOKEN] }, retry: { attempts: 1 } },
    sources: {
      db: { type: 'postgres', url: database.url },
      gone: { type: 'postgres', url: 'postgresql://nobody@127.0.0.1:1/none' },
    },
    destinations: {
      lake: {
        type: 'azure-blob',
        container: container.container,
        auth: { connectionString: container.connectionString },
      },
    },
    models: {
      all: { source: 'db', sql: 'select id from t', primaryKey: ['id'] },
      wrong: { source: 'db', sql: 'select id from nowhere', primaryKey: ['id'] },
      slow: { source: 'db', sql: SLOW['sql'], primaryKey: ['id'] },
      fixed: { source: 'db', sql: 'select id from fixed', primaryKey: ['id'] },
      unreachable: { source: 'gone', sql: 'select 1 as id', primaryKey: ['id'] },
      shrinking: { source: 'db', sql: 'select id from shrinking', primaryKey: ['id'] },
    },
    activations: {
      all: { ...activation, model: 'all', fileName: 'all/{run}' },
      wrong: { ...activation, model: 'wrong', fileName: 'wrong' },
      slow: { ...activation, model: 'slow', mapping: SLOW['mapping'], fileName: 'slow/{run}' },
      fixed: { ...activation, model: 'fixed', fileName: 'fixed/{run}' },
      unreachable: { ...activation, model: 'unreachable', fileName: 'unreachable' },
      shrinking: {
        ...activation,
        model: 'shrinking',
        fileName: 'shrinking',
        runType: 'full_then_delta',
        syncMode: 'upsert',
      },
    },
  };
  await writeFile(join(folder, 'sluice.json'), JSON.stringify(config));
  serving = await serveDaemon({
    load: () => loadConfig({ path: join(folder, 'sluice.json'), environment: {} }),
    log: { format: 'json', destination: new Writable({ write: (_chunk, _encoding, done) => done() }) },
    program: builtProgram(),
  });
});
after(async () => {
  await serving?.stop({ gracePeriodMs: 0 });
  await Promise.all([database.drop(), container.drop()]);
  await rm(folder, { recursive: true });
});

/** The keys of the runs that keys of that beginning made, in the order of the runs. */
async function keysOf(activation: string, start: string): Promise<readonly string[]> {
  const { records } = await serving.operations.runs({ activation, limit: 200 });
  const keys = records.map(({ idempotencyKey = '' }) => idempotencyKey);
  return keys.filter(key => key.startsWith(start)).reverse();
}

for (const client of everyNth(2, ORCHESTRATOR_CLIENTS)) {
  const { name, skip } = client;

  describe(name, { skip }, () => {
    const start = (
      activation: string,
      key: string,
      environment: Readonly<Record<string, string>> = {},
    ): StartedClient =>
      startClient(client, [activation, `${name}.${key}`], {
        SLUICE_URL: serving.url,
        SLUICE_TOKEN: TOKEN,
        ...environment,
      });
    const run = (...args: Parameters<typeof start>): Promise<Outcome> => start(...args).ended;

    test('waits for the end of the run, and prints its record', async () => {
      const { code, stdout } = await run('all', 'once');
      assert.equal(code, EXIT.done);
      const record = JSON.parse(stdout) as RunRecord;
      assert.equal(record.state, 'succeeded');
      assert.equal(record.counts.written, 7);
      assert.deepEqual(
        record.files.map(file => file.name),
        [`all/${record.run}.csv`],
      );
    });

    test('finds the same run again by its key, and makes another one by another key', async () => {
      const runOf = async (key: string): Promise<string> =>
        (JSON.parse((await run('all', key)).stdout) as RunRecord).run;
      const [first, second] = await Promise.all([runOf('same'), runOf('same')]);
      assert.equal(second, first);
      assert.notEqual(await runOf('other'), first);
    });

    test('tells a run that failed for good from one that is worth another try', async () => {
      const wrong = await run('wrong', 'wrong');
      assert.equal(wrong.code, EXIT.failed);
      assert.match(wrong.stderr, /SOURCE_QUERY_INVALID: .*nowhere/);
      const unreachable = await run('unreachable', 'unreachable');
      assert.equal(unreachable.code, EXIT.retry);
      assert.match(unreachable.stderr, /SOURCE_CONNECT_FAILED/);
    });

    test('tells of a run that is held, and makes another once the reason is gone', async () => {
      await database.sql('insert into shrinking values (1), (2) on conflict do nothing');
      await run('shrinking', 'full');
      await database.sql('delete from shrinking');
      assert.equal((await run('shrinking', 'emptied')).code, EXIT.held);
      await database.sql('insert into shrinking values (1), (2)');
      assert.equal((await run('shrinking', 'emptied')).code, EXIT.done);
    });

    test('makes another run when it is started again after one that failed, and none after one that succeeded', async () => {
      await database.sql('drop table if exists fixed');
      const failed = await run('fixed', 'task');
      assert.equal(failed.code, EXIT.failed);
      assert.match(failed.stderr, /SOURCE_QUERY_INVALID/);
      await database.sql('create table fixed (id int primary key); insert into fixed values (1)');
      const { code, stdout } = await run('fixed', 'task');
      assert.equal(code, EXIT.done);
      const record = JSON.parse(stdout) as RunRecord;
      assert.equal(record.counts.written, 1);
      const again = JSON.parse((await run('fixed', 'task')).stdout) as RunRecord;
      assert.equal(again.run, record.run);
      assert.deepEqual(await keysOf('fixed', name), [`${name}.task`, `${name}.task.2`]);
    });

    test('does not repeat a run that somebody cancelled, until it is started again', async () => {
      const first = start('slow', 'cancelled');
      await serving.operations.cancel(await first.run);
      const { code, stderr } = await first.ended;
      assert.equal(code, EXIT.cancelled, stderr);
      assert.deepEqual(await keysOf('slow', `${name}.cancelled`), [`${name}.cancelled`]);

      const second = start('slow', 'cancelled');
      const run = await second.run;
      assert.notEqual(run, await first.run);
      await serving.operations.cancel(run);
      assert.equal((await second.ended).code, EXIT.cancelled);
    });

    test('finds the run under way when it is started again after it was killed', async () => {
      const killed = start('slow', 'killed');
      const run = await killed.run;
      killed.process.kill('SIGKILL');
      await killed.ended;
      const restarted = start('slow', 'killed');
      assert.equal(await restarted.run, run);
      await serving.operations.cancel(run);
      assert.equal((await restarted.ended).code, EXIT.cancelled);
      assert.deepEqual(await keysOf('slow', `${name}.killed`), [`${name}.killed`]);
    });

    test('fails for good where a person has paused the activation', async () => {
      await serving.operations.pause('all', 'the warehouse is being moved');
      try {
        const { code, stderr } = await run('all', 'paused');
        assert.equal(code, EXIT.failed);
        assert.match(stderr, /ACTIVATION_PAUSED.*the warehouse is being moved/);
        assert.doesNotMatch(stderr, /Traceback/);
      } finally {
        await serving.operations.resume('all');
      }
    });

    test('takes a token and an address as files and people write them', async () => {
      const { code, stderr } = await run('all', 'once', {
        SLUICE_URL: `${serving.url}/`,
        SLUICE_TOKEN: `${TOKEN}\n`,
      });
      assert.equal(code, EXIT.done, stderr);
    });

    test('fails with a wrong token, and does not show the one that it has', async () => {
      const { code, stdout, stderr } = await run('all', 'stranger', { SLUICE_TOKEN: 'some-wrong-token-000' });
      assert.notEqual(code, EXIT.done);
      assert.match(stderr, /UNAUTHORIZED/);
      assert.doesNotMatch(stdout + stderr, /some-wrong-token/);
    });
  });
}
