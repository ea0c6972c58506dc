import type { Change, RowBatch } from '../row-batch.ts';

/**
 * Which rows of a batch go on, as indexes into it. Both arrays are valid until the next
 * call.
 */
export interface Selection {
  readonly rows: Int32Array;
  readonly count: number;
}

/**
 * Picks the rows of a batch by their change. Its arrays are reused: nothing is allocated
 * per row or per batch.
 */
export class RowSelector {
  #all = new Int32Array(0);
  #picked = new Int32Array(0);

  all(batch: RowBatch): Selection {
    if (this.#all.length < batch.rowCount) {
      this.#all = Int32Array.from({ length: batch.rowCount }, (_, index) => index);
    }
    return { rows: this.#all, count: batch.rowCount };
  }

  /** @param wanted bit `1 << change` is set for every wanted change */
  // hot: bench/row-path. Invariant: `count` never passes `row`, so a row that is not
  // wanted is overwritten.
  pick(changes: Uint8Array, rowCount: number, wanted: number): Selection {
    if (this.#picked.length < rowCount) this.#picked = new Int32Array(rowCount);
    const rows = this.#picked;
    let count = 0;
    for (let row = 0; row < rowCount; row++) {
      rows[count] = row;
      count += (wanted >> changes[row]!) & 1;
    }
    return { rows, count };
  }
}

export function changeBits(wants: readonly Change[]): number {
  return wants.reduce<number>((bits, change) => bits | (1 << change), 0);
}
