import type { Encoder, OutputBuffer } from '../../encoders/encoder.ts';
import { MAX_BLOCK_BYTES, type RollPolicy } from '../roll-policy.ts';
import type { StagedBlob } from '../staged-blob.ts';
import type { PartBody } from './part-body.ts';

/**
 * Blocks that `finish` may need: one for what is in the buffer, one for the encoder's
 * end.
 */
const LAST_BLOCKS = 2;

/** An uncompressed file: the encoder writes straight into the buffer of a block. */
export class PlainBody implements PartBody {
  out: OutputBuffer;
  readonly #blob: StagedBlob;
  readonly #policy: RollPolicy;
  readonly #endBytes: number;

  static async open(blob: StagedBlob, policy: RollPolicy, encoder: Encoder): Promise<PlainBody> {
    return new PlainBody(blob, policy, encoder.endBytes, await blob.acquire(encoder.beginBytes));
  }

  private constructor(blob: StagedBlob, policy: RollPolicy, endBytes: number, buffer: Buffer) {
    this.#blob = blob;
    this.#policy = policy;
    this.#endBytes = endBytes;
    this.out = this.#outputTo(buffer);
  }

  async makeRoom(bytes: number): Promise<boolean> {
    const { bytes: buffer, position, limit } = this.out;
    const room = this.#room();
    if (position > 0) {
      const full = limit === room || this.#blob.blockIds.length + 1 + LAST_BLOCKS > this.#policy.maxBlocks;
      if (!full) await this.#turn();
      return !full;
    }
    const wanted = Math.min(bytes, room, MAX_BLOCK_BYTES);
    if (wanted <= buffer.length) return false;
    this.#blob.release(buffer);
    this.out = this.#outputTo(await this.#blob.acquire(wanted));
    return true;
  }

  async makeUncertainRoom(): Promise<boolean> {
    return false;
  }

  async fits(): Promise<boolean> {
    return true;
  }

  async finish(encoder: Encoder): Promise<void> {
    const { endBytes } = encoder;
    const endsApart = endBytes > 0 && this.#policy.endInBlockOfItsOwn && this.out.position > 0;
    if (endsApart || this.out.bytes.length - this.out.position < endBytes) await this.#turn(endBytes);
    this.out.limit = this.out.bytes.length;
    encoder.end(this.out);
    this.#blob.append(this.out.bytes, this.out.position);
  }

  abandon(): void {
    this.#blob.release(this.out.bytes);
  }

  /** Bytes that the buffer may hold for the file to stay within its limit. */
  #room(): number {
    return Math.max(0, this.#policy.maxFileBytes - this.#blob.bytes - this.#endBytes);
  }

  async #turn(bytes?: number): Promise<void> {
    this.#blob.append(this.out.bytes, this.out.position);
    this.out = this.#outputTo(await this.#blob.acquire(bytes));
  }

  #outputTo(bytes: Buffer): OutputBuffer {
    return { bytes, position: 0, limit: Math.min(bytes.length, this.#room()) };
  }
}
