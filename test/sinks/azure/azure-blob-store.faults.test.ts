import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, afterEach, before, test } from 'node:test';
import { inspect } from 'node:util';
import {
  AzureBlobStore,
  type AzureBlobStoreOptions,
  type Throttling,
} from '../../../src/sinks/azure/azure-blob-store.ts';
import { getAzurite, type TestContainer } from '../../support/azurite.ts';
import {
  azureError,
  type BlobAction,
  type BlobProxy,
  type BlobRequest,
  startBlobProxy,
} from '../../support/blob-proxy.ts';
import { TestClock } from '../support/test-clock.ts';

const TIMEOUT_MS = 1_000_000;
const ID = Buffer.from('run.0000.00.0').toString('base64');
const ABSENT = { condition: { ifAbsent: true }, properties: { metadata: { run: 'r' } } } as const;

let container: TestContainer;
let proxy: BlobProxy;
let sasToken: string;

before(async () => {
  container = await (await getAzurite()).createContainer();
  proxy = await startBlobProxy(container.accountUrl);
  sasToken = container.sas('rwd');
});
afterEach(() => proxy.setHook(undefined));
after(async () => {
  await proxy.close();
  await container.drop();
});

function setup(options: Partial<AzureBlobStoreOptions> = {}) {
  const clock = new TestClock(TIMEOUT_MS);
  const throttlings: Throttling[] = [];
  const store = new AzureBlobStore({
    accountUrl: proxy.through(container.accountUrl),
    container: container.container,
    auth: { sasToken },
    requestTimeoutMs: TIMEOUT_MS,
    retryBudgetMs: 60_000,
    onThrottled: throttling => throttlings.push(throttling),
    clock,
    ...options,
  });
  return { clock, store, throttlings };
}

let names = 0;
/** A name that no other test uses, so that requests can be told apart by it. */
const newName = (): string => `blob-${names++}.csv`;

/** Does this to the first requests for the blob, in order, and lets the rest pass. */
function fail(name: string, ...actions: BlobAction[]): void {
  proxy.setHook(({ blob, headers }) => {
    // The emulator refuses it.
    delete headers['x-ms-content-crc64'];
    return blob === name ? actions.shift() : undefined;
  });
}
const requestsFor = (name: string): readonly BlobRequest[] =>
  proxy.requests.filter(({ blob }) => blob === name);

for (const [what, action] of [
  ['a reset', 'reset'],
  ['an answer that was lost', 'reset-after-apply'],
  ['500', azureError(500, 'InternalError')],
  ['a gateway without Azure', { status: 502, body: '<html>Bad gateway</html>' }],
  ['an answer that is no XML', { status: 503, headers: { 'content-type': 'application/xml' }, body: '<Err' }],
  ['408', azureError(408, 'RequestTimeout')],
] as const) {
  test(`stages a block again after ${what}`, async () => {
    const { store } = setup();
    const name = newName();
    fail(name, action);
    await store.stageBlock(name, ID, Buffer.from('contents'));
    assert.equal(requestsFor(name).length, 2);
    assert.equal((await store.commitBlocks(name, [ID], ABSENT)).outcome, 'written');
    assert.equal((await container.download(name)).toString(), 'contents');
  });
}

test('waits as long as a throttled answer asks and tells the caller and the observer', async () => {
  const { clock, store, throttlings } = setup();
  const name = newName();
  fail(name, azureError(503, 'ServerBusy', { 'retry-after': '7' }), azureError(429, 'TooManyRequests'));
  let told = 0;
  await store.stageBlock(name, ID, Buffer.from('x'), {
    onThrottled: () => {
      told++;
    },
  });
  assert.equal(told, 2);
  assert.deepEqual(clock.waits, [7000, 0]);
  const doing = `staging a block of ${name}`;
  assert.deepEqual(throttlings, [
    { doing, status: 503, delayMs: 7000 },
    { doing, status: 429, delayMs: 0 },
  ]);
});

test('gives up when throttled for longer than the budget', async () => {
  const { store } = setup({ retryBudgetMs: 10_000 });
  const name = newName();
  proxy.setHook(() => azureError(503, 'ServerBusy', { 'retry-after': '4' }));
  await assert.rejects(store.stageBlock(name, ID, Buffer.from('x')), {
    code: 'DESTINATION_THROTTLED',
    retryable: true,
    message: new RegExp(`staging a block of ${name}.*503 ServerBusy`),
  });
  assert.equal(requestsFor(name).length, 3);
});

test('aborts a request that gets no answer and sends it again', async () => {
  const { clock, store } = setup();
  const name = newName();
  fail(name, 'black-hole');
  const staged = store.stageBlock(name, ID, Buffer.alloc(3_000_000, 'x'));
  await proxy.seen(({ blob }) => blob === name);
  clock.endAttempts();
  await staged;
  assert.equal(requestsFor(name).length, 2);
});

