import assert from 'node:assert/strict';
import type { BlobStore, StagedFile, StageOptions } from '../../../src/sinks/sink.ts';
import { checksumsOf } from './checksums-of.ts';

export interface StagedBlock {
  readonly blob: string;
  readonly blockId: string;
  readonly bytes: Buffer;
  readonly options: StageOptions;
}

type Answer = (block: StagedBlock) => Promise<void> | void;

/**
 * Staged blocks in memory, for injected faults and large property runs. Each is answered
 * after `answer`, by default in the next turn of the event loop; bytes that change before
 * the answer are found out.
 */
export class MemoryBlobStore implements Pick<BlobStore, 'stageBlock'> {
  readonly blocks = new Map<string, Map<string, Buffer>>();
  readonly calls: StagedBlock[] = [];
  inFlight = 0;
  maxInFlight = 0;
  answer: Answer = () => new Promise(resolve => setImmediate(resolve));

  async stageBlock(
    blob: string,
    blockId: string,
    bytes: Uint8Array,
    options: StageOptions = {},
  ): Promise<void> {
    assert.ok(bytes.length > 0, 'an empty block');
    const kept = Buffer.from(bytes);
    const block = { blob, blockId, bytes: kept, options };
    this.calls.push(block);
    this.inFlight++;
    this.maxInFlight = Math.max(this.maxInFlight, this.inFlight);
    try {
      await this.answer(block);
      assert.equal(Buffer.compare(kept, bytes), 0, 'the bytes changed before the answer');
    } finally {
      this.inFlight--;
    }
    const blocks = this.blocks.get(blob) ?? new Map<string, Buffer>();
    this.blocks.set(blob, blocks.set(blockId, kept));
  }

  /** What a commit of the file would publish; checks names, sizes and sums. */
  contents(file: StagedFile): Buffer {
    const blocks = file.blockIds.map(id => {
      const bytes = this.blocks.get(file.name)?.get(id);
      assert.ok(bytes, `${file.name} has no block ${id}`);
      return bytes;
    });
    const bytes = Buffer.concat(blocks);
    assert.equal(new Set(file.blockIds).size, file.blockIds.length);
    assert.equal(new Set(file.blockIds.map(id => id.length)).size <= 1, true);
    assert.equal(bytes.length, file.bytes);
    assert.deepEqual(checksumsOf(bytes), file.checksums);
    return bytes;
  }
}
