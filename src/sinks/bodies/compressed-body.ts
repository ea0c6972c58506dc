import type { Encoder, OutputBuffer } from '../../encoders/encoder.ts';
import { isWorthFilling, MAX_BLOCK_BYTES, type RollPolicy } from '../roll-policy.ts';
import type { StagedBlob } from '../staged-blob.ts';
import type { ChunkPool } from './chunk-pool.ts';
import type { FileCompression } from './file-compression.ts';
import type { PartBody } from './part-body.ts';

interface Compressing {
  /** All files that are open at one time share it. */
  readonly pool: ChunkPool;
  readonly compression: FileCompression;
}

/**
 * A compressed file: the text goes to the compression in chunks, and the results are
 * joined. The size is an upper bound for chunks whose compressed bytes were not waited
 * for, so the limit of the file is never passed; near the limit it waits for the exact
 * sizes and goes on in smaller and smaller chunks. What is decided depends on the rows
 * alone, not on time, so the same rows give the same bytes.
 *
 * Where a later run may continue the file, what ends its document is a text by itself in
 * a block of its own, so that the block can be left out.
 */
export class CompressedBody implements PartBody {
  out: OutputBuffer;
  readonly #blob: StagedBlob;
  readonly #policy: RollPolicy;
  readonly #pool: ChunkPool;
  readonly #compression: FileCompression;
  readonly #maxBytes: number;
  readonly #endsApart: boolean;
  /** What the encoder's end may take. */
  readonly #endBound: number;

  /** Bytes in blocks. */
  #storedBytes = 0;
  /** How many they were when it was waited for them last. */
  #settledBytes = 0;
  /** Bound of the chunks that were handed over since. */
  #pendingBound = 0;
  /** Settles when everything handed over so far is in a block. */
  #appended: Promise<void> = Promise.resolve();

  #block: Buffer | undefined;
  #blockPosition = 0;

  static async open(
    blob: StagedBlob,
    policy: RollPolicy,
    encoder: Encoder,
    { pool, compression }: Compressing,
  ): Promise<CompressedBody> {
    const chunk = await pool.acquire(encoder.beginBytes);
    const body = new CompressedBody(blob, policy, encoder, { pool, compression, chunk });
    await body.#store(compression.head);
    await body.#settle();
    return body;
  }

