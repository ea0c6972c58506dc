import type { BlockStager } from './block-stager.ts';
import type { Digests } from './digest-thread.ts';
import { FileDigest } from './file-digest.ts';
import type { ResumePoint } from './sink.ts';

/**
 * The blocks of one file: names, counts, checks and hands over each. The order of
 * `append` is that of the file.
 */
export class StagedBlob {
  readonly name: string;
  readonly blockIds: string[];
  bytes: number;
  readonly resumed: ResumePoint | undefined;

  readonly #stager: BlockStager;
  readonly #blockId: (index: number) => string;
  readonly #digest = new FileDigest();

  constructor(name: string, stager: BlockStager, blockId: (index: number) => string, resumed?: ResumePoint) {
    this.name = name;
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
    this.#stager.stage(this.name, blockId, buffer, length, this.#digest.update(buffer, length));
    this.blockIds.push(blockId);
    this.bytes += length;
  }

  /** Gives back a buffer that was acquired and is not needed. */
  release(buffer: Buffer): void {
    this.#stager.release(buffer);
  }

  digest(): Promise<Digests> {
    return this.#digest.digest();
  }

  /** The file is given up. */
  discard(): void {
    this.#digest.discard();
  }
}
