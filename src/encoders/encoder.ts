import type { Column, RowBatch } from '../row-batch.ts';

/**
 * Writes one part: one complete document of a format.
 *
 * The sink calls `begin` (or `resume`) once, `encode` as often as rows come, `end` once.
 * An encoder knows no storage and no sizes beyond the buffer it is given: it writes from
 * `out.position` on, never past `out.limit`, and a row whole or not at all.
 */
export interface Encoder {
  /** Writes what precedes the first row. `beginBytes` is room enough. */
  begin(out: OutputBuffer): void;
  /**
   * Instead of `begin`: the part goes on with a document that has `rows` rows and whose
   * end was cut off. Absent where a document cannot be continued.
   */
  resume?(rows: number): void;
  /**
   * Writes the rows `rows[from] … rows[to - 1]` of the batch, as many as fit.
   * @returns the index in `rows` of the first row that did not fit, or `to`
   */
  encode(batch: RowBatch, rows: Int32Array, from: number, to: number, out: OutputBuffer): number;
  /** Writes what follows the last row. `endBytes` is room enough. */
  end(out: OutputBuffer): void;
  /**
   * An upper bound of the bytes that row `row` of the batch takes; what makes room for a
   * row that did not fit.
   */
  rowBytesBound(batch: RowBatch, row: number): number;
  readonly beginBytes: number;
  readonly endBytes: number;
  /**
   * How many values of the part were written as something else, because the format has no
   * form for them: NaN as a string, a control character as U+FFFD. Holds the columns with
   * any; absent where the format holds everything.
   */
  readonly coerced?: ReadonlyMap<Column, number>;
  /**
   * Present where the bytes of a row do not depend on the rows before it, but for these,
   * which separate it from them: the first row of a part begins behind them. Rows can be
   * written apart then, by an encoder that is told to `resume(1)`, and joined by a
   * `JoiningEncoder`. It notes in `out.places` where they are.
   */
  readonly separator?: Uint8Array | undefined;
}

/**
 * A buffer that is being filled. `limit` is at most `bytes.length`; lower where a part
 * may not grow further.
 */
export interface OutputBuffer {
  readonly bytes: Buffer;
  position: number;
  limit: number;
  /** Present where somebody wants to know where rows are. */
  readonly places?: RowPlaces;
}

/** Rows of a buffer, from its beginning on. */
export interface RowPlaces {
  rowCount: number;
  /** As in a `RowBatch`; grows as rows come. */
  rowBounds: Int32Array;
}

/**
 * An encoder whose bytes come later than its rows. It differs from others in this:
 *
 *   `encode` takes rows and writes nothing: `out.position` grows by an upper bound of the bytes that the rows will
 *   take, ends included, and `out.limit` bounds that. It also returns before `to` where the rows taken are as many as
 *   one `flush` may have.
 *   `flush` encodes what was taken beside the caller. It may be called again, and more rows taken, before an earlier
 *   one has resolved; the results follow each other in the file in the order of the calls.
 *   `end` is called when every flush has resolved; `endBytes` is exact then.
 */
export interface BufferingEncoder extends Encoder {
  flush(): Promise<FlushedRows>;
  /**
   * Takes the rows of a flush of another encoder of the same columns and options for its
   * own: their bytes come next in the file. Absent where a document cannot be made of the
   * flushes of several encoders.
   */
  adopt?(rowGroup: RowGroup): void;
  /** How many flushes a document may have, where others can be adopted. */
  readonly maxRowGroups?: number | undefined;
}

export interface FlushedRows {
  /** What follows in the file; at most what `encode` said. */
  readonly bytes: Uint8Array;
  /** What `end` takes as things stand after these bytes. */
  readonly endBytes: number;
  /** Present where another encoder can adopt them. */
  readonly rowGroup?: RowGroup | undefined;
}

/** The rows of one flush, as the end of their document speaks of them. */
export interface RowGroup {
  readonly rowCount: number;
  /** How many bytes they take. */
  readonly bytes: number;
  /** Where these begin, as far as `metadata` says. */
  readonly offset: number;
  readonly metadata: Uint8Array;
}

export function isBuffering(encoder: Encoder): encoder is BufferingEncoder {
  return 'flush' in encoder;
}

/** Whether a document can be made of rows that several encoders have written. */
export function isJoinable(encoder: Encoder): boolean {
  return isBuffering(encoder) ? encoder.adopt !== undefined : encoder.separator !== undefined;
}
