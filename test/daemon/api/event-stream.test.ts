import assert from 'node:assert/strict';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { openEventStream } from '../../../src/daemon/api/event-stream.ts';
import { HTTP_LIMITS } from '../../../src/daemon/api/limits.ts';
import type { Services } from '../../../src/daemon/api/route.ts';
import { Slots } from '../../../src/daemon/api/slots.ts';
import type { RunRecord } from '../../../src/history/run-record.ts';
import { MemoryOperations } from './support/memory-operations.ts';
import type { OpenApiClient } from './support/openapi-client.ts';
import { RawConnection } from './support/raw-http.ts';
import { Served } from './support/served.ts';
import { eventsOf, type ServerSentEvent } from './support/server-sent-events.ts';
import { soon, until } from './support/soon.ts';

let served: Served;
let client: OpenApiClient;

before(async () => {
  served = await Served.start({
    limits: { keepAliveCommentMs: 50, eventStreams: 5, eventBacklogBytes: 200_000 },
  });
  client = await served.client();
});
after(() => served.dispose());

async function newRun(name = 'customers'): Promise<string> {
  return (await client.call<RunRecord>('triggerRun', { path: { name } })).body.run;
}

const open = (run: string, headers: Record<string, string> = {}, signal?: AbortSignal) =>
  client.open('streamRunEvents', { path: { id: run }, headers, ...(signal === undefined ? {} : { signal }) });

test('a stream tells every state and progress of a run, and ends after the last', async () => {
  const run = await newRun();
  const response = await open(run);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  const seen: ServerSentEvent[] = [];
  for await (const event of eventsOf(response)) {
    client.checkEvent('streamRunEvents', event.event, event.data);
    seen.push(event);
    if (seen.length === 1) served.operations.become(run, 'reading');
    if (seen.length === 2) served.operations.progress(run, 10);
    if (seen.length === 3) served.operations.progress(run, 20);
    if (seen.length === 4) served.operations.become(run, 'publishing');
    if (seen.length === 5) served.operations.become(run, 'succeeded');
  }
  const told = seen.map(({ event, data }) => (event === 'state' ? data['state'] : data['rowsRead']));
  assert.deepEqual(told, ['queued', 'reading', 10, 20, 'publishing', 'succeeded']);
  assert.deepEqual(
    seen.map(({ id }) => id),
    ['1', '2', '3', '4', '5', 'end'],
  );
  assert.equal(served.operations.listenersOf(run), 0);
});

test('a stream of a run that has ended tells its state and ends', async () => {
  const run = await newRun();
  served.operations.become(run, 'failed');
  const seen: unknown[] = [];
  for await (const { event, data } of eventsOf(await open(run))) seen.push([event, data['state']]);
  assert.deepEqual(seen, [['state', 'failed']]);
});

test('Last-Event-ID does no harm, and that of the last event stops who reads again', async () => {
  const run = await newRun();
  const going = await open(run, { 'last-event-id': 'end' });
  assert.equal(going.status, 200);
  served.operations.become(run, 'succeeded');
  for await (const { data } of eventsOf(going)) assert.ok(data['state']);
  for (const id of ['1', '999999999999999999999', 'x'.repeat(2000), '-1']) {
    const again = await open(run, { 'last-event-id': id });
    assert.equal(again.status, 200);
    await again.text();
  }
  const ended = await open(run, { 'last-event-id': 'end' });
  assert.equal(ended.status, 204);
  assert.equal(served.operations.listenersOf(run), 0);
});

/**
 * A server of its own, whose run goes on to another state after it was read, and before
 * that is told.
 */
async function withOvertaken(
  state: RunRecord['state'],
  act: (own: Served, run: string) => Promise<void>,
): Promise<void> {
  const own = await Served.start({ limits: { eventStreams: 1 } });
  try {
    const { record } = await own.operations.trigger({ activation: 'customers', trigger: 'http' });
    const read = own.operations.run.bind(own.operations);
    own.operations.run = async id => {
      const before = await read(id);
      own.operations.become(id, state);
      return before;
    };
    await act(own, record.run);
  } finally {
    await own.dispose();
  }
}