test('says so when nothing answers within the budget', async () => {
  const { clock, store } = setup({ retryBudgetMs: 0 });
  clock.chance = 0.5;
  const name = newName();
  fail(name, 'black-hole');
  const staged = store.stageBlock(name, ID, Buffer.from('x'));
  const failed = assert.rejects(staged, { code: 'DESTINATION_TIMEOUT', message: /no answer within 1001 s/ });
  await proxy.seen(({ blob }) => blob === name);
  clock.endAttempts();
  await failed;
});

for (const which of ['the store', 'the call'] as const) {
  test(`stops a request without an answer when the signal of ${which} aborts`, async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const { store } = setup(which === 'the store' ? { signal } : {});
    const name = newName();
    fail(name, 'black-hole');
    const staged = store.stageBlock(
      name,
      ID,
      Buffer.alloc(3_000_000),
      which === 'the call' ? { signal } : {},
    );
    const failed = assert.rejects(staged, { code: 'CANCELLED' });
    await proxy.seen(({ blob }) => blob === name);
    controller.abort();
    await failed;
    assert.equal(requestsFor(name).length, 1);
  });
}

test('sends nothing when the signal has aborted before', async () => {
  const { store } = setup({ signal: AbortSignal.abort() });
  const name = newName();
  await assert.rejects(store.putBlob(name, Buffer.from('x'), ABSENT), { code: 'CANCELLED' });
  assert.equal(requestsFor(name).length, 0);
});

for (const [what, action, applied] of [
  ['a lost answer', 'reset-after-apply', true],
  ['a reset', 'reset', false],
  ['500', azureError(500, 'OperationTimedOut'), false],
  ['503 of a gateway', { status: 503 }, false],
] as const) {
  test(`does not repeat a write after ${what} and says that its outcome is unknown`, async () => {
    const { store } = setup();
    for (const kind of ['put', 'commit'] as const) {
      const name = newName();
      if (kind === 'commit') await store.stageBlock(name, ID, Buffer.from('x'));
      const sent = requestsFor(name).length;
      fail(name, action);
      const outcome =
        kind === 'put'
          ? await store.putBlob(name, Buffer.from('x'), ABSENT)
          : await store.commitBlocks(name, [ID], ABSENT);
      assert.equal(outcome.outcome, 'unknown');
      assert.equal(requestsFor(name).length, sent + 1);
      assert.equal((await store.head(name)) !== undefined, applied);
    }
  });
}

test('does not repeat a write that gets no answer', async () => {
  const { clock, store } = setup();
  const name = newName();
  fail(name, 'black-hole-after-apply');
  const putting = store.putBlob(name, Buffer.from('x'), ABSENT);
  await proxy.answered(({ blob }) => blob === name);
  clock.endAttempts();
  assert.equal((await putting).outcome, 'unknown');
  assert.equal((await store.head(name))?.metadata['run'], 'r');
});

test('repeats a write that the service has refused for being busy', async () => {
  const { store } = setup();
  const name = newName();
  fail(name, azureError(503, 'ServerBusy'), azureError(429, 'TooManyRequests'));
  assert.equal((await store.putBlob(name, Buffer.from('x'), ABSENT)).outcome, 'written');
  assert.equal(requestsFor(name).length, 3);
});

test('does not repeat a delete whose answer was lost', async () => {
  const { store } = setup();
  const name = newName();
  const outcome = await store.putBlob(name, Buffer.from('x'), ABSENT);
  assert.equal(outcome.outcome, 'written');
  fail(name, 'reset-after-apply');
  assert.equal(await store.deleteBlob(name, (outcome as { etag: string }).etag), 'unknown');
  assert.equal(await store.head(name), undefined);
});

test('reads again when an answer is cut short', async t => {
  let answers = 0;
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-length': '8', etag: '"0x1"' });
    if (++answers > 1) response.end('contents');
    else response.write('con', () => response.socket?.destroy());
  }).listen(0, '127.0.0.1');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const { store } = setup({ accountUrl: `http://127.0.0.1:${port}/account` });
  assert.deepEqual(await store.getBlob('a'), { bytes: Buffer.from('contents'), etag: '"0x1"' });
  assert.equal(answers, 2);
});

test('takes a container that is missing for an error, a blob that is missing for none', async () => {
  const { store } = setup();
  const name = newName();
  fail(name, azureError(404, 'ContainerNotFound'), azureError(404, 'BlobNotFound'), { status: 404 });
  await assert.rejects(store.head(name), { code: 'DESTINATION_NOT_FOUND' });
  assert.equal(await store.head(name), undefined);
  assert.equal(await store.head(name), undefined);
});

