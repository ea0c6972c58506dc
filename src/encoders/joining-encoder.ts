import type { Column, RowBatch } from '../row-batch.ts';
import type { Encoder, OutputBuffer } from './encoder.ts';

/** How many bytes are copied at a time. */
const PIECE_BYTES = 64 * 1024;
/** V8 copies into shared memory by words where both places are equally aligned. */
const WORD_BYTES = 8;

/**
 * Makes a document of rows that encoders of the same format have written elsewhere, in
 * pieces: what comes out is what the encoder itself would have written. Rows that are not
 * encoded yet it encodes.
 */
export class JoiningEncoder implements Encoder {
  readonly #encoder: Encoder;
  readonly #separatorBytes: number;
  readonly #piece = Buffer.allocUnsafeSlow(PIECE_BYTES + WORD_BYTES);
  /** Rows in the part so far. */
  #rowCount = 0;

  /** @param encoder one with a `separator` */
  constructor(encoder: Encoder) {
    this.#encoder = encoder;
    this.#separatorBytes = encoder.separator!.length;
  }

  get beginBytes(): number {
    return this.#encoder.beginBytes;
  }

  get endBytes(): number {
    return this.#encoder.endBytes;
  }

  get coerced(): ReadonlyMap<Column, number> {
    return this.#encoder.coerced ?? new Map();
  }

  begin(out: OutputBuffer): void {
    this.#encoder.begin(out);
  }

  resume(rows: number): void {
    this.#rowCount = rows;
  }

  end(out: OutputBuffer): void {
    this.#encoder.resume!(this.#rowCount);
    this.#encoder.end(out);
  }

  rowBytesBound(batch: RowBatch, row: number): number {
    if (!batch.isEncoded) return this.#encoder.rowBytesBound(batch, row);
    return batch.rowBounds[2 * row + 1]! - batch.rowBounds[2 * row]!;
  }

  // Encoded rows follow each other without a gap, and all of them are wanted.
  encode(batch: RowBatch, rows: Int32Array, from: number, to: number, out: OutputBuffer): number {
    if (!batch.isEncoded) {
      this.#encoder.resume!(this.#rowCount);
      const next = this.#encoder.encode(batch, rows, from, to, out);
      this.#rowCount += next - from;
      return next;
    }
    const { bytes, rowBounds } = batch;
    const start = rowBounds[2 * rows[from]!]! + (this.#rowCount === 0 ? this.#separatorBytes : 0);
    const endLimit = start + out.limit - out.position;
    let next = from;
    let after = to;
    while (next < after) {
      const middle = (next + after) >> 1;
      if (rowBounds[2 * rows[middle]! + 1]! <= endLimit) next = middle + 1;
      else after = middle;
    }
    if (next === from) return from;
    this.#copy(bytes.subarray(start, rowBounds[2 * rows[next - 1]! + 1]!), out);
    this.#rowCount += next - from;
    return next;
  }

  /** By way of a piece that is aligned as the place where its bytes go. */
  #copy(bytes: Buffer, out: OutputBuffer): void {
    const piece = this.#piece;
    for (let from = 0; from < bytes.length; from += PIECE_BYTES) {
      const part = bytes.subarray(from, from + PIECE_BYTES);
      const shift = (out.bytes.byteOffset + out.position) & (WORD_BYTES - 1);
      piece.set(part, shift);
      out.bytes.set(piece.subarray(shift, shift + part.length), out.position);
      out.position += part.length;
    }
  }
}
