/**
 * Commands with --on, against a daemon as it is served, and against servers that
 * misbehave.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { after, before, test } from 'node:test';
import { DaemonClient } from '../../src/cli/daemon-client/daemon-client.ts';
import { DaemonConnection } from '../../src/cli/daemon-client/daemon-connection.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { ActivationStatus } from '../../src/daemon/operations.ts';
import { type ServingDaemon, serveDaemon } from '../../src/daemon/serve-daemon.ts';
import type { RunRecord } from '../../src/history/run-record.ts';
import { builtProgram, SLOW } from '../daemon/support/daemon-world.ts';
import { getAzurite, type TestContainer } from '../support/azurite.ts';
import { getPostgres, type TestDatabase } from '../support/postgres.ts';
import { commandLine, type Printed } from './command-line.ts';

const TOKEN = 'a-token-for-the-command-line';

let database: TestDatabase;
let container: TestContainer;
let folder: string;
let serving: ServingDaemon;

before(async () => {
  const [postgres, azurite] = await Promise.all([getPostgres(), getAzurite()]);
  database = await postgres.createDatabase();
  container = await azurite.createContainer();
  folder = await mkdtemp(join(tmpdir(), 'sluice-on-daemon-'));
  await database.sql(
    'create table t (id int primary key, name text); insert into t select generate_series(1, 7)',
  );
  const { connectionString, container: name } = container;
  const activation = { destination: 'lake', format: { type: 'csv' } };
  const config = {
    version: 1,
    dataDirectory: './data',
    daemon: { port: 0, tokens: { write: [TOKEN] }, retry: { attempts: 1 } },
    sources: { db: { type: 'postgres', url: database.url } },
    destinations: { lake: { type: 'azure-blob', container: name, auth: { connectionString } } },
    models: {
      all: { source: 'db', sql: 'select id from t', primaryKey: ['id'] },
      wrong: { source: 'db', sql: 'select id from nowhere', primaryKey: ['id'] },
      slow: { source: 'db', sql: SLOW['sql'], primaryKey: ['id'] },
    },
    activations: {
      all: { ...activation, model: 'all', fileName: 'all/{run}', schedule: [{ cron: '0 7 * * *' }] },
      shrinking: {
        ...activation,
        model: 'all',
        fileName: 'shrinking/{run}',
        runType: 'full_then_delta',
        syncMode: 'upsert',
      },
      slow: { ...activation, model: 'slow', mapping: SLOW['mapping'], fileName: 'slow/{run}' },
      wrong: { ...activation, model: 'wrong', fileName: 'wrong' },
    },
  };
  await writeFile(join(folder, 'sluice.json'), JSON.stringify(config));
  serving = await serveDaemon({
    load: () => loadConfig({ path: join(folder, 'sluice.json'), environment: {} }),
    log: { format: 'json', destination: new Writable({ write: (_chunk, _encoding, done) => done() }) },
    program: builtProgram(),
  });
  process.env['SLUICE_TOKEN'] = `${TOKEN}\n`;
});
after(async () => {
  delete process.env['SLUICE_TOKEN'];
  await serving?.stop({ gracePeriodMs: 0 });
  await Promise.all([database.drop(), container.drop()]);
  await rm(folder, { recursive: true });
});

const on = (...args: string[]): Promise<Printed> => commandLine([...args, '--on', serving.url]);
const here = (...args: string[]): Promise<Printed> =>
  commandLine([...args, '--config', join(folder, 'sluice.json')]);

test('run --on makes a run of the daemon, waits for it, and ends as a run here would', async () => {
  const good = await on('run', 'all', '--json');
  assert.deepEqual([good.code, good.err], [0, '']);
  const [record] = good.json<RunRecord>();
  assert.deepEqual([record?.state, record?.counts.written, record?.trigger], ['succeeded', 7, 'http']);
  const shown = await on('run', 'all');
  assert.match(shown.out, /^all: succeeded in .*\n {2}read 7, written 7/);

  const wrong = await on('run', 'wrong', 'all');
  assert.equal(wrong.code, 1);
  assert.match(wrong.err, /error SOURCE_QUERY_INVALID: wrong: .*nowhere/);
  assert.match(wrong.out, /^all: succeeded/);
  const unknown = await on('run', 'alll');
  assert.equal(unknown.code, 2);
  assert.match(unknown.err, /^error NAME_UNKNOWN: alll: there is no activation "alll"; did you mean all\?/);
});

test('a run that the daemon holds has the exit code 3, and is let through with --allow-removals', async () => {
  assert.equal((await on('run', 'shrinking')).code, 0);
  await database.sql('create table kept as select * from t; delete from t');
  const held = await on('run', 'shrinking');
  assert.equal(held.code, 3);
  assert.match(held.err, /^held shrinking: .*--allow-removals/m);
  assert.equal((await on('run', 'shrinking', '--allow-removals')).code, 0);
  await database.sql('insert into t select * from kept');
});

test('runs, show and status say of the daemon what they say of its data directory', async () => {
  await on('run', 'all');
  const [remote, local] = await Promise.all([on('runs', 'all', '--json'), here('runs', 'all', '--json')]);
  assert.deepEqual(remote.json(), local.json());
  const [newest] = remote.json<RunRecord>();
  const run = newest?.run ?? '';
  assert.deepEqual((await on('show', run, '--json')).json(), [newest]);
  assert.match((await on('runs', '--limit', '1')).err, /there are older ones/);
  const paged = await on('runs', '--limit', '3', '--json');
  assert.equal(paged.json().length, 3);

  const statuses = await on('status', '--json');
  assert.deepEqual(statuses.json(), (await here('status', '--json')).json());
  const table = (await on('status')).out;
  assert.match(table, /^activation +state +last run +took +written +next +attention$/m);
  assert.match(table, /^all +succeeded +20\d\d-\d\d-\d\d \d\d:\d\d +[\d.]+ s +7 +20\d\d-\d\d-\d\d 07:00$/m);
  assert.match(table, /^slow +never run +never$/m);
  assert.match(table, /^wrong +failed .* SOURCE_QUERY_INVALID, RUN_FAILED$/m);
  const details = await on('status', 'wrong');
  assert.match(details.out, /^wrong: failed\n {2}exports +model wrong to lake as csv/);
  assert.match(details.out, /^ {2}error +SOURCE_QUERY_INVALID: .*nowhere/m);
  assert.match((await here('status', 'all')).out, /^ {2}last success {2}20\d\d-/m);
  assert.match((await here('status', 'wron')).err, /^error NAME_UNKNOWN: .*did you mean wrong\?/);
});

test('pause and resume hold an activation of the daemon, and status shows it here too', async () => {
  const paused = await on('pause', 'all', '--reason', 'load of the\u001b warehouse');
  assert.equal(paused.code, 0);
  assert.match(paused.out, /^ {2}paused +by user since 20.*: load of the\\u001b warehouse$/m);
  const refused = await on('run', 'all');
  assert.equal(refused.code, 1);
  assert.match(refused.err, /^error ACTIVATION_PAUSED: /);
  assert.match((await here('status')).out, /^all +paused .* PAUSED$/m);
  const [status] = (await on('resume', 'all', '--json')).json<ActivationStatus>();
  assert.equal(status?.paused, undefined);
  const missing = await commandLine(['pause', 'all']);
  assert.equal(missing.code, 2);
  assert.match(
    missing.err,
    /^error USAGE: required option '--on <url>' not specified; see `sluice help pause`/,
  );
});

/** `show --follow`: when it says that the run reads, and what it has printed then. */
function following(args: readonly string[]): { reading: Promise<void>; ended: Promise<Printed> } {
  let ended!: Promise<Printed>;
  const reading = new Promise<void>(resolve => {
    const onErr = (err: string): void => {
      if (/^slow: reading/m.test(err)) resolve();
    };
    ended = commandLine(['show', ...args, '--follow'], { onErr });
  });
  return { reading, ended };
}

