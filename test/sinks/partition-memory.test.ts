import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import test from 'node:test';
import type { RowBatch } from '../../src/row-batch.ts';
import { RollingBlobSink } from '../../src/sinks/rolling-blob-sink.ts';
import { KnownPartitions } from '../../src/transforms/partitions/known-partitions.ts';
import { partitionRows } from '../../src/transforms/partitions/partition-rows.ts';
import { RowSorter } from '../../src/transforms/partitions/row-sorter.ts';
import { textColumns, toBatch } from '../support/row-batches.ts';

const COLUMNS = textColumns('id', 'v');
const PARTITIONS = 3000;
const SORTER_BYTES = 64 * 1024;

/** Buffers of blocks that are alive: what the sink has, and what is on the way. */
class CountedBlocks {
  most = 0;
  #underWay = new Set<ArrayBufferLike>();

  async stageBlock(_blob: string, _id: string, bytes: Uint8Array): Promise<void> {
    this.#underWay.add(bytes.buffer);
    this.most = Math.max(this.most, this.#underWay.size);
    await new Promise(resolve => setImmediate(resolve));
    this.#underWay.delete(bytes.buffer);
  }
}

for (const isGrouped of [true, false]) {
  test(`thousands of partitions take the memory of one, where rows come ${isGrouped ? 'together' : 'in any order'}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-memory-'));
    const allocated: number[] = [];
    const { SharedArrayBuffer: Original } = globalThis;
    globalThis.SharedArrayBuffer = class extends Original {
      constructor(bytes: number) {
        super(bytes);
        allocated.push(bytes);
      }
    } as SharedArrayBufferConstructor;
    try {
      const sorter = new RowSorter(join(folder, 'rows'), SORTER_BYTES);
      const known = new KnownPartitions({ fields: COLUMNS, partitionFields: [1], maxPartitions: PARTITIONS });
      const store = new CountedBlocks();
      const { CsvLibraryEncoder } = await import('../../src/encoders/csv/csv-library.ts');
      const { csvFormat } = await import('../../src/config/schema/schema-formats.ts');
      const format = csvFormat.parse({ type: 'csv' });
      const sink = new RollingBlobSink({
        store,
        series: [{ wants: [0, 1] }],
        createEncoder: () => new CsvLibraryEncoder(COLUMNS, format),
        nameOf: (_change, part, partition) => `${partition!.index}-${part}`,
        runId: 'run',
        compression: 'none',
        emptyFiles: 'write',
        partitioned: true,
        blockBytes: 1024 * 1024,
      });
      function* batches(): Generator<RowBatch> {
        for (let index = 0; index < 2 * PARTITIONS; index += 100) {
          const rows = Array.from({ length: 100 }, (_, row) => {
            const id = index + row;
            return [`${id}`, `${isGrouped ? id >> 1 : id % PARTITIONS}`];
          });
          yield toBatch(rows);
        }
      }
      await pipeline(Readable.from(batches()), partitionRows({ known, isGrouped, sorter }), sink);
      assert.equal(sink.files.length, PARTITIONS);
      assert.ok(sink.files.every(({ rows, part }) => rows === 2 && part === 1));
      // Four blocks in flight and one that is filled.
      const blocks = allocated.filter(bytes => bytes === 1024 * 1024).length;
      assert.ok(blocks <= 5, `${blocks} buffers of blocks`);
      assert.ok(store.most <= 4, `${store.most} blocks under way`);
    } finally {
      globalThis.SharedArrayBuffer = Original;
      await rm(folder, { recursive: true });
    }
  });
}
