import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { AzureBlobStore, type AzureBlobStoreOptions } from '../../../src/sinks/azure/azure-blob-store.ts';
import { blockIds } from '../../../src/sinks/block-ids.ts';
import { BlockStager } from '../../../src/sinks/block-stager.ts';
import { DEFAULT_CHECKSUMS } from '../../../src/sinks/sink.ts';
import { StagedBlob } from '../../../src/sinks/staged-blob.ts';
import { getAzurite, type TestContainer } from '../../support/azurite.ts';
import { startThrottledLine, type ThrottledLine } from '../../support/throttled-line.ts';
import { checksumsOf } from '../support/checksums-of.ts';

/** A tenth of the usual limit, on lines on which a block takes several times as long. */
const LIMIT_MS = 600;
const BLOCK_BYTES = 256 * 1024;
const MiB = 1024 * 1024;

let container: TestContainer;
before(async () => {
  container = await (await getAzurite()).createContainer();
});
after(() => container.drop());

async function withLine(
  bytesPerSecond: number,
  act: (line: ThrottledLine, store: AzureBlobStore) => Promise<void>,
  settings: Partial<AzureBlobStoreOptions> = {},
) {
  const line = await startThrottledLine(container.accountUrl, bytesPerSecond);
  const store = new AzureBlobStore({
    accountUrl: container.accountUrl.replace(/^http:\/\/[^/]*/, line.origin),
    container: container.container,
    auth: { accountKey: container.accountKey },
    requestTimeoutMs: LIMIT_MS,
    retryBudgetMs: 1000,
    ...settings,
  });
  try {
    // Then it knows the emulator.
    await store.checkAccess();
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
      stager.stage({ blob: 'slow.bin', blockId: id(index) }, buffer, BLOCK_BYTES);
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
    { slowestBytesPerMs: 4000 },
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
    { slowestBytesPerMs: 4000 },
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

test('blocks that a line is too slow for arrive as fewer and smaller ones, in their order', () => {
  // Four at a time take several times the limit, and one of them alone takes longer too.
  const settings = { requestTimeoutMs: 200, slowestBytesPerMs: 50_000, retryBudgetMs: 20_000 };
  return withLine(
    2_000_000,
    async (_, store) => {
      const stager = new BlockStager({
        store,
        blockBytes: MiB / 2,
        blocksInFlight: 4,
        buffersBeingFilled: 1,
      });
      const idOf = blockIds({ runId: 'run', fileIndex: 0, attempt: 0 });
      const blob = new StagedBlob({
        name: 'smaller.bin',
        stager,
        blockId: idOf,
        checksums: DEFAULT_CHECKSUMS,
      });
      const contents: Buffer[] = [];
      for (let index = 0; index < 5; index++) {
        const buffer = await blob.acquire();
        const block = Buffer.alloc(MiB / 2 - index, `block ${index}, `);
        block.copy(buffer);
        contents.push(block);
        blob.append(buffer, block.length);
      }
      await stager.drain();
      assert.ok(blob.blockIds.length > 5, `${blob.blockIds.length} blocks`);
      // Not through the store, whose patience is short.
      await container.client.getBlockBlobClient(blob.name).commitBlockList(blob.blockIds);
      const stored = await container.download(blob.name);
      assert.equal(Buffer.compare(stored, Buffer.concat(contents)), 0);
      assert.deepEqual(await blob.checksums(), checksumsOf(stored));
    },
    settings,
  );
});
