import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { SluiceError } from '../../src/errors.ts';
import { Change, type RowBatch } from '../../src/row-batch.ts';
import { rawFrameBytes } from '../../src/sinks/bodies/raw-zstd-frame.ts';
import {
  RollingBlobSink,
  type RollingBlobSinkOptions,
  type Series,
} from '../../src/sinks/rolling-blob-sink.ts';
import type { StagedFile } from '../../src/sinks/sink.ts';
import { zstdCompressor } from '../../src/zstd.js';
import { someOf } from '../support/all-cases.ts';
import { uncompressed } from '../support/uncompressed.ts';
import { checksumsOf } from './support/checksums-of.ts';
import { MemoryBlobStore } from './support/memory-blob-store.ts';
import { batchOf, JsonArrayEncoder, textsOf } from './support/rows.ts';

/**
 * What surrounds deflated data in a gzip file, and the most that one flush more than
 * needed takes.
 */
const GZIP_BYTES = 20;
const FLUSH_BYTES = 16;

/**
 * Rows of up to about `bytes`: of every size, easy and hard to compress, some longer as
 * JSON than as text.
 */
const rowOf = (bytes: number): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 6, arbitrary: fc.string({ maxLength: Math.min(bytes, 40) }) },
    { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: Math.min(bytes >> 2, 300) }) },
    { weight: 2, arbitrary: fc.nat(bytes).map(length => 'x'.repeat(length)) },
    {
      weight: 1,
      arbitrary: fc.uint8Array({ maxLength: bytes >> 1 }).map(it => Buffer.from(it).toString('hex')),
    },
  );

const LIMITS = fc.record(
  {
    maxFileBytes: fc.oneof(fc.integer({ min: 30, max: 400 }), fc.integer({ min: 400, max: 12_000 })),
    maxFileRows: fc.integer({ min: 1, max: 40 }),
    maxBlocks: fc.integer({ min: 4, max: 200 }),
    blockBytes: fc.integer({ min: 1, max: 6000 }),
    blocksInFlight: fc.integer({ min: 1, max: 5 }),
    level: fc.integer({ min: 1, max: 9 }),
    endInBlockOfItsOwn: fc.boolean(),
  },
  { requiredKeys: ['blockBytes'] },
);

/**
 * Rows with their changes, most of them small against the limits, so that few runs end at
 * a row that is too large.
 */
const LIMITS_AND_ROWS = fc.tuple(LIMITS, fc.constantFrom(1, 4, 10)).chain(([limits, rowsPerFile]) => {
  const { maxFileBytes = 3000, maxBlocks = 200, blockBytes } = limits;
  const rowBytes = Math.ceil(Math.min(maxFileBytes, maxBlocks * blockBytes, 3000) / rowsPerFile);
  const row = fc.tuple(rowOf(rowBytes), fc.constantFrom(...Object.values(Change)));
  return fc.tuple(fc.constant(limits), fc.array(row, { maxLength: 150, size: 'max' }));
});
const WHOLE: readonly Series[] = [{ wants: [Change.added, Change.updated] }];
const DIFFERENCE: readonly Series[] = [
  { change: Change.added, wants: [Change.added] },
  { change: Change.updated, wants: [Change.updated] },
  { change: Change.removed, wants: [Change.removed] },
];

type Limits = Pick<
  RollingBlobSinkOptions,
  'maxFileBytes' | 'maxFileRows' | 'maxBlocks' | 'blockBytes' | 'compression' | 'endInBlockOfItsOwn'
>;

async function write(
  batches: readonly RowBatch[],
  options: Limits & { series: readonly Series[] },
): Promise<{ store: MemoryBlobStore; files: readonly StagedFile[] }> {
  const store = new MemoryBlobStore();
  const sink = new RollingBlobSink({
    store,
    createEncoder: () => new JsonArrayEncoder(),
    nameOf: (change, part) => `${change ?? 'all'}-${part}`,
    runId: 'run',
    emptyFiles: 'write',
    ...options,
  });
  const finished = once(sink, 'finish');
  for (const batch of batches) sink.write(batch);
  sink.end();
  await finished;
  return { store, files: sink.files };
}

function inBatches<T>(items: readonly T[], size: number): T[][] {
  const batches: T[][] = [];
  for (let from = 0; from < items.length; from += size) batches.push(items.slice(from, from + size));
  return batches;
}

/** What the file would be that a later run goes on with. */
function withoutLastBlock(file: StagedFile, store: MemoryBlobStore): StagedFile {
  const blockIds = file.blockIds.slice(0, -1);
  const bytes = Buffer.concat(blockIds.map(id => store.blocks.get(file.name)!.get(id)!));
  return { ...file, blockIds, bytes: bytes.length, checksums: checksumsOf(bytes) };
}

const encodedBytes = (text: string): number => Buffer.byteLength(JSON.stringify(text));

const zstd = await zstdCompressor(3);

/** The least that a file of the row alone takes. */
function fileBytes(text: string, { compression }: Limits, level: number | undefined): number {
  const plain = Buffer.from(`[${JSON.stringify(text)}]\n`);
  if (compression === 'none') return plain.length;
  if (compression === 'zstd') return Math.min(zstd(plain).length, rawFrameBytes(plain.length));
  const deflated = deflateRawSync(plain, level === undefined ? {} : { level });
  return Math.min(deflated.length, plain.length) + GZIP_BYTES;
}

