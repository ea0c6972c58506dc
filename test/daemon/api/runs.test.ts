import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { SluiceError } from '../../../src/errors.ts';
import type { RunRecord } from '../../../src/history/run-record.ts';
import type { OpenApiClient } from './support/openapi-client.ts';
import { Served } from './support/served.ts';
import { until } from './support/soon.ts';

let served: Served;
let client: OpenApiClient;

interface ErrorBody {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly hint: string;
    readonly retryable: boolean;
  };
}
interface Page {
  readonly runs: readonly RunRecord[];
  readonly more: boolean;
  readonly next?: string;
}

const trigger = (input: { key?: string; body?: unknown; name?: string } = {}) =>
  client.call<RunRecord & ErrorBody>('triggerRun', {
    path: { name: input.name ?? 'customers' },
    ...(input.key === undefined ? {} : { headers: { 'idempotency-key': input.key } }),
    ...(input.body === undefined ? {} : { body: input.body }),
  });

before(async () => {
  served = await Served.start();
  client = await served.client();
});
after(() => served.dispose());
beforeEach(() => served.operations.failures.clear());

test('a trigger is answered with 202, the queued run and its place', async () => {
  const { status, headers, body } = await trigger({ body: { full: true, allowRemovals: true } });
  assert.equal(status, 202);
  assert.equal(body.state, 'queued');
  assert.equal(body.trigger, 'http');
  assert.deepEqual(body.asked, { full: true, allowRemovals: true });
  assert.equal(headers.get('location'), `/v1/runs/${body.run}`);
  assert.equal(headers.get('idempotency-replayed'), 'false');
  const found = await fetch(new URL(headers.get('location')!, served.url));
  assert.deepEqual(await found.json(), body);
});

test('a trigger may have an empty body, whatever its media type', async () => {
  const url = `${served.url}/v1/activations/customers/runs`;
  for (const headers of [
    {},
    { 'content-type': 'application/json' },
    { 'content-type': 'application/x-www-form-urlencoded' },
  ]) {
    const response = await fetch(url, { method: 'POST', headers });
    assert.equal(response.status, 202);
    const text = await response.text();
    client.check('triggerRun', response.status, response.headers, text);
    assert.deepEqual((JSON.parse(text) as RunRecord).asked, {});
  }
});

test('the same key answers the same run, and refuses other options', async () => {
  const first = await trigger({ key: 'nightly-1', body: { full: true } });
  const runs = served.operations.runCount();
  const again = await trigger({ key: 'nightly-1', body: { full: true } });
  assert.equal(again.status, 202);
  assert.equal(again.body.run, first.body.run);
  assert.equal(again.headers.get('idempotency-replayed'), 'true');
  assert.equal(served.operations.runCount(), runs);
  const other = await trigger({ key: 'nightly-1' });
  assert.equal(other.status, 422);
  assert.equal(other.body.error.code, 'IDEMPOTENCY_KEY_REUSED');
  const elsewhere = await trigger({ key: 'nightly-1', name: 'orders' });
  assert.notEqual(elsewhere.body.run, first.body.run);
});

test('what a trigger can be refused for has its status and code', async () => {
  const refused = async (error: SluiceError | undefined, name = 'customers') => {
    if (error !== undefined) served.operations.failures.set('trigger', error);
    const { status, body, headers } = await trigger({ name });
    return [status, body.error.code, body.error.retryable, headers.get('retry-after')];
  };
  assert.deepEqual(await refused(undefined, 'customer'), [404, 'NAME_UNKNOWN', false, null]);
  await served.operations.pause('orders');
  assert.deepEqual(await refused(undefined, 'orders'), [409, 'ACTIVATION_PAUSED', false, null]);
  await served.operations.resume('orders');
  assert.deepEqual(await refused(new SluiceError('QUEUE_FULL', 'full')), [429, 'QUEUE_FULL', true, '5']);
  assert.deepEqual(await refused(new SluiceError('SHUTTING_DOWN', 'ending')), [
    503,
    'SHUTTING_DOWN',
    true,
    '10',
  ]);
});

