import type { BufferingEncoder, Encoder, FlushedRows, OutputBuffer } from '../../encoders/encoder.ts';
import { SluiceError } from '../../errors.ts';
import type { RollPolicy } from '../roll-policy.ts';
import type { StagedBlob } from '../staged-blob.ts';
import type { PartBody } from './part-body.ts';

const MiB = 1024 * 1024;
/** One is encoded while the next is filled: more would take memory and save no time. */
const MAX_FLUSHES_IN_FLIGHT = 1;
const NO_BYTES = Buffer.alloc(0);
/** Rows are few and small enough for one flush. */
const UNBOUNDED = Number.MAX_SAFE_INTEGER;

interface Flush {
  readonly bound: number;
  readonly rows: Promise<FlushedRows>;
}

/**
 * A file whose encoder takes rows and gives their bytes later. The size is exact for what
 * has been stored and an upper bound for what is under way, so the limit of the file is
 * never passed; near the limit it waits for the exact sizes and goes on in smaller and
 * smaller flushes. What is decided depends on the rows alone, not on time.
 */
export class BufferedBody implements PartBody {
  out: OutputBuffer;
  readonly #blob: StagedBlob;
  readonly #encoder: BufferingEncoder;
  readonly #maxBytes: number;
  /**
   * Less room than this is left unused: what follows would be small pieces that readers
   * are slow with.
   */
  readonly #worthwhileBytes: number;

  #begun: boolean;
  #storedBytes = 0;
  /** What the end takes after what is stored. */
  #endBytes: number;
  #flushes: Flush[] = [];
  /** A row was taken though it may not fit; `fits` tells. */
  #uncertain = false;

  #block: Buffer | undefined;
  #blockPosition = 0;

  static async open(blob: StagedBlob, policy: RollPolicy, encoder: BufferingEncoder): Promise<BufferedBody> {
    return new BufferedBody(blob, policy, encoder);
  }

  private constructor(blob: StagedBlob, policy: RollPolicy, encoder: BufferingEncoder) {
    this.#blob = blob;
    this.#encoder = encoder;
    // Blocks are filled to the brim, so their number is a matter of bytes.
    this.#maxBytes = Math.min(policy.maxFileBytes, policy.maxBlocks * blob.blockBytes);
    this.#worthwhileBytes = Math.min(16 * MiB, this.#maxBytes / 32);
    this.#endBytes = encoder.endBytes;
    // Room for what precedes the rows, which is written; rows are taken from `makeRoom`
    // on.
    const { beginBytes } = encoder;
    this.#begun = beginBytes === 0;
    this.out = { bytes: Buffer.alloc(beginBytes), position: 0, limit: Math.min(beginBytes, this.#room()) };
  }

  async makeRoom(bytes: number): Promise<boolean> {
    await this.#storeBegin();
    if (this.out.position > 0) await this.#flush();
    if (this.#room() < Math.max(bytes, this.#worthwhileBytes)) await this.#settle();
    const room = this.#room();
    this.out = { bytes: NO_BYTES, position: 0, limit: room };
    const isEmpty = this.#storedBytes === this.#encoder.beginBytes;
    return bytes <= room && (isEmpty || room >= this.#worthwhileBytes);
  }

  async makeUncertainRoom(): Promise<boolean> {
    this.#uncertain = true;
    this.out = { bytes: NO_BYTES, position: 0, limit: UNBOUNDED };
    return true;
  }

  async fits(): Promise<boolean> {
    await this.#flush();
    await this.#settle();
    this.out = { bytes: NO_BYTES, position: 0, limit: this.#room() };
    this.#uncertain = false;
    return this.#storedBytes + this.#endBytes <= this.#maxBytes;
  }

  async finish(encoder: Encoder): Promise<void> {
    await this.#storeBegin();
    if (this.out.position > 0) await this.#flush();
    await this.#settle();
    const end = { bytes: Buffer.allocUnsafe(encoder.endBytes), position: 0, limit: encoder.endBytes };
    encoder.end(end);
    await this.#store(end.bytes.subarray(0, end.position));
    if (this.#block) this.#blob.append(this.#block, this.#blockPosition);
  }

  /** Bytes that may still be taken, whatever becomes of what is under way. */
  #room(): number {
    const pending = this.#flushes.reduce((sum, { bound }) => sum + bound, 0);
    return Math.max(0, this.#maxBytes - this.#storedBytes - pending - this.#endBytes);
  }

  async #storeBegin(): Promise<void> {
    if (this.#begun || this.out.position === 0) return;
    this.#begun = true;
    const begin = this.out.bytes.subarray(0, this.out.position);
    this.out = { bytes: NO_BYTES, position: 0, limit: 0 };
    await this.#store(begin);
  }

  async #flush(): Promise<void> {
    if (this.#flushes.length === MAX_FLUSHES_IN_FLIGHT) await this.#takeOldest();
    const rows = this.#encoder.flush();
    // Whoever awaits it next gets the failure; until then it is not unhandled.
    rows.catch(() => {});
    this.#flushes.push({ bound: this.out.position, rows });
    this.out = { bytes: NO_BYTES, position: 0, limit: 0 };
  }

  async #settle(): Promise<void> {
    while (this.#flushes.length > 0) await this.#takeOldest();
  }

  async #takeOldest(): Promise<void> {
    const oldest = this.#flushes[0]!;
    const { bytes, endBytes } = await oldest.rows;
    this.#flushes.shift();
    const added = bytes.length + endBytes - this.#endBytes;
    if (added > oldest.bound && !this.#uncertain) {
      const message = `${this.#blob.name}: rows that were to take ${oldest.bound} bytes at most took ${added}`;
      throw new SluiceError('INTERNAL', message, { stage: 'encoding' });
    }
    this.#endBytes = endBytes;
    await this.#store(bytes);
  }

  /** Appends to the blocks; each is filled before it is staged. */
  async #store(bytes: Uint8Array): Promise<void> {
    this.#storedBytes += bytes.length;
    for (let from = 0; from < bytes.length; ) {
      this.#block ??= await this.#blob.acquire();
      const room = this.#block.length - this.#blockPosition;
      const piece = bytes.subarray(from, from + room);
      this.#block.set(piece, this.#blockPosition);
      from += piece.length;
      this.#blockPosition += piece.length;
      if (this.#blockPosition < this.#block.length) continue;
      const full = this.#block;
      this.#block = undefined;
      this.#blockPosition = 0;
      this.#blob.append(full, full.length);
    }
  }
}
