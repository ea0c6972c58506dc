import type { RowBatch } from '../row-batch.ts';

/**
 * Writes one part: one complete document of a format.
 *
 * The sink calls `begin` once, `encode` as often as rows come, `end` once. An encoder knows no storage and no
 * sizes beyond the buffer it is given: it writes from `out.position` on, never past `out.limit`, and a row whole
 * or not at all.
 */
export interface Encoder {
  /** Writes what precedes the first row. `beginBytes` is room enough. */
  begin(out: OutputBuffer): void;
  /**
   * Writes the rows `rows[from] … rows[to - 1]` of the batch, as many as fit.
   * @returns the index in `rows` of the first row that did not fit, or `to`
   */
  encode(batch: RowBatch, rows: Int32Array, from: number, to: number, out: OutputBuffer): number;
  /** Writes what follows the last row. `endBytes` is room enough. */
  end(out: OutputBuffer): void;
  /** An upper bound of the bytes that row `row` of the batch takes; what makes room for a row that did not fit. */
  rowBytesBound(batch: RowBatch, row: number): number;
  readonly beginBytes: number;
  readonly endBytes: number;
}

/** A buffer that is being filled. `limit` is at most `bytes.length`; lower where a part may not grow further. */
export interface OutputBuffer {
  readonly bytes: Buffer;
  position: number;
  limit: number;
}
