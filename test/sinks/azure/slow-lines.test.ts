import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { AzureBlobStore } from '../../../src/sinks/azure/azure-blob-store.ts';
import { BlockStager } from '../../../src/sinks/block-stager.ts';
import { getAzurite, type TestContainer } from '../../support/azurite.ts';
import { startThrottledLine, type ThrottledLine } from '../../support/throttled-line.ts';

/** A tenth of the usual limit, on lines on which a block takes several times as long. */
const LIMIT_MS = 600;
const BLOCK_BYTES = 256 * 1024;

let container: TestContainer;
before(async () => {
  container = await (await getAzurite()).createContainer();
});
after(() => container.drop());

async function withLine(
  bytesPerSecond: number,
  act: (line: ThrottledLine, store: AzureBlobStore) => Promise<void>,
  slowestBytesPerMs?: number,
) {
  const line = await startThrottledLine(container.accountUrl, bytesPerSecond);
  const store = new AzureBlobStore({
    accountUrl: container.accountUrl.replace(/^http:\/\/[^/]*/, line.origin),
    container: container.container,
    auth: { accountKey: container.accountKey },
    requestTimeoutMs: LIMIT_MS,
    slowestBytesPerMs,
    retryBudgetMs: 1000,
  });
  try {
    await act(line, store);
  } finally {
    await line.close();
  }
}

const id = (index: number): string => Buffer.from(`block-${index}`).toString('base64');

test('blocks that move are not given up, however long they take, and nothing is sent twice', () =>
  withLine(300_000, async (line, store) => {
    const stager = new BlockStager({
      store,
      blockBytes: BLOCK_BYTES,
      blocksInFlight: 4,
      buffersBeingFilled: 1,
    });
    for (let index = 0; index < 4; index++) {
      const buffer = await stager.acquire();
      buffer.fill(index);
      stager.stage('slow.bin', id(index), buffer, BLOCK_BYTES);
    }
    await stager.drain();
    assert.equal(stager.blocksStaged, 4);
    assert.ok(line.bytesToServer < 4.1 * BLOCK_BYTES, `${line.bytesToServer} bytes were sent`);
  }));

test('a block larger than what the system takes in advance may take several times the limit', () =>
  withLine(
    8_000_000,
    async (line, store) => {
      const bytes = Buffer.alloc(32 * 1024 * 1024);
      await store.stageBlock('large.bin', id(0), bytes);
      assert.ok(line.bytesToServer < 1.1 * bytes.length, `${line.bytesToServer} bytes were sent`);
    },
    4000,
  ));

test('a line that stands still is given up after the limit', () =>
  withLine(
    3_000_000,
    async (line, store) => {
      const staged = store.stageBlock('still.bin', id(0), Buffer.alloc(32 * 1024 * 1024));
      const failed = assert.rejects(staged, { code: 'DESTINATION_TIMEOUT', message: /nothing moved/ });
      line.stall();
      await failed;
    },
    4000,
  ));

test('after a block stood still, fewer are in flight', async () => {
  let slowdowns = 0;
  await withLine(3_000_000, async (line, store) => {
    const staged = store.stageBlock('fewer.bin', id(0), Buffer.alloc(1), {
      onThrottled: () => void slowdowns++,
    });
    line.stall();
    await assert.rejects(staged, { code: 'DESTINATION_TIMEOUT' });
  });
  assert.ok(slowdowns > 0);
});
