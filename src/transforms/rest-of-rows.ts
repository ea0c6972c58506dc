import { Change, type RowBatch } from '../row-batch.ts';
import type { KeyFields } from './key-fields.ts';

/**
 * What a source is asked for where only rows came that may have changed: what is known of
 * the others is held against it.
 */
export interface RestOfRows {
  /** How many rows there are, those that came included. */
  count(): Promise<number>;
  /** Rejects where the rows are of another table than they were at first. */
  check(): Promise<void>;
  /** The fields of every row's key, in the order of the key. */
  keys(): AsyncIterable<RowBatch>;
  /** All fields of every row, where what was found is to be proven by them. */
  readonly rows?: (() => AsyncIterable<RowBatch>) | undefined;
}

const MAX_EXAMPLES = 5;

/** Keys of rows that are not as they follow from the baseline and the rows that came. */
export class Contradictions {
  #count = 0;
  readonly #examples: string[] = [];

  get count(): number {
    return this.#count;
  }

  /** Rows that are `added` or `updated` though all of those have come before. */
  add(batch: RowBatch, changes: Uint8Array, keyFields: KeyFields): void {
    for (let row = 0; row < batch.rowCount; row++) {
      if (changes[row] === Change.unchanged || changes[row] === Change.deferred) continue;
      this.#count++;
      if (this.#examples.length < MAX_EXAMPLES)
        this.#examples.push(
          `(${keyFields
            .textsOf(batch, row)
            .map(text => text ?? 'NULL')
            .join(', ')})`,
        );
    }
  }

  toString(): string {
    const rows = this.#count === 1 ? '1 row has' : `${this.#count} rows have`;
    return `${rows} changed without being found by xmin, such as ${this.#examples.join(', ')}`;
  }
}
