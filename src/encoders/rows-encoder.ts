import type { Column, RowBatch } from '../row-batch.ts';
import type { Encoder, OutputBuffer } from './encoder.ts';

/**
 * Writes the rows of a document and nothing else: neither what precedes and follows them,
 * nor what separates the first one from rows before it. Whoever joins them writes that.
 */
export class RowsEncoder implements Encoder {
  readonly beginBytes = 0;
  readonly endBytes = 0;
  readonly #encoder: Encoder;

  /** @param encoder one with a `separator` */
  constructor(encoder: Encoder) {
    this.#encoder = encoder;
  }

  get coerced(): ReadonlyMap<Column, number> {
    return this.#encoder.coerced ?? new Map();
  }

  begin(): void {
    this.#encoder.resume!(0);
  }

  end(): void {}

  rowBytesBound(batch: RowBatch, row: number): number {
    return this.#encoder.rowBytesBound(batch, row);
  }

  encode(batch: RowBatch, rows: Int32Array, from: number, to: number, out: OutputBuffer): number {
    return this.#encoder.encode(batch, rows, from, to, out);
  }
}
