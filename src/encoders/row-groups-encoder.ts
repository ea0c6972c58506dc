import type { Column, RowBatch } from '../row-batch.ts';
import type { BufferingEncoder, FlushedRows, OutputBuffer, RowGroup } from './encoder.ts';

/**
 * Writes the row groups of a document and nothing else, and remembers what its end is to
 * say of them. Whoever joins them with those of others writes that.
 */
export class RowGroupsEncoder implements BufferingEncoder {
  readonly beginBytes = 0;
  readonly endBytes = 0;
  /** Those that were flushed, in the order of their bytes. */
  readonly rowGroups: RowGroup[] = [];
  readonly #encoder: BufferingEncoder;
  readonly #mostRowGroups: number;
  #begun = 0;
  #isFilling = false;

  /**
   * @param encoder whose row groups others can adopt
   * @param mostRowGroups how many it may have; a row of another one does not fit
   */
  constructor(encoder: BufferingEncoder, mostRowGroups: number) {
    this.#encoder = encoder;
    this.#mostRowGroups = mostRowGroups;
  }

  get coerced(): ReadonlyMap<Column, number> {
    return this.#encoder.coerced ?? new Map();
  }

  begin(): void {}

  end(): void {}

  rowBytesBound(batch: RowBatch, row: number): number {
    const needed = this.#begun + (this.#isFilling ? 1 : 0);
    return needed < this.#mostRowGroups ? this.#encoder.rowBytesBound(batch, row) : Infinity;
  }

  encode(batch: RowBatch, rows: Int32Array, from: number, to: number, out: OutputBuffer): number {
    if (this.#begun === this.#mostRowGroups) return from;
    const next = this.#encoder.encode(batch, rows, from, to, out);
    this.#isFilling ||= next > from;
    return next;
  }

  async flush(): Promise<FlushedRows> {
    this.#begun++;
    this.#isFilling = false;
    const { bytes, rowGroup } = await this.#encoder.flush();
    this.rowGroups.push(rowGroup!);
    return { bytes, endBytes: 0 };
  }
}
