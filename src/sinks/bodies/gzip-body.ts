import { crc32 } from 'node:zlib';
import type { Encoder, OutputBuffer } from '../../encoders/encoder.ts';
import { isWorthFilling, MAX_BLOCK_BYTES, type RollPolicy } from '../roll-policy.ts';
import type { StagedBlob } from '../staged-blob.ts';
import type { DeflatePool } from './deflate-pool.ts';
import type { PartBody } from './part-body.ts';
import { deflatedBytesBound, plainBytesWithin, storedBlocks } from './stored-deflate.ts';

/**
 * RFC 1952: deflate, no name, no time, unknown system. The same rows give the same bytes.
 */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
/** A last deflate block without contents. */
const LAST_BLOCK = Buffer.from([0x03, 0x00]);
const TAIL_BYTES = LAST_BLOCK.length + 8;
/** How far back deflate may refer. */
const WINDOW_BYTES = 32 * 1024;

/**
 * A file of one gzip member, made as pigz makes it: each chunk is compressed on its own,
 * with the end of the preceding text as its dictionary, and the results are joined. The
 * size is exact for chunks whose compressed bytes are known and an upper bound for the
 * others, so the limit of the file is never passed; near the limit it waits for the exact
 * sizes and goes on in smaller and smaller chunks.
 *
 * Where a later run may continue the file, what ends its document is a second member in a
 * block of its own: members that follow each other are one text (RFC 1952, 2.2), and that
 * block can be left out.
 */
export class GzipBody implements PartBody {
  out: OutputBuffer;
  readonly #blob: StagedBlob;
  readonly #policy: RollPolicy;
  readonly #pool: DeflatePool;
  readonly #maxBytes: number;
  readonly #endsApart: boolean;
  /** What the encoder's end may take. */
  readonly #endBound: number;

  readonly #window = Buffer.allocUnsafe(WINDOW_BYTES);
  #windowBytes = 0;
  #crc = 0;
  #plainBytes = 0;

  /** Bytes whose compressed form is known. */
  #storedBytes = 0;
  /** Bound of the chunks that are being compressed. */
  #pendingBound = 0;
  /** Settles when everything handed over so far is in a block. */
  #appended: Promise<void> = Promise.resolve();

  #block: Buffer | undefined;
  #blockPosition = 0;

  static async open(
    blob: StagedBlob,
    policy: RollPolicy,
    encoder: Encoder,
    pool: DeflatePool,
  ): Promise<GzipBody> {
    const body = new GzipBody(blob, policy, encoder, pool, await pool.acquire(encoder.beginBytes));
    await body.#store(HEADER);
    body.#limitOutput();
    return body;
  }

  private constructor(
    blob: StagedBlob,
    policy: RollPolicy,
    encoder: Encoder,
    pool: DeflatePool,
    chunk: Buffer,
  ) {
    this.#blob = blob;
    this.#policy = policy;
    this.#pool = pool;
    this.#endsApart = policy.endInBlockOfItsOwn && encoder.endBytes > 0;
    // Blocks are filled to the brim, so their number is a matter of bytes.
    const maxBlocks = policy.maxBlocks - blob.blockIds.length - (this.#endsApart ? 1 : 0);
    this.#maxBytes = Math.min(policy.maxFileBytes - blob.bytes, Math.max(0, maxBlocks) * blob.blockBytes);
    this.#endBound =
      deflatedBytesBound(encoder.endBytes) + (this.#endsApart ? HEADER.length + TAIL_BYTES : 0);
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
    await this.#appended;
    this.#limitOutput();
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
    await this.#appended;
    this.#limitOutput();
    return this.#storedBytes + this.#endBound + TAIL_BYTES <= this.#maxBytes;
  }

  async finish(encoder: Encoder): Promise<void> {
    if (!this.#endsApart) await this.#writeEnd(encoder);
    if (this.out.position > 0) this.#compress();
    else this.#pool.release(this.out.bytes);
    await this.#appended;
    await this.#store(memberTail(this.#crc, this.#plainBytes));
    if (this.#block) this.#blob.append(this.#block, this.#blockPosition);
    if (this.#endsApart) await this.#appendEnd(encoder);
  }

  async #writeEnd(encoder: Encoder): Promise<void> {
    if (this.out.bytes.length - this.out.position < encoder.endBytes) await this.#turn(encoder.endBytes);
    this.out.limit = this.out.bytes.length;
    encoder.end(this.out);
  }

  /** The member of the document's end. It is too short to compress. */
  async #appendEnd(encoder: Encoder): Promise<void> {
    const end = { bytes: Buffer.alloc(encoder.endBytes), position: 0, limit: encoder.endBytes };
    encoder.end(end);
    const plain = end.bytes.subarray(0, end.position);
    const member = Buffer.concat([HEADER, storedBlocks(plain), memberTail(crc32(plain), plain.length)]);
    const block = await this.#blob.acquire(member.length);
    this.#blob.append(block, member.copy(block));
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
    const used = this.#storedBytes + this.#pendingBound + this.#endBound + TAIL_BYTES;
    return plainBytesWithin(this.#maxBytes - used);
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
    const bound = deflatedBytesBound(plain.length);
    this.#pendingBound += bound;
    this.#crc = crc32(plain, this.#crc);
    this.#plainBytes += plain.length;
    const compressed = this.#pool.deflate(plain, this.#window.subarray(0, this.#windowBytes));
    this.#remember(plain);
    this.#appended = this.#append(this.#appended, compressed, plain, bound).finally(() =>
      this.#pool.release(chunk),
    );
    // Whoever awaits it next gets the failure; until then it is not unhandled.
    this.#appended.catch(() => {});
  }

  async #append(
    preceding: Promise<void>,
    compressing: Promise<Buffer>,
    plain: Buffer,
    bound: number,
  ): Promise<void> {
    const compressed = await compressing;
    await preceding;
    await this.#store(compressed.length <= bound ? compressed : storedBlocks(plain));
    this.#pendingBound -= bound;
  }

  /** Keeps the end of the text as the dictionary of the next chunk. */
  #remember(plain: Buffer): void {
    const window = this.#window;
    const added = Math.min(plain.length, WINDOW_BYTES);
    const kept = Math.min(this.#windowBytes, WINDOW_BYTES - added);
    window.copyWithin(0, this.#windowBytes - kept, this.#windowBytes);
    plain.copy(window, kept, plain.length - added);
    this.#windowBytes = kept + added;
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

/** What follows the deflated text of a member: its end, its checksum and its length. */
function memberTail(crc: number, plainBytes: number): Buffer {
  const sums = Buffer.allocUnsafe(8);
  sums.writeUInt32LE(crc, 0);
  sums.writeUInt32LE(plainBytes % 2 ** 32, 4);
  return Buffer.concat([LAST_BLOCK, sums]);
}
