import type { Column, RowBatch } from '../row-batch.ts';
import type { Encoder, OutputBuffer } from './encoder.ts';

/** Bytes that a row takes at most: `perByte` for each byte of its fields as they came, and `perRow`. */
export interface RowBound {
  readonly perByte: number;
  readonly perRow: number;
}

/**
 * What the engines on bytes share whose rows can be measured before they are written. Rows that surely fit are
 * written in one go; near the limit each row is measured first, so that nothing is written that has to be taken back.
 */
export abstract class RowEncoder implements Encoder {
  abstract readonly beginBytes: number;
  abstract readonly endBytes: number;

  protected readonly columns: readonly Column[];
  /** Rows in the part so far. */
  protected rowCount = 0;
  /** By column; whoever writes a row counts what it coerces. */
  protected readonly coercedValues: Float64Array;
  readonly #bound: RowBound;

  protected constructor(columns: readonly Column[], bound: RowBound) {
    this.columns = columns;
    this.coercedValues = new Float64Array(columns.length);
    this.#bound = bound;
  }

  abstract begin(out: OutputBuffer): void;
  abstract end(out: OutputBuffer): void;

  resume(rows: number): void {
    this.rowCount = rows;
  }

  abstract rowBytesBound(batch: RowBatch, row: number): number;

  /** The bytes that the row takes if it is written next. */
  protected rowBytes(batch: RowBatch, row: number): number {
    return this.rowBytesBound(batch, row);
  }

  /** Writes `rows[first] … rows[last - 1]`, which are known to fit; returns the position behind them. */
  protected abstract writeRows(
    batch: RowBatch,
    rows: Int32Array,
    first: number,
    last: number,
    to: Buffer,
    position: number,
  ): number;

  get coerced(): ReadonlyMap<Column, number> {
    return coercedByColumn(this.columns, this.coercedValues);
  }

  // hot: bench/row-path. Invariant: no row is written before it is known to fit as a whole.
  encode(batch: RowBatch, rows: Int32Array, from: number, to: number, out: OutputBuffer): number {
    const { rowBounds } = batch;
    const { limit } = out;
    const { perByte, perRow } = this.#bound;
    let index = from;
    while (index < to) {
      let sure = out.position;
      let last = index;
      while (last < to) {
        const row = rows[last]!;
        sure += (rowBounds[2 * row + 1]! - rowBounds[2 * row]!) * perByte + perRow;
        if (sure > limit) break;
        last++;
      }
      if (last === index) {
        if (out.position + this.rowBytes(batch, rows[index]!) > limit) break;
        last++;
      }
      out.position = this.writeRows(batch, rows, index, last, out.bytes, out.position);
      this.rowCount += last - index;
      index = last;
    }
    return index;
  }
}

export function coercedByColumn(
  columns: readonly Column[],
  counts: ArrayLike<number>,
): ReadonlyMap<Column, number> {
  const coerced = new Map<Column, number>();
  columns.forEach((column, index) => {
    const count = counts[index]!;
    if (count > 0) coerced.set(column, count);
  });
  return coerced;
}
