import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { ContainerClient } from '@azure/storage-blob';
import { type DiscardServer, startDiscardServer } from '../../bench/support/discard-server.ts';

const clientOf = (server: DiscardServer) =>
  new ContainerClient(`${server.accountUrl}/exports`, undefined, { retryOptions: { maxTries: 1 } });

test('counts blocks, discards their contents, and answers like a blob endpoint', async () => {
  const server = await startDiscardServer();
  const container = clientOf(server);
  const blob = container.getBlockBlobClient('2025/ü 1.csv');
  const sizes = [3_000_000, 70_000, 1];
  const ids = sizes.map((_, i) => Buffer.from(`block-${i}`).toString('base64'));
  await Promise.all(sizes.map((size, i) => blob.stageBlock(ids[i] ?? '', Buffer.alloc(size, 'x'), size)));
  assert.equal(await blob.exists(), false);
  const { uncommittedBlocks } = await blob.getBlockList('uncommitted');
  assert.deepEqual(
    uncommittedBlocks?.map(block => block.size).sort((a, b) => a - b),
    [1, 70_000, 3_000_000],
  );
  const { etag } = await blob.commitBlockList(ids, {
    conditions: { ifNoneMatch: '*' },
    metadata: { run: '7' },
  });
  const properties = await blob.getProperties();
  assert.deepEqual(
    [properties.contentLength, properties.etag, properties.metadata],
    [3_070_001, etag, { run: '7' }],
  );
  await assert.rejects(blob.commitBlockList(ids, { conditions: { ifNoneMatch: '*' } }), {
    code: 'BlobAlreadyExists',
  });
  await assert.rejects(blob.commitBlockList(['YWJzZW50']), { code: 'InvalidBlockList' });
  await assert.rejects(blob.download(), { statusCode: 501 });

  const manifest = container.getBlockBlobClient('_sluice/latest.json');
  await manifest.upload('{"run":7}', 9);
  assert.equal((await manifest.downloadToBuffer()).toString(), '{"run":7}');
  const names: string[] = [];
  for await (const item of container.listBlobsFlat({ prefix: '2025/' })) names.push(item.name);
  assert.deepEqual(names, ['2025/ü 1.csv']);

  const counts = await server.counts();
  assert.deepEqual([counts.blocks, counts.blockBytes, counts.commits, counts.putBlobs], [3, 3_070_001, 1, 1]);
  assert.deepEqual([counts.smallestBlockBytes, counts.largestBlockBytes], [1, 3_000_000]);
  await server.reset();
  assert.equal((await server.counts()).blocks, 0);
  await server.stop();
});

test('keeps contents for verification when asked to, and checks their MD5', async () => {
  const server = await startDiscardServer({ keep: true });
  const blob = clientOf(server).getBlockBlobClient('kept');
  const content = randomBytes(5_000_000);
  await blob.uploadData(content, { blockSize: 2_000_000, maxSingleShotSize: 1 });
  assert.deepEqual(await blob.downloadToBuffer(), content);
  assert.deepEqual(await blob.downloadToBuffer(1_999_990, 20), content.subarray(1_999_990, 2_000_010));
  const wrong = { transactionalContentMD5: Buffer.alloc(16) };
  await assert.rejects(blob.stageBlock('YQ==', content, content.length, wrong), { code: 'Md5Mismatch' });
  await server.stop();
});

test('takes requests that arrive in pieces or several at once', async () => {
  const server = await startDiscardServer();
  const { port, hostname } = new URL(server.accountUrl);
  const put = 'PUT /discard/c/b HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello';
  const get = 'GET /discard/c/b HTTP/1.1\r\nConnection: close\r\n\r\n';
  const socket = connect({ port: Number(port), host: hostname, noDelay: true });
  for (const byte of put) {
    await new Promise(resolve => socket.write(byte, resolve));
  }
  socket.end(put + get + put + get);
  const answers = (await text(socket)).match(/HTTP\/1.1 \d+|hello/g);
  assert.deepEqual(answers, [
    'HTTP/1.1 201',
    'HTTP/1.1 201',
    'HTTP/1.1 200',
    'hello',
    'HTTP/1.1 201',
    'HTTP/1.1 200',
    'hello',
  ]);
  await server.stop();
});