  private constructor(
    blob: StagedBlob,
    policy: RollPolicy,
    encoder: Encoder,
    { pool, compression, chunk }: Compressing & { readonly chunk: Buffer },
  ) {
    this.#blob = blob;
    this.#policy = policy;
    this.#pool = pool;
    this.#compression = compression;
    this.#endsApart = policy.endInBlockOfItsOwn && encoder.endBytes > 0;
    // Blocks are filled to the brim, so their number is a matter of bytes.
    const maxBlocks = policy.maxBlocks - blob.blockIds.length - (this.#endsApart ? 1 : 0);
    this.#maxBytes = Math.min(policy.maxFileBytes - blob.bytes, Math.max(0, maxBlocks) * blob.blockBytes);
    this.#endBound = this.#endsApart
      ? compression.apartBound(encoder.endBytes)
      : compression.bound(encoder.endBytes);
    this.out = { bytes: chunk, position: 0, limit: 0 };
  }

  async makeRoom(bytes: number): Promise<boolean> {
    const room = this.#room();
    const { bytes: chunk, position } = this.out;
    if (room > chunk.length) {
      if (position > 0) await this.#turn();
      else {
        const wanted = Math.min(bytes, room, MAX_BLOCK_BYTES);
        if (wanted <= chunk.length) return false;
        this.#pool.release(chunk);
        this.out = { bytes: await this.#pool.acquire(wanted), position: 0, limit: 0 };
      }
      this.#limitOutput();
      return true;
    }
    if (position === 0 && this.#pendingBound === 0) return false;
    if (position > 0) await this.#turn();
    await this.#settle();
    return isWorthFilling(this.#policy, this.#room());
  }

  async makeUncertainRoom(bytes: number): Promise<boolean> {
    const { bytes: chunk, position } = this.out;
    const wanted = position + bytes;
    if (wanted > MAX_BLOCK_BYTES) return false;
    if (wanted > chunk.length) {
      const larger = await this.#pool.acquire(wanted);
      chunk.copy(larger, 0, 0, position);
      this.#pool.release(chunk);
      this.out = { bytes: larger, position, limit: wanted };
    }
    this.out.limit = wanted;
    return true;
  }

  async fits(): Promise<boolean> {
    await this.#turn();
    await this.#settle();
    return this.#storedBytes + this.#endBound + this.#compression.tailBytes <= this.#maxBytes;
  }

  async finish(encoder: Encoder): Promise<void> {
    if (!this.#endsApart) await this.#writeEnd(encoder);
    if (this.out.position > 0) this.#compress();
    else this.#pool.release(this.out.bytes);
    await this.#appended;
    await this.#store(this.#compression.tail());
    if (this.#block) this.#blob.append(this.#block, this.#blockPosition);
    if (this.#endsApart) await this.#appendEnd(encoder);
  }

  async #writeEnd(encoder: Encoder): Promise<void> {
    if (this.out.bytes.length - this.out.position < encoder.endBytes) await this.#turn(encoder.endBytes);
    this.out.limit = this.out.bytes.length;
    encoder.end(this.out);
  }

  /** The document's end, as a text by itself. */
  async #appendEnd(encoder: Encoder): Promise<void> {
    const end = { bytes: Buffer.alloc(encoder.endBytes), position: 0, limit: encoder.endBytes };
    encoder.end(end);
    const apart = this.#compression.apart(end.bytes.subarray(0, end.position));
    const block = await this.#blob.acquire(apart.length);
    this.#blob.append(block, apart.copy(block));
  }

  abandon(): void {
    this.#pool.release(this.out.bytes);
    if (this.#block) this.#blob.release(this.#block);
  }

  /**
   * Bytes that the chunk may hold for the file to stay within its limit, whatever they
   * compress to.
   */
  #room(): number {
    const used = this.#settledBytes + this.#pendingBound + this.#endBound + this.#compression.tailBytes;
    return this.#compression.plainBytesWithin(this.#maxBytes - used);
  }

  /** Waits for the exact size of all that was handed over. */
  async #settle(): Promise<void> {
    await this.#appended;
    this.#settledBytes = this.#storedBytes;
    this.#pendingBound = 0;
    this.#limitOutput();
  }

  #limitOutput(): void {
    this.out.limit = Math.min(this.out.bytes.length, this.#room());
  }

  async #turn(bytes?: number): Promise<void> {
    this.#compress();
    this.out = { bytes: await this.#pool.acquire(bytes), position: 0, limit: 0 };
  }

  /** Hands the chunk over. Its buffer is the pool's again once it is in a block. */
  #compress(): void {
    const chunk = this.out.bytes;
    const plain = chunk.subarray(0, this.out.position);
    this.#pendingBound += this.#compression.bound(plain.length);
    const compressed = this.#pool.reading(this.#compression.compress(plain));
    this.#appended = this.#append(this.#appended, compressed).finally(() => this.#pool.release(chunk));
    // Whoever awaits it next gets the failure; until then it is not unhandled.
    this.#appended.catch(() => {});
  }

  async #append(preceding: Promise<void>, compressing: Promise<Buffer>): Promise<void> {
    const compressed = await compressing;
    await preceding;
    await this.#store(compressed);
  }

  /** Appends compressed bytes to the blocks; each is filled before it is staged. */
  async #store(bytes: Buffer): Promise<void> {
    this.#storedBytes += bytes.length;
    for (let from = 0; from < bytes.length; ) {
      this.#block ??= await this.#blob.acquire();
      const copied = bytes.copy(this.#block, this.#blockPosition, from);
      from += copied;
      this.#blockPosition += copied;
      if (this.#blockPosition < this.#block.length) continue;
      const full = this.#block;
      this.#block = undefined;
      this.#blockPosition = 0;
      this.#blob.append(full, full.length);
    }
  }
}