test('show --follow waits for the end of a run, with its progress, and has its exit code', async () => {
  const { record } = await serving.operations.trigger({ activation: 'slow', trigger: 'http' });
  const followers = [
    following([record.run, '--on', serving.url]),
    following([record.run, '--config', join(folder, 'sluice.json')]),
  ];
  const silent = on('show', record.run, '--follow', '--json');
  await Promise.all(followers.map(({ reading }) => reading));
  await serving.operations.cancel(record.run);
  for (const { ended } of followers) {
    const followed = await ended;
    assert.equal(followed.code, 130);
    assert.match(followed.out, /^slow: cancelled/);
    assert.doesNotMatch(followed.err, /publishing/);
  }
  const { code, err, json } = await silent;
  assert.deepEqual([code, err, json<RunRecord>()[0]?.state], [130, '', 'cancelled']);
});

test('without the right token the message says where to put it, and no message has it', async () => {
  process.env['SLUICE_TOKEN'] = 'another-token-of-somebody';
  try {
    const { code, err, out } = await on('status');
    assert.equal(code, 1);
    assert.match(err, /^error UNAUTHORIZED: .*; set SLUICE_TOKEN to one of/);
    assert.doesNotMatch(err + out, /another-token/);
  } finally {
    process.env['SLUICE_TOKEN'] = TOKEN;
  }
});

