import { constants } from 'node:buffer';
import type { Encoder } from '../encoders/encoder.ts';
import { SluiceError } from '../errors.ts';
import type { Change, Column, Partition, RowBatch } from '../row-batch.ts';
import type { PartBody } from './bodies/part-body.ts';
import { MAX_BLOCK_BYTES, type RollPolicy } from './roll-policy.ts';
import type { StagedFile } from './sink.ts';
import type { StagedBlob } from './staged-blob.ts';

export interface PartWriterOptions {
  readonly blob: StagedBlob;
  readonly body: PartBody;
  readonly encoder: Encoder;
  readonly policy: RollPolicy;
  readonly part: number;
  readonly change: Change | undefined;
  readonly partition?: Partition | undefined;
}

/** One file: takes rows until one of its limits is reached, never past it. */
export class PartWriter {
  rows = 0;
  readonly #options: PartWriterOptions;

  static async open(options: PartWriterOptions): Promise<PartWriter> {
    const writer = new PartWriter(options);
    await writer.#begin();
    return writer;
  }

  private constructor(options: PartWriterOptions) {
    this.#options = options;
    this.rows = options.blob.resumed?.rows ?? 0;
  }

  /** Whether the file was continued, got no row, and can stay as it is. */
  get isUntouched(): boolean {
    const { resumed } = this.#options.blob;
    return this.rows === resumed?.rows && !resumed.mustWrite;
  }

  /**
   * Writes `rows[from] … rows[to - 1]` of the batch, as many as the file takes: at least
   * one if it has none yet.
   * @param rowsBefore rows of the run before this batch, to name a row that is too large
   *   for any file
   * @returns the index in `rows` of the first row that was not written, or `to`; less
   *   than `to`: the file is full
   */
  async write(
    batch: RowBatch,
    rows: Int32Array,
    from: number,
    to: number,
    rowsBefore: number,
  ): Promise<number> {
    const { body, encoder, policy } = this.#options;
    const last = Math.min(to, from + policy.maxFileRows - this.rows);
    let index = from;
    while (index < last) {
      const next = encoder.encode(batch, rows, index, last, body.out);
      this.rows += next - index;
      index = next;
      if (index === last) break;
      const bound = encoder.rowBytesBound(batch, rows[index]!);
      if (await body.makeRoom(bound)) continue;
      if (this.rows > 0) break;
      await this.#writeAlone(batch, rows, index, rowsBefore);
      index++;
    }
    return index;
  }

  /** Ends the file. Its blocks are handed over then, not yet all acknowledged. */
  async close(): Promise<StagedFile> {
    const { blob, body, encoder, part, change, partition } = this.#options;
    await body.finish(encoder);
    return {
      name: blob.name,
      ...(change !== undefined && { change }),
      ...(partition && { partition }),
      part,
      blockIds: blob.blockIds,
      rows: this.rows,
      bytes: blob.bytes,
      checksums: await blob.checksums(),
      ...(blob.resumed !== undefined && { resumed: blob.resumed }),
    };
  }

  /** Values that the format could hold only as something else, by column. */
  get coerced(): ReadonlyMap<Column, number> {
    return this.#options.encoder.coerced ?? new Map();
  }

  /** Leaves a file that was continued as it is. */
  abandon(): void {
    this.#options.body.abandon?.();
    this.discard();
  }

  /** Gives the file up. */
  discard(): void {
    this.#options.blob.discard();
  }

  async #begin(): Promise<void> {
    const { blob, body, encoder, policy } = this.#options;
    if (blob.resumed) {
      encoder.resume?.(this.rows);
      return;
    }
    const { beginBytes } = encoder;
    if (body.out.limit < beginBytes) {
      if (!(await body.makeRoom(beginBytes)) || body.out.limit < beginBytes) {
        throw new SluiceError(
          'ROW_TOO_LARGE',
          `${blob.name}: what precedes and follows the rows takes ${beginBytes + encoder.endBytes} bytes, and a file may have ${policy.maxFileBytes}`,
          { stage: 'destination', hint: 'raise maxFileSize' },
        );
      }
    }
    encoder.begin(body.out);
  }

  /**
   * The row may still fit a file without other rows, once its compressed size is known.
   */
  async #writeAlone(batch: RowBatch, rows: Int32Array, index: number, rowsBefore: number): Promise<void> {
    const { blob, body, encoder, policy } = this.#options;
    const bound = encoder.rowBytesBound(batch, rows[index]!);
    let bytes: string;
    if (await body.makeUncertainRoom(bound)) {
      const { position } = body.out;
      const written = encoder.encode(batch, rows, index, index + 1, body.out) - index;
      this.rows += written;
      bytes = `${body.out.position - position}`;
      if (written === 1 && (await body.fits())) return;
    } else {
      bytes = measure(encoder, batch, rows, index);
    }
    const limit = Math.min(policy.maxFileBytes, MAX_BLOCK_BYTES);
    throw new SluiceError(
      'ROW_TOO_LARGE',
      `${blob.name}: row ${rowsBefore + rows[index]! + 1} of the run takes ${bytes} bytes before compression and does not fit a file of its own, which may have ${limit} bytes with what precedes and follows the rows`,
      { stage: 'destination' },
    );
  }
}

/** Bytes of a row that was not written. The encoder is of no use afterwards. */
function measure(encoder: Encoder, batch: RowBatch, rows: Int32Array, index: number): string {
  const bound = encoder.rowBytesBound(batch, rows[index]!);
  if (bound > constants.MAX_LENGTH) return `up to ${bound}`;
  const out = { bytes: Buffer.allocUnsafeSlow(bound), position: 0, limit: bound };
  encoder.encode(batch, rows, index, index + 1, out);
  return `${out.position}`;
}