test('a change that comes while a stream is opened is its first event', () =>
  withOvertaken('reading', async (own, run) => {
    const events = eventsOf(await (await own.client()).open('streamRunEvents', { path: { id: run } }));
    const first = await events.next();
    assert.equal((first.value as ServerSentEvent).data['state'], 'reading');
    own.operations.become(run, 'succeeded');
    const last = await events.next();
    assert.equal((last.value as ServerSentEvent).id, 'end');
    assert.equal((await events.next()).done, true);
  }));

test('an end that comes while a stream is opened is told, or stops who has seen it', () =>
  withOvertaken('succeeded', async (own, run) => {
    const api = await own.client();
    const seen: unknown[] = [];
    for await (const { id, data } of eventsOf(await api.open('streamRunEvents', { path: { id: run } })))
      seen.push([id, data['state']]);
    assert.deepEqual(seen, [['end', 'succeeded']]);
    const headers = { 'last-event-id': 'end' };
    const again = await api.open('streamRunEvents', { path: { id: run }, headers });
    assert.equal(again.status, 204);
  }));

test('a reader that is gone before its stream begins holds nothing', async () => {
  const operations = new MemoryOperations('customers');
  const { run } = (await operations.trigger({ activation: 'customers', trigger: 'http' })).record;
  const eventStreams = new Slots('event streams', 1);
  const services = { operations, eventStreams, limits: HTTP_LIMITS, toJson: JSON.stringify };
  const { stream } = await openEventStream({
    id: run,
    signal: AbortSignal.abort(),
    services: services as unknown as Services,
  });
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  stream(response);
  assert.equal(response.writableEnded, true);
  assert.equal(operations.listenersOf(run), 0);
  eventStreams.take();
});

test('a stream of no run is a plain failure', async () => {
  // More often than there may be streams: none of them holds a place.
  for (let count = 0; count < 6; count++) {
    const { status } = await client.call('streamRunEvents', { path: { id: '20250414-070000-123-k3f9ab' } });
    assert.equal(status, 404);
  }
  const head = await fetch(`${served.url}/v1/runs/20250414-070000-123-k3f9ab/events`, { method: 'HEAD' });
  assert.equal(head.status, 405);
});

