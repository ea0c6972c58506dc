import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { after, before, test } from 'node:test';
import { loadConfig } from '../../../src/config/load.ts';
import type { PlanRecord } from '../../../src/daemon/operations.ts';
import { type ServingDaemon, serveDaemon } from '../../../src/daemon/serve-daemon.ts';
import type { RunRecord } from '../../../src/history/run-record.ts';
import { getAzurite, type TestContainer } from '../../support/azurite.ts';
import { getPostgres, type TestDatabase } from '../../support/postgres.ts';
import { builtProgram } from '../support/daemon-world.ts';
import { OpenApiClient } from './support/openapi-client.ts';
import { eventsOf } from './support/server-sent-events.ts';

const READ = 'read-token-0123456789';
const WRITE = 'write-token-0123456789';
const DELTA = { runType: 'full_then_delta', syncMode: 'upsert' };
/** A row a second, for as long as nobody stops it. */
const SLOW_SQL = 'select id, name, pg_sleep(1)::text as pause from t, generate_series(1, 1000) g';

interface Failed {
  readonly error: { readonly code: string; readonly message: string };
}
interface Status {
  readonly name: string;
  readonly paused?: { readonly by: string; readonly reason: string };
  readonly lastRun?: RunRecord;
  readonly queued: readonly string[];
}

let database: TestDatabase;
let container: TestContainer;
let folder: string;
let serving: ServingDaemon;
let client: OpenApiClient;
let logged = '';

before(async () => {
  const [postgres, azurite] = await Promise.all([getPostgres(), getAzurite()]);
  database = await postgres.createDatabase();
  await database.sql(
    `create table t (id int primary key, name text); insert into t select i, 'name ' || i from generate_series(1, 5) i`,
  );
  container = await azurite.createContainer();
  folder = await mkdtemp(join(tmpdir(), 'sluice-life-'));
  await configure({ customers: DELTA });
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      logged += chunk.toString();
      done();
    },
  });
  serving = await serveDaemon({
    load: () => loadConfig({ path: join(folder, 'sluice.json'), environment: {} }),
    log: { format: 'json', destination },
    program: builtProgram(),
  });
  client = await OpenApiClient.connect(serving.url, WRITE);
});
after(async () => {
  await serving?.stop({ gracePeriodMs: 0 });
  await Promise.all([database.drop(), container.drop()]);
  await rm(folder, { recursive: true });
});

/** Writes the configuration file, as its owner would. */
async function configure(activations: Readonly<Record<string, object>>): Promise<void> {
  const { connectionString, container: name } = container;
  const made = Object.entries(activations).map(([name, settings]) => [
    name,
    { model: 'people', destination: 'lake', fileName: name, format: { type: 'csv' }, ...settings },
  ]);
  const config = {
    version: 1,
    dataDirectory: './data',
    sources: { db: { type: 'postgres', url: database.url } },
    destinations: { lake: { type: 'azure-blob', container: name, auth: { connectionString } } },
    models: {
      people: { source: 'db', sql: 'select id, name from t', primaryKey: ['id'] },
      slow: { source: 'db', sql: SLOW_SQL, primaryKey: ['id'] },
    },
    activations: Object.fromEntries(made),
    daemon: { port: 0, tokens: { read: [READ], write: [WRITE] } },
  };
  await writeFile(join(folder, 'sluice.json'), JSON.stringify(config));
}

async function trigger(name: string, body?: unknown, key?: string): Promise<RunRecord> {
  const answer = await client.call<RunRecord>('triggerRun', {
    path: { name },
    ...(body === undefined ? {} : { body }),
    ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
  });
  assert.equal(answer.status, 202, JSON.stringify(answer.body));
  return answer.body;
}

/** As an orchestrator waits: again and again, until the run has ended. */
async function wait(id: string): Promise<RunRecord> {
  for (;;) {
    const { status, body } = await client.call<RunRecord>('getRun', { path: { id }, query: { wait: '30s' } });
    assert.equal(status, 200);
    if (body.endedAt !== undefined) return body;
  }
}

const lines = async (name: string): Promise<string[]> =>
  (await container.download(name)).toString().trimEnd().split('\n').slice(1).sort();

test('an activation is seen, checked and tried before it is run', async () => {
  const list = await client.call<{ activations: Status[] }>('listActivations');
  assert.deepEqual(
    list.body.activations.map(({ name }) => name),
    ['customers'],
  );
  const path = { name: 'customers' };
  assert.equal((await client.call<Status>('getActivation', { path })).body.lastRun, undefined);
  const validation = await client.call<{ passed: boolean; names: string[] }>('validateActivation', { path });
  assert.deepEqual([validation.body.passed, validation.body.names], [true, ['customers.csv']]);
  const { plan } = (await client.call<PlanRecord>('planActivation', { path, body: { rows: 2 } })).body;
  const planned = await client.call<PlanRecord>('getPlan', { path: { id: plan }, query: { wait: '60s' } });
  assert.equal(planned.body.result?.outcome, 'changes', JSON.stringify(planned.body));
  const preview = await client.call('previewActivation', { path, query: { rows: 2 } });
  assert.equal(preview.status, 200);
  assert.equal((preview.body['rows'] as unknown[]).length, 2);
  assert.equal(preview.body['complete'], false);
});

