import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { after, afterEach, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import { CsvEncoder } from '../../src/encoders/csv/csv.ts';
import { Change, type Column } from '../../src/row-batch.ts';
import { AzureBlobStore } from '../../src/sinks/azure/azure-blob-store.ts';
import { RollingBlobSink, type RollingBlobSinkOptions } from '../../src/sinks/rolling-blob-sink.ts';
import { getAzurite, type TestContainer } from '../support/azurite.ts';
import { azureError, type BlobProxy, startBlobProxy } from '../support/blob-proxy.ts';
import { checksumsOf } from './support/checksums-of.ts';
import { batchOfFields, textsOf } from './support/rows.ts';
import { TestClock } from './support/test-clock.ts';

let container: TestContainer;
let proxy: BlobProxy;

before(async () => {
  container = await (await getAzurite()).createContainer();
  proxy = await startBlobProxy(container.accountUrl);
});
afterEach(() => proxy.setHook(undefined));
after(async () => {
  await proxy.close();
  await container.drop();
});

const COLUMNS: readonly Column[] = ['id', 'name', 'note'].map(name => ({
  name,
  source: name,
  kind: 'text',
  sourceType: 'text',
}));
const CSV = {
  delimiter: ';',
  header: true,
  quote: 'needed',
  quoteChar: '"',
  escapeChar: '"',
  lineEnding: 'lf',
  nullText: '',
  bom: false,
  escapeFormulas: false,
  timestampFormat: 'iso8601',
  booleans: ['true', 'false'],
} as const;
const TIMEOUT_MS = 1_000_000;

let runs = 0;

function setup(
  options: Partial<RollingBlobSinkOptions> = {},
  csv: Partial<typeof CSV | { header: boolean }> = {},
) {
  const clock = new TestClock(TIMEOUT_MS);
  const store = new AzureBlobStore({
    accountUrl: proxy.through(container.accountUrl),
    container: container.container,
    auth: { sasToken: container.sas('rw') },
    requestTimeoutMs: TIMEOUT_MS,
    clock,
  });
  const runId = `run-${runs++}`.padEnd(8, '0');
  const sink = new RollingBlobSink({
    store,
    series: [{ wants: [Change.added, Change.updated] }],
    createEncoder: () => new CsvEncoder(COLUMNS, { ...CSV, ...csv }),
    nameOf: (_, part) => `${runId}/customers_part${part}`,
    runId,
    compression: 'none',
    emptyFiles: 'write',
    ...options,
  });
  /**
   * Commits what was staged and reads it back through the emulator, not through the
   * product.
   */
  const publish = async (): Promise<Buffer[]> => {
    const contents: Buffer[] = [];
    for (const { name, blockIds, bytes, checksums } of sink.files) {
      const condition = { ifAbsent: true } as const;
      assert.equal(
        (await store.commitBlocks(name, blockIds, { condition, properties: {} })).outcome,
        'written',
      );
      const content = await container.download(name);
      assert.equal(content.length, bytes);
      assert.deepEqual(checksumsOf(content), checksums);
      contents.push(content);
    }
    return contents;
  };
  return { sink, store, clock, runId, publish };
}

const ROWS = textsOf(6000, 120).map((text, index) => [
  `${index}`,
  index % 7 === 0 ? 'with ";" and \n' : text,
  index % 5 === 0 ? null : 'é'.repeat(index % 50),
]);
const batches = (): Readable =>
  Readable.from(
    Array.from({ length: 12 }, (_, batch) => batchOfFields(ROWS.slice(batch * 500, batch * 500 + 500))),
  );
const rowsOf = (content: Buffer): string[][] => {
  const [header, ...rows] = parse(content, { delimiter: ';' }) as string[][];
  assert.deepEqual(header, ['id', 'name', 'note']);
  return rows;
};
const EXPECTED = ROWS.map(row => row.map(field => field ?? ''));

test('stages a whole CSV of many blocks that nobody sees before the commit', async () => {
  const { sink, publish } = setup({ blockBytes: 64 * 1024 });
  await pipeline(batches(), sink);
  assert.deepEqual(await container.list(), []);
  assert.ok(sink.blocksStaged > 10);
  const [content, ...others] = await publish();
  assert.deepEqual(others, []);
  assert.equal(sink.bytesStaged, content!.length);
  assert.equal(sink.rowsWritten, ROWS.length);
  assert.deepEqual(rowsOf(content!), EXPECTED);
});

for (const compression of ['none', 'gzip'] as const) {
  test(`splits at the limit into whole parts, though requests fail in every way (${compression})`, async () => {
    const maxFileBytes = 150_000;
    const { sink, clock, publish } = setup({ compression, maxFileBytes, blockBytes: 20_000 });
    let blocks = 0;
    proxy.setHook(({ comp }) => {
      if (comp !== 'block') return undefined;
      switch (blocks++ % 9) {
        case 1:
          return 'reset';
        case 3:
          return 'reset-after-apply';
        case 5:
          return azureError(503, 'ServerBusy', { 'retry-after': '1' });
        case 7:
          return azureError(500, 'InternalError');
        default:
          return undefined;
      }
    });
    await pipeline(batches(), sink);
    proxy.setHook(undefined);
    assert.ok(clock.waits.includes(1000));
    const contents = await publish();
    assert.ok(contents.length > 3);
    const plain = contents.map(content => {
      assert.ok(content.length <= maxFileBytes);
      return compression === 'gzip' ? gunzipSync(content) : content;
    });
    assert.deepEqual(
      plain.map(content => rowsOf(content).length),
      sink.files.map(({ rows }) => rows),
    );
    assert.deepEqual(plain.flatMap(rowsOf), EXPECTED);
  });
}

for (const compression of ['none', 'gzip'] as const) {
  test(`publishes a whole file for no rows (${compression})`, async () => {
    const withHeader = setup({ compression });
    await pipeline(Readable.from([]), withHeader.sink);
    const [content] = await withHeader.publish();
    assert.equal((compression === 'gzip' ? gunzipSync(content!) : content!).toString(), 'id;name;note\n');

    const without = setup({ compression }, { header: false });
    await pipeline(Readable.from([]), without.sink);
    assert.equal(without.sink.files[0]!.blockIds.length, compression === 'gzip' ? 1 : 0);
    const [empty] = await without.publish();
    assert.equal((compression === 'gzip' ? gunzipSync(empty!) : empty!).length, 0);
  });
}

test('closes in spite of a network that answers nothing', async () => {
  const { sink, runId } = setup({ blockBytes: 64 * 1024 });
  proxy.setHook(() => 'black-hole');
  const seen = proxy.seen(({ blob }) => blob?.startsWith(runId) ?? false);
  const failure = new Error('the source failed');
  const failed = once(sink, 'error');
  for (let batch = 0; batch < 4; batch++) sink.write(batchOfFields(ROWS.slice(0, 1000)));
  await seen;
  sink.destroy(failure);
  assert.deepEqual(await failed, [failure]);
});

test('fails with what the service says, without the SAS, when it refuses the blocks', async () => {
  const { sink, runId } = setup();
  proxy.setHook(() => azureError(403, 'AuthorizationPermissionMismatch'));
  await assert.rejects(pipeline(batches(), sink), {
    code: 'DESTINATION_PERMISSION',
    message: new RegExp(`staging a block of ${runId}/customers_part1: .*write \\(w\\)`),
  });
});