test('a daemon that cannot be reached, and an address that is none, are said as what they are', async () => {
  for (const url of ['localhost:7345', 'ftp://localhost', 'http://user:pass@localhost', 'http://', '']) {
    const { code, err } = await commandLine(['status', '--on', url]);
    assert.equal(code, 2, url);
    assert.match(err, /^error USAGE: .*--on/);
    assert.doesNotMatch(err, /user:pass/);
  }
});

interface Misbehaving {
  readonly url: string;
  /** Method, path and key of each request. */
  readonly seen: readonly string[];
  readonly client: DaemonClient;
}

/** A server that answers each request by the next of `answers`, and then by the last. */
async function withServer(
  answers: readonly RequestListener[],
  act: (server: Misbehaving) => Promise<void>,
  patienceMs = 5_000,
): Promise<void> {
  const seen: string[] = [];
  const server: Server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers['idempotency-key'] ?? ''}`.trim());
    answers[Math.min(seen.length, answers.length) - 1]!(request, response);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const connection = new DaemonConnection(url, TOKEN, {});
  const client = new DaemonClient({ connection, signal: new AbortController().signal, patienceMs });
  try {
    await act({ url, seen, client });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const json =
  (status: number, content: unknown, headers: Readonly<Record<string, string>> = {}): RequestListener =>
  (_request, response) =>
    void response
      .writeHead(status, { 'content-type': 'application/json', ...headers })
      .end(JSON.stringify(content));
const refusing = (status: number, code: string, retryable: boolean): RequestListener =>
  json(status, { error: { code, message: 'no', hint: 'do', retryable } }, { 'retry-after': '0' });

test('what passes by itself is asked again with the same key; what does not is not', async () => {
  const run = { run: '20250414-070000-123-k3f9ab', activation: 'a', state: 'queued' };
  const lost: RequestListener = request => void request.socket.destroy();
  const answers = [lost, refusing(503, 'STARTING', true), refusing(429, 'QUEUE_FULL', true), json(202, run)];
  await withServer(answers, async ({ client, seen }) => {
    const options = { full: false, allowRemovals: false, key: 'k1' };
    assert.deepEqual(await client.trigger('a', options), run);
    assert.deepEqual(
      seen,
      Array.from({ length: 4 }, () => 'POST /v1/activations/a/runs k1'),
    );
  });
  await withServer([refusing(409, 'ACTIVATION_PAUSED', true)], async ({ client, seen }) => {
    await assert.rejects(client.run('r'), { code: 'ACTIVATION_PAUSED', retryable: true, exitCode: 75 });
    assert.equal(seen.length, 1);
  });
  await withServer(
    [refusing(503, 'STARTING', true)],
    async ({ client, seen }) => {
      await assert.rejects(client.run('r'), { code: 'STARTING', exitCode: 75 });
      assert.ok(seen.length >= 1);
    },
    -1,
  );
});

test('a redirect is not followed, and what is not a daemon is said to be none', async () => {
  await withServer([json(302, {}, { location: '/elsewhere' })], async ({ client, seen }) => {
    await assert.rejects(client.run('r'), { code: 'DAEMON_ANSWER_INVALID', exitCode: 1 });
    assert.equal(seen.length, 1);
  });
  const page: RequestListener = (_request, response) => void response.end('<html>It works</html>');
  await withServer([page], async ({ client, url }) => {
    await assert.rejects(client.activations(), {
      code: 'DAEMON_ANSWER_INVALID',
      message: `${url} does not answer as a Sluice daemon: <html>It works</html>`,
    });
  });
  const { url } = await new Promise<{ url: string }>(resolve => {
    void withServer([page], async server => resolve(server));
  });
  const connection = new DaemonConnection(url, '', {});
  const client = new DaemonClient({ connection, signal: new AbortController().signal, patienceMs: -1 });
  await assert.rejects(client.run('r'), { code: 'DAEMON_CONNECT_FAILED', exitCode: 75 });
});