test('a run that is triggered twice with one key is made once, and followed to its end', async () => {
  const first = await trigger('customers', {}, 'dag-2025-04-14');
  const stream = await client.open('streamRunEvents', { path: { id: first.run } });
  const events = await stream.text();
  client.check('streamRunEvents', stream.status, stream.headers, events);
  const again = await trigger('customers', {}, 'dag-2025-04-14');
  assert.equal(again.run, first.run);
  const states: string[] = [];
  for (const block of events.split('\n\n')) {
    const name = /^event: (.+)$/m.exec(block)?.[1];
    const data = /^data: (.+)$/m.exec(block)?.[1];
    if (name === undefined || data === undefined) continue;
    const value = JSON.parse(data) as RunRecord;
    client.checkEvent('streamRunEvents', name, value);
    if (name === 'state') states.push(value.state);
  }
  assert.equal(states.at(-1), 'succeeded');
  const done = await wait(first.run);
  assert.deepEqual([done.state, done.counts.read, done.counts.written, done.attempt], ['succeeded', 5, 5, 1]);
  assert.deepEqual(
    await lines('customers.csv'),
    [1, 2, 3, 4, 5].map(id => `${id},name ${id}`),
  );
});

test('the next run writes what has changed', async () => {
  await database.sql(`update t set name = 'new' where id = 2; insert into t values (6, 'six')`);
  const done = await wait((await trigger('customers')).run);
  assert.deepEqual([done.state, done.counts.added, done.counts.updated], ['succeeded', 1, 1]);
  assert.deepEqual(await lines('customers.csv'), ['2,new', '6,six']);
  const full = await wait((await trigger('customers', { full: true })).run);
  assert.equal(full.full, true);
  assert.equal((await lines('customers.csv')).length, 6);
});

test('a run from a source that is suddenly empty is held, until removals are allowed', async () => {
  await database.sql('create table kept as table t; truncate t');
  const held = await wait((await trigger('customers')).run);
  assert.equal(held.state, 'held');
  assert.equal((await lines('customers.csv')).length, 6);
  const allowed = await wait((await trigger('customers', { allowRemovals: true })).run);
  assert.deepEqual([allowed.state, allowed.counts.removed], ['succeeded', 6]);
  await database.sql('insert into t table kept');
  assert.equal((await wait((await trigger('customers')).run)).counts.added, 6);
});

test('a reload takes new activations, and refuses a bad file with every problem in it', async () => {
  await configure({ customers: DELTA, orders: {}, slow: { model: 'slow', mapping: ['id', 'name'] } });
  const { status, body } = await client.call('reload');
  assert.equal(status, 200);
  assert.deepEqual(body, {
    added: ['orders', 'slow'],
    removed: [],
    changed: [],
    settings: [],
    needsRestart: [],
  });
  assert.equal((await wait((await trigger('orders')).run)).state, 'succeeded');
  assert.equal((await lines('orders.csv')).length, 6);

  await configure({ customers: { ...DELTA, format: { type: 'csvv' } }, orders: { destination: 'nowhere' } });
  const refused = await client.call<Failed>('reload');
  assert.deepEqual([refused.status, refused.body.error.code], [422, 'CONFIG_INVALID']);
  assert.match(refused.body.error.message, /csvv[\s\S]*nowhere|nowhere[\s\S]*csvv/);
  assert.equal((await wait((await trigger('orders')).run)).state, 'succeeded');
});

test('a run that is under way is cancelled and publishes nothing', async () => {
  const { run } = await trigger('slow');
  const stop = new AbortController();
  const events = await client.open('streamRunEvents', { path: { id: run }, signal: stop.signal });
  let told = '';
  for await (const chunk of events.body!.pipeThrough(new TextDecoderStream())) {
    told += chunk;
    if (told.includes('event: progress')) break;
  }
  stop.abort();
  const cancelling = await client.call<RunRecord>('cancelRun', { path: { id: run } });
  assert.equal(cancelling.status, 200);
  assert.equal((await wait(run)).state, 'cancelled');
  assert.ok(!(await container.list()).some(name => name.startsWith('slow')));
  assert.equal((await client.call<RunRecord>('cancelRun', { path: { id: run } })).body.state, 'cancelled');
});

test('a paused activation takes no run until it is resumed', async () => {
  const path = { name: 'orders' };
  const paused = await client.call<Status>('pauseActivation', {
    path,
    body: { reason: 'the warehouse moves' },
  });
  assert.deepEqual([paused.body.paused?.by, paused.body.paused?.reason], ['user', 'the warehouse moves']);
  const refused = await client.call<Failed>('triggerRun', { path });
  assert.deepEqual([refused.status, refused.body.error.code], [409, 'ACTIVATION_PAUSED']);
  assert.equal((await client.call<Status>('resumeActivation', { path })).body.paused, undefined);
  assert.equal((await wait((await trigger('orders')).run)).state, 'succeeded');
});