/** What must hold of the files of one series, whatever the rows and limits. */
function checkSeries(
  files: readonly StagedFile[],
  texts: readonly string[],
  store: MemoryBlobStore,
  limits: Limits,
): void {
  const { maxFileBytes = Infinity, maxFileRows = Infinity, maxBlocks = 45_000 } = limits;
  let written = 0;
  files.forEach((file, index) => {
    assert.equal(file.part, index + 1);
    assert.ok(file.bytes <= maxFileBytes, `${file.bytes} bytes of ${maxFileBytes}`);
    assert.ok(file.rows <= maxFileRows, `${file.rows} rows of ${maxFileRows}`);
    assert.ok(file.blockIds.length <= maxBlocks, `${file.blockIds.length} blocks of ${maxBlocks}`);
    const stored = store.contents(file);
    const text = uncompressed(stored, limits.compression).toString();
    const rows: unknown = JSON.parse(text);
    assert.deepEqual(rows, texts.slice(written, written + file.rows));
    written += file.rows;
    if (limits.endInBlockOfItsOwn) {
      const begun = store.contents(withoutLastBlock(file, store));
      const kept = uncompressed(begun, limits.compression);
      assert.equal(`${kept}]\n`, text, 'all but the last block is all but the end');
    }
    if (index === files.length - 1) return;
    assert.ok(file.rows > 0, 'a part without rows before others');
    if (file.rows === maxFileRows) return;
    if (limits.compression === 'none' && limits.maxBlocks === undefined) {
      assert.ok(
        file.bytes + 1 + encodedBytes(texts[written]!) > maxFileBytes,
        'a part ended though a row fits',
      );
    }
  });
  assert.equal(written, texts.length);
}

async function checkRun(
  rows: readonly (readonly [string, Change])[],
  limits: Limits & { level?: number },
  series: readonly Series[],
  batchRows: number,
): Promise<void> {
  const wanted = series.map(({ wants }) =>
    rows.filter(([, change]) => wants.includes(change)).map(([text]) => text),
  );
  const batches = inBatches(rows, batchRows).map(batch =>
    batchOf(
      batch.map(([text]) => text),
      batch.map(([, change]) => change),
    ),
  );
  const { maxFileBytes = Infinity, maxBlocks = 45_000, blockBytes = Infinity } = limits;
  const endsApart = limits.endInBlockOfItsOwn === true;
  const blocks = maxBlocks - (endsApart ? 1 : 0);
  const limit =
    limits.compression !== 'none'
      ? Math.min(maxFileBytes, blocks * Math.min(blockBytes, maxFileBytes))
      : maxFileBytes;
  try {
    const { store, files } = await write(batches, { ...limits, series });
    series.forEach(({ change }, index) => {
      const own = files.filter(file => file.change === change);
      checkSeries(own, wanted[index]!, store, limits);
    });
    assert.equal(store.blocks.size, files.filter(({ bytes }) => bytes > 0).length);
  } catch (error) {
    if (!(error instanceof SluiceError && error.code === 'ROW_TOO_LARGE')) throw error;
    const largest = Math.max(
      ...wanted.flat().map(text => fileBytes(text, limits, limits.level)),
      fileBytes('', limits, limits.level),
    );
    const second = endsApart ? GZIP_BYTES + FLUSH_BYTES : 0;
    const slack = limits.compression === 'none' ? 0 : 2 * FLUSH_BYTES + second;
    assert.ok(largest + slack > limit, `${error.message}, though ${largest} bytes are enough`);
  }
}

for (const compression of ['none', 'gzip', 'zstd'] as const) {
  test(`splits any rows at any limits into whole parts within them, in order (${compression})`, async () => {
    const run = fc.asyncProperty(
      LIMITS_AND_ROWS,
      fc.boolean(),
      fc.integer({ min: 1, max: 50 }),
      ([limits, rows], difference, batchRows) =>
        checkRun(rows, { ...limits, compression }, difference ? DIFFERENCE : WHOLE, batchRows),
    );
    await fc.assert(run, { numRuns: someOf(300) });
  });
}

for (const compression of ['gzip', 'zstd'] as const) {
  test(`fills compressed parts to within a sixteenth of the limit (${compression})`, async () => {
    const limit = fc.integer({ min: 2000, max: 60_000 });
    const text = fc.array(fc.constantFrom('red', 'green', 'blue', 'Zürich', '"7"'), {
      minLength: 1,
      maxLength: 8,
    });
    const run = fc.asyncProperty(
      limit,
      fc.array(text, { minLength: 3000, maxLength: 6000 }),
      async (maxFileBytes, rows) => {
        const texts = rows.map((words, index) => `${(index * 2_654_435_761) % 2 ** 32} ${words.join(' ')}`);
        const limits = { maxFileBytes, compression } as const;
        const { store, files } = await write([batchOf(texts)], { ...limits, series: WHOLE });
        checkSeries(files, texts, store, limits);
        for (const { bytes } of files.slice(0, -1)) {
          const longestRow = 120;
          assert.ok(
            bytes + maxFileBytes / 16 + longestRow + FLUSH_BYTES > maxFileBytes,
            `${bytes} of ${maxFileBytes}`,
          );
        }
      },
    );
    await fc.assert(run, { numRuns: someOf(15), endOnFailure: true });
  });

  test(`keeps limit and order while chunks that compress at different speeds are under way (${compression})`, async () => {
    const texts = Array.from({ length: 60 }, (_, index) =>
      index % 4 === 0 ? 'x'.repeat(130_000) : textsOf(1, 130_000, index + 1)[0]!,
    );
    for (const maxFileBytes of [700_000, 1_500_000, 3_000_000]) {
      const limits = { maxFileBytes, compression } as const;
      const { store, files } = await write(
        inBatches(texts, 7).map(batch => batchOf(batch)),
        { ...limits, series: WHOLE },
      );
      checkSeries(files, texts, store, limits);
      assert.ok(files.length > 1);
    }
  });
}
