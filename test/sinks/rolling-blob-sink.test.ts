import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { SluiceError } from '../../src/errors.ts';
import { Change } from '../../src/row-batch.ts';
import { RollingBlobSink, type RollingBlobSinkOptions } from '../../src/sinks/rolling-blob-sink.ts';
import { MemoryBlobStore, type StagedBlock } from './support/memory-blob-store.ts';
import { batchOf, JsonArrayEncoder, textsOf } from './support/rows.ts';

function sinkInto(
  store: RollingBlobSinkOptions['store'],
  options: Partial<RollingBlobSinkOptions> = {},
): RollingBlobSink {
  return new RollingBlobSink({
    store,
    series: [{ wants: [Change.added, Change.updated] }],
    createEncoder: () => new JsonArrayEncoder(),
    nameOf: (change, part) => `${change ?? 'all'}/${part}.json`,
    runId: 'run-1',
    compression: 'none',
    emptyFiles: 'write',
    ...options,
  });
}

const DIFFERENCE = [
  { change: Change.added, wants: [Change.added] },
  { change: Change.updated, wants: [Change.updated] },
  { change: Change.removed, wants: [Change.removed] },
];

test('sends each row to the series of its change and lists files by series and part', async () => {
  const store = new MemoryBlobStore();
  const sink = sinkInto(store, { series: DIFFERENCE, maxFileRows: 2 });
  const { added, updated, removed, unchanged, skipped } = Change;
  const batches = [
    batchOf(['a', 'b', 'c', 'd'], [added, unchanged, removed, added]),
    batchOf(['e', 'f', 'g'], [skipped, added, added]),
    batchOf(['h'], [added]),
  ];
  await pipeline(Readable.from(batches), sink);
  assert.deepEqual(
    sink.files.map(file => [file.name, file.change, file.part, file.rows, store.contents(file).toString()]),
    [
      ['0/1.json', added, 1, 2, '["a","d"]\n'],
      ['0/2.json', added, 2, 2, '["f","g"]\n'],
      ['0/3.json', added, 3, 1, '["h"]\n'],
      ['1/1.json', updated, 1, 0, '[]\n'],
      ['2/1.json', removed, 1, 1, '["c"]\n'],
    ],
  );
  const ids = sink.files.flatMap(({ blockIds }) => blockIds);
  assert.equal(new Set(ids).size, ids.length, 'no two blocks of a run have one id');
  assert.equal(sink.rowsWritten, 6);
  assert.equal(sink.part, 3);
  assert.equal(sink.blocksStaged, 5);
  assert.equal(sink.bytesStaged, 10 + 10 + 6 + 3 + 6);
});

test('writes every row of batches without changes, and refuses them where there are several series', async () => {
  const store = new MemoryBlobStore();
  const sink = sinkInto(store);
  await pipeline(Readable.from([batchOf(['a', 'b']), batchOf([]), batchOf(['c', 'd', 'e'])]), sink);
  assert.equal(store.contents(sink.files[0]!).toString(), '["a","b","c","d","e"]\n');
  assert.equal(sink.files[0]!.change, undefined);
  const several = sinkInto(store, { series: DIFFERENCE });
  await assert.rejects(pipeline(Readable.from([batchOf(['a'])]), several), TypeError);
});

test('gives no file to a series without rows where empty files are skipped', async () => {
  const store = new MemoryBlobStore();
  const sink = sinkInto(store, { series: DIFFERENCE, emptyFiles: 'skip' });
  await pipeline(Readable.from([batchOf(['a'], [Change.updated])]), sink);
  assert.deepEqual(
    sink.files.map(({ name }) => name),
    ['1/1.json'],
  );
});

test('gives the series of a file to its encoder and its name', async () => {
  const store = new MemoryBlobStore();
  const asked: (Change | undefined)[] = [];
  const createEncoder = (change: Change | undefined) => {
    asked.push(change);
    return new JsonArrayEncoder();
  };
  const sink = sinkInto(store, { series: DIFFERENCE, createEncoder });
  await pipeline(Readable.from([batchOf(['a'], [Change.removed])]), sink);
  assert.deepEqual(asked, [Change.removed, Change.added, Change.updated]);
});