test('the history tells everything that was run, by activation and state', async () => {
  interface Page {
    readonly runs: readonly RunRecord[];
    readonly more: boolean;
    readonly next?: string;
  }
  const all: RunRecord[] = [];
  for (let before: string | undefined; ; ) {
    const query = { limit: 4, ...(before === undefined ? {} : { before }) };
    const { body } = await client.call<Page>('listRuns', { query });
    all.push(...body.runs);
    if (!body.more) break;
    before = body.next;
  }
  const of = (activation: string): string[] =>
    all.filter(run => run.activation === activation).map(({ state }) => state);
  assert.deepEqual(of('customers'), [
    'succeeded',
    'succeeded',
    'held',
    'succeeded',
    'succeeded',
    'succeeded',
  ]);
  assert.deepEqual(of('orders'), ['succeeded', 'succeeded', 'succeeded']);
  assert.deepEqual(of('slow'), ['cancelled']);
  const ids = all.map(({ run }) => run);
  assert.deepEqual(ids, [...ids].sort().reverse());
  const held = await client.call<Page>('listRuns', {
    query: { state: ['held', 'cancelled'], activation: 'customers' },
  });
  assert.deepEqual(
    held.body.runs.map(({ state }) => state),
    ['held'],
  );
});

test('names that JavaScript knows are no activations', async () => {
  for (const name of ['constructor', 'toString', 'hasOwnProperty', 'nobody']) {
    for (const operationId of [
      'getActivation',
      'triggerRun',
      'validateActivation',
      'previewActivation',
      'pauseActivation',
      'resumeActivation',
    ]) {
      const { status, body } = await client.call<Failed>(operationId, { path: { name } });
      assert.deepEqual([status, body.error.code], [404, 'NAME_UNKNOWN'], `${operationId} ${name}`);
    }
  }
  for (const operationId of ['getRun', 'cancelRun', 'streamRunEvents']) {
    const { status, body } = await client.call<Failed>(operationId, {
      path: { id: '20250414-070000-123-k3f9ab' },
    });
    assert.deepEqual([status, body.error.code], [404, 'RUN_UNKNOWN'], operationId);
  }
  const waited = await client.call('getRun', {
    path: { id: '20250414-070000-123-k3f9ab' },
    query: { wait: '30s' },
  });
  assert.equal(waited.status, 404);
});

test('metrics, health and audit tell the same story, and nothing tells a secret', async () => {
  assert.equal((await client.as(READ).call('getMetrics')).status, 200);
  const metrics = (await client.call<string>('getMetrics')).body;
  assert.match(metrics, /^sluice_\w+\{[^}]*activation="customers"[^}]*\} \d/m);
  assert.equal((await client.call('getHealth')).status, 200);
  const ready = await client.call('getReadiness');
  assert.deepEqual([ready.status, ready.body['state'], ready.body['running']], [200, 'ready', 0]);
  assert.equal((await client.as(READ).call('triggerRun', { path: { name: 'orders' } })).status, 403);
  await client.call('getOpenApi');

  const audit = await readFile(join(folder, 'data', 'daemon', 'audit.ndjson'), 'utf8');
  const operations = audit
    .trimEnd()
    .split('\n')
    .map(line => (JSON.parse(line) as { operation: string }).operation);
  const counted = (operation: string): number => operations.filter(name => name === operation).length;
  assert.deepEqual(['reload', 'cancelRun', 'pauseActivation', 'resumeActivation'].map(counted), [2, 3, 5, 5]);
  const { accountKey } = container;
  const password = new URL(database.url).password;
  for (const secret of [READ, WRITE, accountKey, ...(password === '' ? [] : [password])]) {
    assert.ok(!audit.includes(secret) && !logged.includes(secret), 'a secret is in the log');
  }
});

test('who looks is told who they are, what is configured, and what changes', async () => {
  const me = await client.as(READ).call('getMe');
  assert.deepEqual([me.body['may'], me.body['tokensRequired']], ['read', true]);
  assert.equal((await client.call('getMe')).body['may'], 'write');
  const path = { name: 'customers' };
  const configured = await client.call('getActivationConfiguration', { path });
  assert.equal(configured.body['url'], `${container.accountUrl}/${container.container}/`);

  const stop = new AbortController();
  const stream = await client.open('streamChanges', { signal: stop.signal });
  await client.call('pauseActivation', { path });
  for await (const { event, data } of eventsOf(stream)) {
    client.check('streamChanges', stream.status, stream.headers, '');
    client.checkEvent('streamChanges', event, data);
    assert.deepEqual([event, data['name']], ['activation', 'customers']);
    break;
  }
  stop.abort();
  await client.call('resumeActivation', { path });
});

test('every operation of the document was used for it, with success', () => {
  const used = new Set(
    [...client.checked].filter(answer => / 2\d\d$/.test(answer)).map(answer => answer.split(' ')[0]),
  );
  assert.deepEqual(
    client.operationIds.filter(id => !used.has(id)),
    [],
  );
});
