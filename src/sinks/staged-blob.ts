import type { BlockStager, SplitBlock } from './block-stager.ts';
import { FileChecksums } from './checksums/file-checksums.ts';
import type { ChecksumName, Checksums, ResumePoint } from './sink.ts';

export interface StagedBlobOptions {
  readonly name: string;
  readonly stager: BlockStager;
  blockId(index: number): string;
  readonly checksums: readonly ChecksumName[];
  readonly resumed?: ResumePoint | undefined;
}

/** Azure takes 50,000 blocks, of which a file has 45,000 before any is split. */
const MAX_PIECES = 4_500;
/** No block of a file has so high an index. */
const FIRST_PIECE = 100_000;

/**
 * The blocks of one file: names, counts, checks and hands over each. The order of
 * `append` is that of the file.
 */
export class StagedBlob {
  readonly name: string;
  /** All that was appended; blocks may be split until they are acknowledged. */
  readonly blockIds: string[];
  bytes: number;
  readonly resumed: ResumePoint | undefined;

  readonly #stager: BlockStager;
  readonly #blockId: (index: number) => string;
  readonly #checksums: FileChecksums;
  #pieces = 0;

  constructor({ name, stager, blockId, checksums, resumed }: StagedBlobOptions) {
    this.name = name;
    this.#checksums = new FileChecksums(checksums);
    this.resumed = resumed;
    this.blockIds = [...(resumed?.blockIds ?? [])];
    this.bytes = resumed?.bytes ?? 0;
    this.#stager = stager;
    this.#blockId = blockId;
  }

  get blockBytes(): number {
    return this.#stager.blockBytes;
  }

  acquire(bytes?: number): Promise<Buffer> {
    return this.#stager.acquire(bytes);
  }

  /**
   * Appends the first `length` bytes as the next block; with no bytes the buffer is just
   * given back.
   */
  append(buffer: Buffer, length: number): void {
    if (length === 0) {
      this.#stager.release(buffer);
      return;
    }
    const blockId = this.#blockId(this.blockIds.length);
    this.blockIds.push(blockId);
    const block = { blob: this.name, blockId, split: this.#split };
    this.#stager.stage(block, buffer, length, this.#checksums.update(buffer, length));
    this.bytes += length;
  }

  /** Gives back a buffer that was acquired and is not needed. */
  release(buffer: Buffer): void {
    this.#stager.release(buffer);
  }

  /** Those of the bytes that were appended. */
  checksums(): Promise<Checksums> {
    return this.#checksums.finish();
  }

  /** The file is given up. */
  discard(): void {
    this.#checksums.discard();
  }

  /**
   * New ids, since a late request with the old one may still arrive and would bring the
   * whole block.
   */
  readonly #split: SplitBlock = (blockId, pieces) => {
    if (this.#pieces + pieces > MAX_PIECES) return undefined;
    const ids = Array.from({ length: pieces }, () => this.#blockId(FIRST_PIECE + this.#pieces++));
    this.blockIds.splice(this.blockIds.lastIndexOf(blockId), 1, ...ids);
    return ids;
  };
}