test('begins no part for rows that just fit the one before', async () => {
  const store = new MemoryBlobStore();
  const sink = sinkInto(store, { maxFileBytes: '["abc","def"]\n'.length });
  await pipeline(Readable.from([batchOf(['abc', 'def', 'ghi', 'jkl'])]), sink);
  assert.deepEqual(
    sink.files.map(file => store.contents(file).toString()),
    ['["abc","def"]\n', '["ghi","jkl"]\n'],
  );
});

for (const compression of ['none', 'gzip', 'zstd'] as const) {
  test(`names file, row and limit where a row fits no file (${compression})`, async () => {
    const store = new MemoryBlobStore();
    const sink = sinkInto(store, { maxFileBytes: 1000, compression });
    const long = textsOf(1, 3000)[0]!;
    const { added, unchanged } = Change;
    const rows = Readable.from([
      batchOf(['a', long, 'b'], [added, unchanged, added]),
      batchOf(['c', long], [added, added]),
    ]);
    await assert.rejects(pipeline(rows, sink), (error: unknown) => {
      assert.ok(error instanceof SluiceError);
      assert.equal(error.code, 'ROW_TOO_LARGE');
      assert.match(error.message, /^all\/2\.json: row 5 of the run takes 3002 bytes .* 1000 bytes/);
      return true;
    });
    assert.throws(() => sink.files, TypeError);
  });

  test(`writes rows larger than a block in one piece (${compression})`, async () => {
    const store = new MemoryBlobStore();
    const sink = sinkInto(store, { blockBytes: 1000, compression });
    const texts = ['a', ...textsOf(2, 600_000), 'b'];
    await pipeline(Readable.from([batchOf(texts)]), sink);
    const [file] = sink.files;
    const largest = Math.max(...file!.blockIds.map(id => store.blocks.get(file!.name)!.get(id)!.length));
    assert.ok(compression === 'none' ? largest > 600_000 : largest === 1000);
    store.contents(file!);
  });
}

test('puts a row that compresses to less than the limit into a file of its own', async () => {
  const store = new MemoryBlobStore();
  const sink = sinkInto(store, { maxFileBytes: 3000, compression: 'gzip' });
  await pipeline(Readable.from([batchOf(['a', 'x'.repeat(1_000_000), 'b'])]), sink);
  assert.equal(
    sink.files.reduce((rows, file) => rows + file.rows, 0),
    3,
  );
  for (const file of sink.files) assert.ok(store.contents(file).length <= 3000);
});

test('says so where not even what surrounds the rows fits a file', async () => {
  const sink = sinkInto(new MemoryBlobStore(), { maxFileBytes: 2 });
  await assert.rejects(pipeline(Readable.from([batchOf([])]), sink), { code: 'ROW_TOO_LARGE' });
});

test('gives the same bytes for the same rows, compressed too', async () => {
  const batches = [batchOf(textsOf(500, 1000)), batchOf(textsOf(500, 1000, 7))];
  const contents: Buffer[][] = [];
  for (let run = 0; run < 2; run++) {
    const store = new MemoryBlobStore();
    const sink = sinkInto(store, { compression: 'gzip', maxFileBytes: 500_000 });
    await pipeline(Readable.from(batches), sink);
    contents.push(sink.files.map(file => store.contents(file)));
  }
  assert.ok(contents[0]!.length > 1);
  assert.deepEqual(contents[0], contents[1]);
});

/** Answers no block until `release`; lets go of aborted ones when told. */
class StuckStore extends MemoryBlobStore {
  readonly aborted: (() => void)[] = [];
  override answer = ({ options }: StagedBlock): Promise<void> =>
    new Promise((_, reject) => {
      options.signal!.addEventListener('abort', () => {
        this.aborted.push(() => reject(new SluiceError('CANCELLED', 'staging: cancelled')));
      });
    });
}

