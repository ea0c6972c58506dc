import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { ContainerClient } from '@azure/storage-blob';
import { getAzurite, type TestContainer } from './azurite.ts';
import { azureError, type BlobProxy, startBlobProxy } from './blob-proxy.ts';

let container: TestContainer;
let proxy: BlobProxy;
let client: ContainerClient;

before(async () => {
  container = await (await getAzurite()).createContainer();
  proxy = await startBlobProxy(container.accountUrl);
  const url = `${proxy.through(container.containerUrl)}?${container.sas('racwdl')}`;
  client = new ContainerClient(url, undefined, { retryOptions: { maxTries: 1 } });
});
after(async () => {
  await proxy.close();
  await container.drop();
});

const upload = (name: string, text = 'x', abortSignal?: AbortSignal) =>
  client.getBlockBlobClient(name).upload(text, text.length, abortSignal ? { abortSignal } : {});

test('streams requests through and records them', async () => {
  const content = Buffer.alloc(5_000_000, 'abc');
  await client
    .getBlockBlobClient('dir/ü 1')
    .uploadData(content, { blockSize: 2_000_000, maxSingleShotSize: 1 });
  assert.deepEqual(await client.getBlobClient('dir/ü 1').downloadToBuffer(), content);
  const staged = proxy.requests.filter(({ blob, comp }) => blob === 'dir/ü 1' && comp === 'block');
  assert.deepEqual(staged.map(({ bodyBytes }) => bodyBytes).sort(), [1_000_000, 2_000_000, 2_000_000]);
  const commit = await proxy.answered(({ comp }) => comp === 'blocklist');
  assert.deepEqual([commit.method, commit.container, commit.status], ['PUT', container.container, 201]);
});

test('answers in place of the endpoint, as the request or its body says', async () => {
  proxy.setHook(async ({ method, body }) => {
    if (method === 'PUT' && (await body()).includes('poison'))
      return azureError(503, 'ServerBusy', { 'retry-after': '7' });
    return undefined;
  });
  await assert.rejects(
    upload('a', 'poison'),
    (error: { statusCode: number; code: string; response: unknown }) => {
      assert.deepEqual([error.statusCode, error.code], [503, 'ServerBusy']);
      return true;
    },
  );
  await upload('a', 'good');
  assert.equal((await container.download('a')).toString(), 'good');
  proxy.setHook(() => ({ status: 404 }));
  assert.equal(await client.getBlobClient('a').exists(), false);
  proxy.setHook(undefined);
  assert.equal(await client.getBlobClient('a').exists(), true);
});

test('resets a connection before or after the endpoint did the work', async () => {
  proxy.setHook(({ blob }) => (blob === 'before' ? 'reset' : 'reset-after-apply'));
  await assert.rejects(upload('before'), { code: /ECONNRESET|REQUEST_SEND_ERROR/ });
  await assert.rejects(upload('after'), { code: /ECONNRESET|REQUEST_SEND_ERROR/ });
  proxy.setHook(undefined);
  const names = await container.list();
  assert.deepEqual([names.includes('before'), names.includes('after')], [false, true]);
});

test('never answers out of a black hole', async () => {
  proxy.setHook(({ blob }) => (blob === 'lost' ? 'black-hole' : 'black-hole-after-apply'));
  const abort = new AbortController();
  const lost = assert.rejects(upload('lost', 'y'.repeat(300_000), abort.signal), { name: 'AbortError' });
  const applied = assert.rejects(upload('applied', 'y', abort.signal), { name: 'AbortError' });
  await proxy.seen(({ blob }) => blob === 'lost');
  await proxy.answered(({ blob }) => blob === 'applied');
  abort.abort();
  await Promise.all([lost, applied]);
  proxy.setHook(undefined);
  const names = await container.list();
  assert.deepEqual([names.includes('lost'), names.includes('applied')], [false, true]);
});

test('holds a request back until told, while others pass', async () => {
  let release = () => {};
  const held = new Promise<void>(resolve => {
    release = resolve;
  });
  proxy.setHook(({ blob }) => (blob === 'held' ? { delayUntil: held } : undefined));
  const waiting = upload('held');
  await proxy.seen(({ blob }) => blob === 'held');
  await upload('passing');
  assert.deepEqual([(await container.list()).includes('held')], [false]);
  release();
  await waiting;
  assert.deepEqual([(await container.list()).includes('held')], [true]);
  proxy.setHook(undefined);
});

test('close ends requests that the endpoint never answers, whose client has gone long ago', async () => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const proxy = await startBlobProxy(`http://127.0.0.1:${(silent.address() as AddressInfo).port}/account`);
  const arrived = once(silent, 'request');
  const gone = new AbortController();
  const asked = fetch(proxy.through('http://any/account/container/blob'), { signal: gone.signal });
  const [{ socket }] = (await arrived) as [IncomingMessage];
  const ended = once(socket, 'close');
  gone.abort();
  await assert.rejects(asked, { name: 'AbortError' });
  await proxy.close();
  await ended;
  silent.close();
});
