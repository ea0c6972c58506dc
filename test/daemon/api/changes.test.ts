import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { RunRecord } from '../../../src/history/run-record.ts';
import type { OpenApiClient } from './support/openapi-client.ts';
import { Served } from './support/served.ts';
import { eventsOf, type ServerSentEvent } from './support/server-sent-events.ts';
import { until } from './support/soon.ts';

const READ = 'a-token-that-may-read';
const WRITE = 'a-token-that-may-write';

let served: Served;
let client: OpenApiClient;

before(async () => {
  served = await Served.start({ title: 'production', limits: { keepAliveCommentMs: 50, eventStreams: 2 } });
  client = await served.client();
});
after(() => served.dispose());

async function newRun(name = 'customers'): Promise<string> {
  return (await client.call<RunRecord>('triggerRun', { path: { name } })).body.run;
}

/** Follows everything until `isLast` of what was seen. */
async function follow(begin: () => unknown, isLast: (event: ServerSentEvent) => boolean) {
  const stop = new AbortController();
  const response = await client.open('streamChanges', { signal: stop.signal });
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  await begin();
  const seen: ServerSentEvent[] = [];
  for await (const event of eventsOf(response)) {
    client.checkEvent('streamChanges', event.event, event.data);
    seen.push(event);
    if (isLast(event)) break;
  }
  stop.abort();
  await until(() => served.operations.listenersOfAll === 0, 'the stream is given up');
  return seen;
}

test('who follows everything is told of runs, of activations and of a reload', async () => {
  const run = await newRun();
  const steps = await follow(
    () => {
      served.operations.become(run, 'reading');
      served.operations.progress(run, 10);
    },
    ({ event }) => event === 'activation',
  );
  assert.deepEqual(
    steps.map(({ event }) => event),
    ['run', 'progress', 'activation'],
  );
  assert.equal(steps[2]!.data['running'], run);
  const ended = await follow(
    () => served.operations.become(run, 'succeeded', { files: [] }),
    ({ event, data }) => event === 'activation' && data['lastRun'] !== undefined,
  );
  assert.deepEqual((ended[1]!.data['recent'] as { run: string }[]).at(-1)!.run, run);
  for (const { data } of ended) assert.ok(!('files' in data), 'files are asked for by themselves');
  const paused = await follow(
    () => served.operations.pause('orders'),
    ({ event }) => event === 'activation',
  );
  assert.equal((paused[0]!.data['paused'] as { by: string }).by, 'user');
  await served.operations.resume('orders');
  const reloaded = await follow(
    () => served.operations.reload(),
    ({ event }) => event === 'configuration',
  );
  assert.equal(reloaded.length, 1);
});

test('of what follows closely only the newest is told', async () => {
  const run = await newRun('orders');
  const seen = await follow(
    () => {
      served.operations.become(run, 'reading');
      for (let rows = 1; rows <= 500; rows++) served.operations.progress(run, rows);
    },
    ({ event }) => event === 'progress',
  );
  assert.equal(seen.at(-1)!.data['rowsRead'], 500);
});

test('streams of changes are bounded, and give their place back', async () => {
  const stop = new AbortController();
  for (const _ of [1, 2])
    assert.equal((await client.open('streamChanges', { signal: stop.signal })).status, 200);
  assert.equal((await client.call('streamChanges')).status, 429);
  stop.abort();
  await until(() => served.operations.listenersOfAll === 0, 'both are given up');
  await follow(
    () => served.operations.pause('orders'),
    ({ event }) => event === 'activation',
  );
  await served.operations.resume('orders');
});

test('the list of activations has no files, and is not sent again while nothing has changed', async () => {
  const run = await newRun();
  const file = { name: 'a', part: 1, rows: 1, bytes: 2, md5: '', sha256: '' };
  served.operations.become(run, 'succeeded', { files: [file] });
  const { body, headers } = await client.call<{ activations: { name: string; lastRun?: object }[] }>(
    'listActivations',
  );
  const customers = body.activations.find(({ name }) => name === 'customers');
  assert.ok(customers?.lastRun && !('files' in customers.lastRun));
  const etag = { 'If-None-Match': headers.get('etag')! };
  assert.equal((await client.call('listActivations', { headers: etag })).status, 304);
  served.operations.become(await newRun(), 'failed');
  assert.equal((await client.call('listActivations', { headers: etag })).status, 200);
});

test('a caller is told what its token may, and which daemon answers', async () => {
  const open = await client.call('getMe');
  assert.deepEqual(open.body, { may: 'write', tokensRequired: false, version: '1.2.3', title: 'production' });
  const closed = await Served.start({ read: [READ], write: [WRITE] });
  try {
    const mine = async (token: string) => (await (await closed.client(token)).call('getMe')).body;
    const facts = { tokensRequired: true, version: '1.2.3' };
    assert.deepEqual(await mine(READ), { may: 'read', tokenName: 'read 1', ...facts });
    assert.deepEqual(await mine(WRITE), { may: 'write', tokenName: 'write 1', ...facts });
    assert.equal((await fetch(`${closed.url}/v1/me`)).status, 401);
  } finally {
    await closed.dispose();
  }
});