test('holds the pipeline back while blocks are not acknowledged', async () => {
  const store = new StuckStore();
  const sink = sinkInto(store, { blockBytes: 100, blocksInFlight: 2 });
  sink.on('error', () => {});
  let batches = 0;
  const rows = (function* () {
    for (; batches < 1000; batches++) yield batchOf(textsOf(10, 50));
  })();
  const flow = pipeline(Readable.from(rows), sink);
  while (store.calls.length < 2) await setImmediate();
  for (let turn = 0; turn < 20; turn++) await setImmediate();
  assert.equal(store.calls.length, 2);
  assert.ok(batches < 10, `${batches} batches were read`);
  sink.destroy();
  for (const letGo of store.aborted) letGo();
  await assert.rejects(flow);
});

test('closes when destroyed only after the last request has let go of its block, and aborts it for that', async () => {
  const store = new StuckStore();
  const sink = sinkInto(store, { blockBytes: 100, blocksInFlight: 1 });
  sink.write(batchOf(textsOf(10, 50)));
  while (store.calls.length < 1) await setImmediate();
  const reason = new Error('the source failed');
  const failed = once(sink, 'error');
  const closed = once(sink, 'close').catch(() => {});
  sink.destroy(reason);
  for (let turn = 0; turn < 20; turn++) await setImmediate();
  assert.equal(sink.closed, false);
  assert.equal(store.aborted.length, 1);
  store.aborted[0]!();
  assert.deepEqual(await failed, [reason]);
  await closed;
  assert.equal(store.inFlight, 0);
});

test('fails at once when a block does, while no row comes', async () => {
  const store = new MemoryBlobStore();
  const failure = new SluiceError('DESTINATION_TIMEOUT', 'no answer');
  let fail = (): void => {};
  store.answer = () =>
    new Promise((_, reject) => {
      fail = () => reject(failure);
    });
  const sink = sinkInto(store, { blockBytes: 100 });
  const failed = once(sink, 'error');
  await new Promise(resolve => sink.write(batchOf(textsOf(2, 60)), resolve));
  assert.equal(store.inFlight, 1);
  fail();
  assert.deepEqual(await failed, [failure]);
});

for (const compression of ['none', 'gzip', 'zstd'] as const) {
  test(`fails the pipeline where the last block fails (${compression})`, async () => {
    const store = new MemoryBlobStore();
    const failure = new SluiceError('DESTINATION_TIMEOUT', 'no answer');
    store.answer = async () => {
      await setImmediate();
      throw failure;
    };
    const sink = sinkInto(store, { compression });
    await assert.rejects(pipeline(Readable.from([batchOf(['a'])]), sink), failure);
    assert.throws(() => sink.files, TypeError);
  });

  test(`fails the pipeline where many blocks fail under way (${compression})`, async () => {
    const store = new MemoryBlobStore();
    let answered = 0;
    const failure = new SluiceError('DESTINATION_THROTTLED', 'busy');
    store.answer = async () => {
      await setImmediate();
      if (++answered > 3) throw failure;
    };
    const sink = sinkInto(store, { compression, blockBytes: 50_000 });
    const batches = Array.from({ length: 40 }, (_, seed) => batchOf(textsOf(100, 1000, seed)));
    await assert.rejects(pipeline(Readable.from(batches), sink), failure);
    assert.equal(store.inFlight, 0);
  });
}

test('reports what an encoder throws through the stream', async () => {
  class Failing extends JsonArrayEncoder {
    override encode(): number {
      throw new SluiceError('VALUE_NOT_EXPRESSIBLE', 'row 1');
    }
  }
  const sink = sinkInto(new MemoryBlobStore(), { createEncoder: () => new Failing() });
  const flow = pipeline(Readable.from([batchOf(['a'])]), sink);
  await assert.rejects(flow, { code: 'VALUE_NOT_EXPRESSIBLE' });
});

test('stages nothing more after the source failed', async () => {
  const store = new MemoryBlobStore();
  const sink = sinkInto(store, { blockBytes: 100 });
  const failure = new Error('connection lost');
  async function* rows() {
    yield batchOf(textsOf(10, 50));
    throw failure;
  }
  await assert.rejects(pipeline(rows, sink), failure);
  if (!sink.closed) await once(sink, 'close');
  const calls = store.calls.length;
  for (let turn = 0; turn < 20; turn++) await setImmediate();
  assert.equal(store.calls.length, calls);
  assert.equal(store.inFlight, 0);
});
