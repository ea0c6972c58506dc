/** The files that the sink makes of rows, in memory. */
import { type Encoder, isBuffering } from '../../src/encoders/encoder.ts';
import type { RowBatch } from '../../src/row-batch.ts';
import { blockIds } from '../../src/sinks/block-ids.ts';
import { BlockStager } from '../../src/sinks/block-stager.ts';
import { BufferedBody } from '../../src/sinks/bodies/buffered-body.ts';
import { PartWriter } from '../../src/sinks/part-writer.ts';
import { type RollOptions, rollPolicy } from '../../src/sinks/roll-policy.ts';
import { DEFAULT_CHECKSUMS, type StagedFile } from '../../src/sinks/sink.ts';
import { StagedBlob } from '../../src/sinks/staged-blob.ts';
import { MemoryBlobStore } from '../sinks/support/memory-blob-store.ts';

export interface WrittenPart {
  readonly bytes: Buffer;
  readonly rows: number;
}

/** Part after part as RollingBlobSink writes them: its loop, without its streams. */
export async function writeParts(
  createEncoder: () => Encoder,
  batches: readonly RowBatch[],
  options: RollOptions = {},
): Promise<WrittenPart[]> {
  const store = new MemoryBlobStore();
  const policy = rollPolicy(options);
  const stager = new BlockStager({ store, blockBytes: policy.blockBytes, buffersBeingFilled: 1 });
  const files: StagedFile[] = [];
  const open = (): Promise<PartWriter> => {
    const encoder = createEncoder();
    if (!isBuffering(encoder)) throw new TypeError('an encoder that buffers is wanted');
    const part = files.length + 1;
    const blob = new StagedBlob({
      name: `part${part}`,
      stager,
      blockId: blockIds({ runId: 'test', fileIndex: part, attempt: 0 }),
      checksums: DEFAULT_CHECKSUMS,
    });
    return BufferedBody.open(blob, policy, encoder).then(body =>
      PartWriter.open({ blob, body, encoder, policy, part, change: undefined }),
    );
  };
  let writer: PartWriter | undefined;
  let rowsBefore = 0;
  for (const batch of batches) {
    const rows = Int32Array.from({ length: batch.rowCount }, (_, index) => index);
    for (let next = 0; next < rows.length; ) {
      writer ??= await open();
      next = await writer.write(batch, rows, next, rows.length, rowsBefore);
      if (next === rows.length) break;
      files.push(await writer.close());
      writer = undefined;
    }
    rowsBefore += batch.rowCount;
  }
  writer ??= files.length === 0 ? await open() : undefined;
  if (writer) files.push(await writer.close());
  await stager.drain();
  return files.map(file => ({ bytes: store.contents(file), rows: file.rows }));
}

/** The only file. */
export async function writeFile(createEncoder: () => Encoder, batches: readonly RowBatch[]): Promise<Buffer> {
  const [file, ...others] = await writeParts(createEncoder, batches);
  if (file === undefined || others.length > 0) throw new TypeError('one file is wanted');
  return file.bytes;
}

export function firstRows(batches: readonly RowBatch[], count: number): RowBatch[] {
  let left = count;
  return batches.map(batch => {
    const rowCount = Math.min(left, batch.rowCount);
    left -= rowCount;
    return { ...batch, rowCount };
  });
}

export function chunksOf(count: number, size: number): number[] {
  return Array.from({ length: Math.ceil(count / size) }, (_, index) => Math.min(size, count - index * size));
}
