import type { RowBatch } from '../../row-batch.ts';

const MAX_FIELDS = 1 << 16;

/** Where the fields of some rows of a batch are, column after column. */
export class Fields {
  readonly #columnCount: number;
  /** Rows that can be located at one time. */
  readonly maxRows: number;
  /** The field of row `i` in column `c` is `bytes[starts[k] .. starts[k] + lengths[k]]`, `k` being `c * maxRows + i`. */
  readonly starts: Int32Array;
  /** -1: NULL. */
  readonly lengths: Int32Array;

  constructor(columnCount: number) {
    this.#columnCount = columnCount;
    this.maxRows = Math.max(16, Math.floor(MAX_FIELDS / columnCount));
    this.starts = new Int32Array(this.maxRows * columnCount);
    this.lengths = new Int32Array(this.maxRows * columnCount);
  }

  /** Locates `rows[from] … rows[to - 1]`, at most `maxRows`. */
  // hot: bench/encoders. Invariant: to - from <= maxRows.
  locate(batch: RowBatch, rows: Int32Array, from: number, to: number): void {
    const { bytes, rowBounds } = batch;
    const { starts, lengths, maxRows } = this;
    const columnCount = this.#columnCount;
    for (let index = from; index < to; index++) {
      let p = rowBounds[2 * rows[index]!]!;
      let k = index - from;
      for (let column = 0; column < columnCount; column++) {
        const length = (bytes[p]! << 24) | (bytes[p + 1]! << 16) | (bytes[p + 2]! << 8) | bytes[p + 3]!;
        p += 4;
        starts[k] = p;
        lengths[k] = length;
        if (length > 0) p += length;
        k += maxRows;
      }
    }
  }
}