test('bodies and headers that do not fit are refused with everything that is wrong', async () => {
  const messages: Record<string, string> = {
    '{"full":"yes","more":1}': 'body full: expected true or false; body has "more", which is not known',
    '{"full":null}': 'body full: expected true or false',
    '[]': 'body: expected an object',
    '"text"': 'body: expected an object',
    null: 'body: expected an object',
    '{"full":true,"full":false}': 'the body has a key twice',
    '{"full":true,"\\u0066ull":false}': 'the body has a key twice',
    '{full:true}': 'the body is not JSON',
  };
  const runs = served.operations.runCount();
  for (const [body, message] of Object.entries(messages)) {
    const answer = await trigger({ body });
    assert.deepEqual([answer.status, answer.body.error.code], [400, 'REQUEST_INVALID'], body);
    assert.equal(answer.body.error.message, message, body);
  }
  const long = await trigger({ key: 'k'.repeat(256) });
  assert.equal(long.status, 400);
  assert.match(
    long.body.error.message,
    /^header idempotency-key: expected up to 255 printable ASCII characters/,
  );
  assert.equal(served.operations.runCount(), runs);
});

test('a run that does not exist is 404, and what is not the id of a run is 400', async () => {
  const missing = await client.call<ErrorBody>('getRun', { path: { id: '20250414-070000-123-k3f9ab' } });
  assert.deepEqual([missing.status, missing.body.error.code], [404, 'RUN_UNKNOWN']);
  const none = await client.call<ErrorBody>('getRun', { path: { id: 'latest' } });
  assert.deepEqual([none.status, none.body.error.code], [400, 'REQUEST_INVALID']);
});

test('a wait ends with the run', async () => {
  const { run } = (await trigger()).body;
  const waiting = client.call<RunRecord>('getRun', { path: { id: run }, query: { wait: '30s' } });
  await listening(run, 1);
  served.operations.become(run, 'reading');
  served.operations.become(run, 'succeeded');
  assert.equal((await waiting).body.state, 'succeeded');
  assert.equal(served.operations.listenersOf(run), 0);
});

test('a wait that runs out answers the run as it stands', async () => {
  const { run } = (await trigger()).body;
  const { body } = await client.call<RunRecord>('getRun', { path: { id: run }, query: { wait: '20ms' } });
  assert.equal(body.state, 'queued');
});

test('a wait has a bound, and ends when the client goes away', async () => {
  const { run } = (await trigger()).body;
  for (const wait of ['6m', '-1s', '5', 'forever']) {
    const refused = await client.call<ErrorBody>('getRun', { path: { id: run }, query: { wait } });
    assert.equal(refused.status, 400, wait);
  }
  const gone = new AbortController();
  const waiting = client.call('getRun', { path: { id: run }, query: { wait: '5m' }, signal: gone.signal });
  await listening(run, 1);
  gone.abort();
  await assert.rejects(waiting, { name: 'AbortError' });
  await listening(run, 0);
  assert.ok(served.operations.aborted.includes(`wait ${run}`));
});

