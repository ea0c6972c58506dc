import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../src/config/load.ts';
import { type ServingDaemon, serveDaemon } from '../../src/daemon/serve-daemon.ts';
import { EXIT } from '../../src/errors.ts';
import type { RunRecord } from '../../src/run/run-record.ts';
import { builtProgram } from '../daemon/support/daemon-world.ts';
import { getAzurite, type TestContainer } from '../support/azurite.ts';
import { getPostgres, type TestDatabase } from '../support/postgres.ts';

/** The clients of docs/orchestrators, as their users run them, against a daemon as it is served. */

const EXAMPLES = fileURLToPath(new URL('../../docs/orchestrators/examples/', import.meta.url));
const TOKEN = 'a-token-of-the-orchestrator';

const CLIENTS: readonly { name: string; command: readonly string[]; needs: readonly string[] }[] = [
  { name: 'sluice_client.py', command: ['python3', `${EXAMPLES}sluice_client.py`], needs: ['python3'] },
  { name: 'run-activation.sh', command: ['sh', `${EXAMPLES}run-activation.sh`], needs: ['curl', 'jq'] },
];

let database: TestDatabase;
let container: TestContainer;
let folder: string;
let serving: ServingDaemon;

before(async () => {
  const [postgres, azurite] = await Promise.all([getPostgres(), getAzurite()]);
  database = await postgres.createDatabase();
  container = await azurite.createContainer();
  folder = await mkdtemp(join(tmpdir(), 'sluice-orchestrators-'));
  await database.sql('create table t (id int primary key); insert into t select generate_series(1, 7)');
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
      unreachable: { source: 'gone', sql: 'select 1 as id', primaryKey: ['id'] },
      shrinking: { source: 'db', sql: 'select id from shrinking', primaryKey: ['id'] },
    },
    activations: {
      all: { ...activation, model: 'all', fileName: 'all/{run}' },
      wrong: { ...activation, model: 'wrong', fileName: 'wrong' },
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

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function call(
  [program, ...args]: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const env = { ...process.env, SLUICE_URL: serving.url, SLUICE_TOKEN: TOKEN, ...environment };
  return new Promise(resolve => {
    execFile(program!, args, { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

for (const { name, command, needs } of CLIENTS) {
  const missing = needs.filter(program => spawnSync(program, ['--version']).status !== 0);
  const skip = missing.length > 0 && `${missing.join(' and ')} not found`;

  describe(name, { skip }, () => {
    const run = (activation: string, key: string, environment?: Readonly<Record<string, string>>) =>
      call([...command, activation, `${name}.${key}`], environment);

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

    test('tells of a run that is held', async () => {
      await database.sql('insert into shrinking values (1), (2) on conflict do nothing');
      await run('shrinking', 'full');
      await database.sql('delete from shrinking');
      const { code } = await run('shrinking', 'emptied');
      assert.equal(code, EXIT.held);
    });

    test('fails with a wrong token, and does not show the one that it has', async () => {
      const { code, stdout, stderr } = await run('all', 'stranger', { SLUICE_TOKEN: 'some-wrong-token-000' });
      assert.notEqual(code, EXIT.done);
      assert.match(stderr, /UNAUTHORIZED/);
      assert.doesNotMatch(stdout + stderr, /some-wrong-token/);
    });
  });
}
