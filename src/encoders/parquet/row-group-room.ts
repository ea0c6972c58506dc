import type { RowBatch } from '../../row-batch.ts';
import { ArrayJson } from '../array-json.ts';
import type { OutputBuffer } from '../encoder.ts';
import type { ParquetColumn } from './parquet-column.ts';
import { type RowGroupBound, rowGroupBound } from './row-group-bound.ts';

/**
 * A row group whose bound is above this takes no more rows: what bounds memory where rows
 * are wide.
 */
const MAX_ROW_GROUP_BYTES = 32 * 1024 * 1024;

/** What a row group that is being filled may still take, of rows and of bytes. */
export class RowGroupRoom {
  readonly #bound: RowGroupBound;
  readonly #maxRows: number;
  /** Bytes of data that a byte of a field becomes at most. */
  readonly #dataBytesPerByte: number;
  #rows = 0;
  /** Bound of the rows taken. */
  #bytes = 0;

  constructor(columns: readonly ParquetColumn[], maxRows: number) {
    this.#bound = rowGroupBound(columns);
    this.#maxRows = maxRows;
    this.#dataBytesPerByte = columns.some(({ kind }) => kind === 'array') ? ArrayJson.bytesBound(1) : 1;
  }

  /** Bound of a row group that has the row and no other. */
  ofRowAlone(batch: RowBatch, row: number): number {
    const { rowBounds } = batch;
    const data = (rowBounds[2 * row + 1]! - rowBounds[2 * row]!) * this.#dataBytesPerByte;
    const { perGroup, perRow, perDataByte } = this.#bound;
    return Math.ceil(perGroup + perRow + data * perDataByte);
  }

  /**
   * The index in `rows` of the first row that does not surely fit; a row group takes one
   * row, however large.
   */
  rowsThatFit(batch: RowBatch, rows: Int32Array, from: number, to: number, out: OutputBuffer): number {
    const { rowBounds } = batch;
    const { perGroup, perRow, perDataByte } = this.#bound;
    const perByte = perDataByte * this.#dataBytesPerByte;
    const before = out.position - this.#bytes;
    const limit = out.limit - before;
    const last = Math.min(to, from + this.#maxRows - this.#rows);
    let bytes = this.#rows === 0 ? perGroup : this.#bytes;
    let index = from;
    while (index < last) {
      const row = rows[index]!;
      bytes += perRow + (rowBounds[2 * row + 1]! - rowBounds[2 * row]!) * perByte;
      if (Math.ceil(bytes) > limit) break;
      if (bytes > MAX_ROW_GROUP_BYTES && this.#rows + index - from > 0) break;
      index++;
    }
    return index;
  }

  /** @param dataBytes of all rows of the row group */
  taken(rows: number, dataBytes: number, out: OutputBuffer): void {
    const { perGroup, perRow, perDataByte } = this.#bound;
    this.#rows += rows;
    const bytes = Math.ceil(perGroup + this.#rows * perRow + dataBytes * perDataByte);
    out.position += bytes - this.#bytes;
    this.#bytes = bytes;
  }

  clear(): void {
    this.#rows = 0;
    this.#bytes = 0;
  }
}