test('runs are listed by activation and state, page by page', async () => {
  const own = await Served.start({ activations: ['a', 'b'] });
  try {
    const api = await own.client();
    const ids: string[] = [];
    for (let count = 0; count < 7; count++) {
      const name = count % 2 === 0 ? 'a' : 'b';
      ids.unshift((await api.call<RunRecord>('triggerRun', { path: { name } })).body.run);
    }
    own.operations.become(ids[0]!, 'failed');
    own.operations.become(ids[1]!, 'held');
    const list = async (query: Record<string, string | number | readonly string[]>): Promise<Page> =>
      (await api.call<Page>('listRuns', { query })).body;
    const idsOf = (page: Page): string[] => page.runs.map(({ run }) => run);

    const seen: string[] = [];
    for (let before: string | undefined; ; ) {
      const page = await list({ limit: 3, ...(before === undefined ? {} : { before }) });
      seen.push(...idsOf(page));
      assert.equal(page.next, page.more ? page.runs.at(-1)!.run : undefined);
      if (!page.more) break;
      before = page.next;
    }
    assert.deepEqual(seen, ids);
    assert.deepEqual(idsOf(await list({ activation: 'b' })), [ids[1], ids[3], ids[5]]);
    assert.deepEqual(idsOf(await list({ state: ['failed', 'held'] })), [ids[0], ids[1]]);
    assert.deepEqual(idsOf(await list({ state: 'held', activation: 'a' })), []);
    for (const query of [
      { limit: 0 },
      { limit: 201 },
      { limit: '1e2' },
      { state: 'done' },
      { before: 'x' },
    ]) {
      assert.equal((await api.call('listRuns', { query })).status, 400, JSON.stringify(query));
    }
    const unknown = await fetch(`${own.url}/v1/runs?activations=a`);
    assert.equal(unknown.status, 400);
    const twice = await fetch(`${own.url}/v1/runs?limit=1&limit=2`);
    assert.equal(twice.status, 400);
  } finally {
    await own.dispose();
  }
});

test('a run is cancelled, and one that has ended stays as it is', async () => {
  const { run } = (await trigger()).body;
  const cancelled = await client.call<RunRecord>('cancelRun', { path: { id: run } });
  assert.deepEqual([cancelled.status, cancelled.body.state], [200, 'cancelled']);
  const done = (await trigger()).body.run;
  served.operations.become(done, 'succeeded');
  assert.equal((await client.call<RunRecord>('cancelRun', { path: { id: done } })).body.state, 'succeeded');
  const unknown = await client.call('cancelRun', { path: { id: '20250414-070000-123-k3f9ab' } });
  assert.equal(unknown.status, 404);
});

test('a defect is answered without what is inside, and logged with it', async () => {
  served.operations.failures.set('runs', new TypeError('cannot read properties of /srv/inside.ts'));
  const { status, body, headers } = await client.call<ErrorBody>('listRuns');
  assert.deepEqual([status, body.error.code], [500, 'INTERNAL']);
  assert.doesNotMatch(JSON.stringify(body), /inside|TypeError|\.ts/);
  const id = headers.get('x-request-id')!;
  assert.ok(body.error.message.includes(id));
  const line = served.lines.find(({ level, fields }) => level === 'error' && fields['request'] === id);
  assert.match(String(line?.fields.error), /inside/);
});

/** Resolves when so many listen to the run. */
async function listening(run: string, count: number): Promise<void> {
  await until(() => served.operations.listenersOf(run) === count, `${count} listen to ${run}`);
}

test('a secret that a run tells of is hidden in every answer about it', async () => {
  const secret = 'canary-SECRET-of-the-source';
  const own = await Served.start({ secrets: [secret] });
  try {
    const api = await own.client();
    const { run } = (await api.call<RunRecord>('triggerRun', { path: { name: 'customers' } })).body;
    const { code, category, retryable, hint } = new SluiceError('SOURCE_CREDENTIALS', '');
    own.operations.become(run, 'failed', {
      error: {
        code,
        category,
        retryable,
        hint,
        message: `postgres://u:${secret}@db refused ${encodeURIComponent(secret)}`,
      },
      warnings: [{ code: 'VALUE_COERCED', message: `saw ${secret}` }],
    });
    own.operations.problems = [`https://hooks.example/${secret} cannot be reached`];
    const texts = await Promise.all([
      api.call('getRun', { path: { id: run } }),
      api.call('listRuns'),
      api.call('listActivations'),
      api.call('cancelRun', { path: { id: run } }),
      api.open('streamRunEvents', { path: { id: run } }).then(stream => stream.text()),
      api.call('getReadiness'),
    ]);
    for (const text of texts.map(answer => JSON.stringify(answer))) {
      assert.match(text, /\(hidden\)/);
      assert.ok(!text.includes(secret), text);
    }
  } finally {
    await own.dispose();
  }
});
