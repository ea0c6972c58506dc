import type { Encoder } from '../../../encoders/encoder.ts';
import type { RowBatch } from '../../../row-batch.ts';
import type { SentRows } from './reader-messages.ts';

/**
 * Rows are sent in pieces of so many bytes; a row that is larger is in one of its own.
 */
const PIECE_BYTES = 256 * 1024;

/** Sends rows, and resolves when there is room for more. */
export type Send = (rows: SentRows) => Promise<void>;

/**
 * Writes the rows of slices as a file will hold them, in pieces that a `JoiningEncoder`
 * makes files of.
 */
export class SliceEncoder {
  readonly #encoder: Encoder;
  readonly #send: Send;
  /** Memory that can be used again; none where it has to be made. */
  readonly #spare: () => ArrayBuffer | undefined;
  #piece: Buffer | undefined;
  #position = 0;
  readonly #places = { rowCount: 0, rowBounds: new Int32Array(0) };
  #all = new Int32Array(0);

  /** @param encoder one with a `separator`, which nothing was written by */
  constructor(encoder: Encoder, send: Send, spare: () => ArrayBuffer | undefined) {
    this.#encoder = encoder;
    this.#send = send;
    this.#spare = spare;
    // No row is the first of a file, until it is known to be.
    encoder.resume!(1);
  }

  async write(batch: RowBatch): Promise<void> {
    const { rowCount } = batch;
    if (this.#all.length < rowCount) this.#all = Int32Array.from({ length: rowCount }, (_, index) => index);
    for (let from = 0; from < rowCount; ) {
      const next = this.#encode(batch, from);
      if (next === undefined) {
        // It is refused again where its place in the file is known.
        await this.flush();
        await this.#send(sentRows(batch, from));
        return;
      }
      from = next;
      if (from < rowCount) await this.#makeRoom(batch, from);
    }
    batch.release?.();
  }

  /** Sends what was written. */
  async flush(): Promise<void> {
    const piece = this.#piece;
    const { rowCount, rowBounds } = this.#places;
    if (piece === undefined || rowCount === 0) return;
    this.#piece = undefined;
    this.#position = 0;
    this.#places.rowCount = 0;
    const memory = piece.buffer as ArrayBuffer;
    await this.#send({ memory, rowCount, rowBounds: rowBounds.slice(0, 2 * rowCount), isEncoded: true });
  }

  /** The first row that did not fit; `undefined` where a row cannot be written. */
  #encode(batch: RowBatch, from: number): number | undefined {
    this.#piece ??= this.#memory(PIECE_BYTES);
    const bytes = this.#piece;
    const places = this.#places;
    const rowsBefore = places.rowCount;
    const out = { bytes, position: this.#position, limit: bytes.length, places };
    try {
      const next = this.#encoder.encode(batch, this.#all, from, batch.rowCount, out);
      this.#position = out.position;
      return next;
    } catch {
      places.rowCount = rowsBefore;
      return undefined;
    }
  }

  async #makeRoom(batch: RowBatch, row: number): Promise<void> {
    await this.flush();
    const needed = this.#encoder.rowBytesBound(batch, row);
    if (needed > PIECE_BYTES) this.#piece = this.#memory(needed);
  }

  #memory(bytes: number): Buffer {
    return Buffer.from((bytes === PIECE_BYTES ? this.#spare() : undefined) ?? new ArrayBuffer(bytes));
  }
}

/** Copies rows of a batch, from one on, as they are: a source fills its memory again. */
export function sentRows({ bytes, rowCount, rowBounds, release }: RowBatch, from = 0): SentRows {
  const start = rowBounds[2 * from]!;
  const rows = bytes.subarray(start, rowBounds[2 * rowCount - 1]);
  const memory = new ArrayBuffer(rows.length);
  new Uint8Array(memory).set(rows);
  const bounds = rowBounds.subarray(2 * from, 2 * rowCount).map(at => at - start);
  release?.();
  return { memory, rowCount: rowCount - from, rowBounds: bounds, isEncoded: false };
}

/** Whether memory has the size of the pieces. */
export function isPiece({ byteLength }: ArrayBuffer): boolean {
  return byteLength === PIECE_BYTES;
}