for (const [azureCode, status, code] of [
  ['BlobImmutableDueToPolicy', 409, 'DESTINATION_REFUSED'],
  ['LeaseIdMissing', 412, 'DESTINATION_REFUSED'],
  ['AuthenticationFailed', 403, 'DESTINATION_CREDENTIALS'],
  ['AuthorizationPermissionMismatch', 403, 'DESTINATION_PERMISSION'],
] as const) {
  test(`fails a commit, which can be finished later, with ${code} on ${azureCode}`, async () => {
    const { store } = setup();
    const name = newName();
    fail(name, azureError(status, azureCode));
    await assert.rejects(store.commitBlocks(name, [ID], ABSENT), { code, retryable: false });
    assert.equal(requestsFor(name).length, 1);
  });
}

test('asks only for a blob to check the access, and names what is refused', async () => {
  const { store } = setup();
  const from = proxy.requests.length;
  await store.checkAccess();
  const asked = proxy.requests.slice(from);
  assert.deepEqual(
    asked.map(({ method, comp, blob }) => [method, comp, blob?.replace(/[0-9a-f]+$/, '')]),
    [['HEAD', undefined, '_sluice/access-check-']],
  );
  proxy.setHook(() => azureError(404, 'ContainerNotFound'));
  await assert.rejects(store.checkAccess(), { code: 'DESTINATION_NOT_FOUND' });
  proxy.setHook(() => azureError(403, 'AuthenticationFailed'));
  await assert.rejects(store.checkAccess(), { code: 'DESTINATION_CREDENTIALS' });
});

test('keeps connections alive', async () => {
  const { store } = setup();
  const name = newName();
  for (let block = 0; block < 5; block++) await store.stageBlock(name, ID, Buffer.from('x'));
  assert.deepEqual([...new Set(requestsFor(name).map(({ headers }) => headers.connection))], ['keep-alive']);
});

test('does not wait for a host that was never known', async () => {
  const { store } = setup({
    accountUrl: 'https://sluice-test.invalid',
    auth: { accountKey: container.accountKey },
  });
  await assert.rejects(store.checkAccess(), { code: 'DESTINATION_CONNECT_FAILED' });
});

test('tells that the service answers again where it does, and not where it is given up', async () => {
  const told: string[] = [];
  const telling = { onRetry: () => told.push('waits'), onRetried: () => told.push('answers') };
  const name = newName();
  let failures = 1;
  const { store } = setup(telling);
  proxy.setHook(({ blob }) => (blob === name && failures-- > 0 ? azureError(503, 'ServerBusy') : undefined));
  await store.stageBlock(name, ID, Buffer.from('x'));
  assert.deepEqual(told.splice(0), ['waits', 'answers']);
  proxy.setHook(() => azureError(503, 'ServerBusy', { 'retry-after': '4' }));
  const { store: impatient } = setup({ ...telling, retryBudgetMs: 10_000 });
  await assert.rejects(impatient.stageBlock(name, ID, Buffer.from('x')), { code: 'DESTINATION_THROTTLED' });
  assert.ok(!told.includes('answers'), told.join());
});

test('shows the SAS in no error and no outcome, whatever goes wrong', async () => {
  const signature = new URLSearchParams(sasToken).get('sig')!;
  const echo = (request: BlobRequest) => ({
    status: 403,
    headers: { 'x-ms-error-code': 'AuthenticationFailed', 'content-type': 'application/xml' },
    body: `<?xml version="1.0"?><Error><Code>AuthenticationFailed</Code><Message>Signature ${signature} of ${request.url.replaceAll('&', '&amp;')} did not match</Message><AuthenticationErrorDetail>${signature}</AuthenticationErrorDetail></Error>`,
  });
  const actions: ((request: BlobRequest) => BlobAction)[] = [
    echo,
    request => ({ ...echo(request), status: 400, headers: {} }),
    request => ({ status: 409, body: request.url }),
    request => ({ status: 201, headers: { 'content-type': 'application/xml' }, body: `<${request.url}` }),
    () => 'reset',
  ];
  for (const action of actions) {
    const { store, clock } = setup({ retryBudgetMs: 0 });
    clock.chance = 0.5;
    proxy.setHook(action);
    const name = newName();
    const results = await Promise.allSettled([
      store.stageBlock(name, ID, Buffer.from('x')),
      store.commitBlocks(name, [ID], ABSENT),
      store.putBlob(name, Buffer.from('x'), ABSENT),
      store.head(name),
      store.getBlob(name),
      store.deleteBlob(name, '"0x0"'),
      store.checkAccess(),
    ]);
    const seen =
      inspect(results, { depth: 30, showHidden: true }) +
      results.map(result => (result.status === 'rejected' ? result.reason.stack : '')).join();
    for (const secret of [signature, encodeURIComponent(signature), sasToken]) {
      assert.ok(!seen.includes(secret), `${secret} in ${seen}`);
    }
  }
});