test('comments show that the stream lives while nothing happens', async () => {
  const run = await newRun();
  const connection = await RawConnection.open(served.port);
  connection.write(`GET /v1/runs/${run}/events HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  const text = await soon(connection.until(': alive\n\n'), 'a comment comes');
  assert.match(text, /event: state\nid: 1\ndata: \{.*\}\n\n/);
  connection.destroy();
  await noListeners(run);
});

test('streams are bounded in number, and a place is free again when one ends', async () => {
  const run = await newRun();
  const leaving = new AbortController();
  const streams = await Promise.all(
    Array.from({ length: 5 }, (_, index) => open(run, {}, index === 0 ? leaving.signal : undefined)),
  );
  const { status, headers, body } = await client.call<{ error: { code: string } }>('streamRunEvents', {
    path: { id: run },
  });
  assert.deepEqual([status, body.error.code, headers.get('retry-after')], [429, 'TOO_MANY_REQUESTS', '5']);
  leaving.abort();
  await until(() => served.operations.listenersOf(run) < 5, 'one that leaves is let go');
  const next = await open(run);
  assert.equal(next.status, 200);
  served.operations.become(run, 'succeeded');
  await Promise.all([...streams.slice(1), next].map(stream => stream.text()));
  await noListeners(run);
});

/**
 * A reader that has read the first event of the run, and goes on reading until it is told
 * not to.
 */
async function rawReader(port: number, run: string): Promise<RawConnection> {
  const connection = await RawConnection.open(port);
  connection.write(`GET /v1/runs/${run}/events HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await connection.until('id: 1');
  return connection;
}

/**
 * As many states as it takes to drop a reader that does not read, while another reads;
 * resolves with their number.
 */
async function statesUntilDropped(own: Served): Promise<number> {
  const api = await own.client();
  const { run } = (await api.call<RunRecord>('triggerRun', { path: { name: 'customers' } })).body;
  const slow = await rawReader(own.port, run);
  slow.socket.pause();
  const reader = eventsOf(await api.open('streamRunEvents', { path: { id: run } }));
  await reader.next();
  const files = Array.from({ length: 2000 }, (_, index) => ({
    name: `customers_part${index}.csv`,
    part: index + 1,
    rows: 1,
    bytes: 1,
    md5: 'x'.repeat(32),
    sha256: 'x'.repeat(64),
  }));
  let told = 0;
  while (own.operations.listenersOf(run) === 2) {
    own.operations.become(run, 'publishing', { files });
    const { value } = (await reader.next()) as { value: ServerSentEvent };
    assert.equal((value.data['files'] as unknown[]).length, 2000);
    assert.ok(++told < 500, 'nobody was dropped');
  }
  own.operations.become(run, 'succeeded');
  const last = (await reader.next()) as { value: ServerSentEvent };
  assert.equal(last.value.data['state'], 'succeeded');
  await soon(slow.closed(), 'the slow reader is dropped');
  return told;
}

test('a reader for whom too much waits is dropped, and one that reads is not held up by it', async () => {
  const own = await Served.start({ limits: { keepAliveCommentMs: 60_000, eventBacklogBytes: 200_000 } });
  try {
    // More than one event may wait: the record of a large run alone is beyond the bound.
    assert.ok((await statesUntilDropped(own)) > 1);
  } finally {
    await own.dispose();
  }
});

test('a reader that takes nothing from one comment to the next is dropped', async () => {
  const own = await Served.start({ limits: { keepAliveCommentMs: 50, eventBacklogBytes: 1_000_000_000 } });
  try {
    await statesUntilDropped(own);
  } finally {
    await own.dispose();
  }
});

test('a reader that does not take the end of a run gives its place back soon', async () => {
  const own = await Served.start({
    limits: { keepAliveCommentMs: 50, eventBacklogBytes: 1_000_000_000, eventStreams: 1 },
  });
  try {
    const api = await own.client();
    const { run } = (await api.call<RunRecord>('triggerRun', { path: { name: 'customers' } })).body;
    const slow = await rawReader(own.port, run);
    slow.socket.pause();
    const warnings = Array.from({ length: 2000 }, () => ({
      code: 'ROWS_DROPPED' as const,
      message: 'x'.repeat(4000),
    }));
    // More than every buffer on the way holds, and at once the end: no comment comes any
    // more.
    own.operations.become(run, 'publishing', { warnings });
    own.operations.become(run, 'publishing', { warnings });
    own.operations.become(run, 'succeeded', { warnings: [] });
    await until(() => own.operations.listenersOf(run) === 0, 'the reader is dropped');
    const next = await api.open('streamRunEvents', { path: { id: run } });
    assert.equal(next.status, 200, 'the place is free');
    await next.text();
    slow.destroy();
  } finally {
    await own.dispose();
  }
});

test('of progress only the newest waits for a slow reader', async () => {
  const run = await newRun();
  const slow = await rawReader(served.port, run);
  // Far more than every buffer on the way holds, were it all kept.
  for (let rows = 1; rows <= 200_000; rows++) served.operations.progress(run, rows);
  served.operations.become(run, 'reading');
  served.operations.become(run, 'succeeded');
  const text = await soon(slow.until('id: end'), 'the last event comes');
  slow.destroy();
  const events = text.split('\n\n').filter(block => /^event: progress/m.test(block));
  assert.ok(events.length < 10_000, `${events.length} events were kept`);
  assert.match(text, /"state":"succeeded"/);
});

const noListeners = (run: string): Promise<void> =>
  until(() => served.operations.listenersOf(run) === 0, 'nobody listens to the run any more');
