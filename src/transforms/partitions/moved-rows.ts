import type { Baseline } from '../../baseline/baseline.ts';
import { HASH_WORDS, type KeyTable } from '../../baseline/key-table.ts';
import { Change, type RowBatch } from '../../row-batch.ts';
import { fieldBounds, removedBatch } from '../removed-rows.ts';

export interface MovedRowsOptions {
  readonly baseline: Pick<Baseline, 'values'>;
  readonly table: KeyTable;
  readonly partitionFields: readonly number[];
  /** A row of the present columns of what the baseline retained. */
  readonly rowOf: (value: Buffer) => Buffer;
  /** Is given each row that has moved, as it was. */
  readonly onMoved: (row: Buffer) => void;
}

/** Finds, among rows that have changed, those that are in another partition now. */
export class MovedRows {
  readonly #options: MovedRowsOptions;

  constructor(options: MovedRowsOptions) {
    this.#options = options;
  }

  /**
   * Makes them `added`. Returns what they were, `removed`; nothing where none has moved.
   * `hashes` are those that the table was asked for.
   */
  async find(batch: RowBatch, hashes: Int32Array, changes: Uint8Array): Promise<RowBatch | undefined> {
    const { baseline, table, partitionFields, rowOf, onMoved } = this.#options;
    const updated: number[] = [];
    for (let row = 0; row < batch.rowCount; row++) if (changes[row] === Change.updated) updated.push(row);
    if (updated.length === 0) return undefined;
    const references = Int32Array.from(updated, row => table.referenceOf(hashes, row * HASH_WORDS));
    const rows: Buffer[] = [];
    for await (const [index, value] of baseline.values(references)) {
      const row = updated[index]!;
      const before = rowOf(value);
      const now = batch.bytes.subarray(batch.rowBounds[2 * row]!, batch.rowBounds[2 * row + 1]!);
      if (haveEqual(partitionFields, before, now)) continue;
      changes[row] = Change.added;
      onMoved(before);
      rows.push(before);
    }
    return rows.length === 0 ? undefined : removedBatch(rows);
  }
}

function haveEqual(fields: readonly number[], a: Buffer, b: Buffer): boolean {
  const boundsOfA = fieldBounds(a);
  const boundsOfB = fieldBounds(b);
  return fields.every(field => {
    const [startOfA, endOfA] = [boundsOfA[field]!, boundsOfA[field + 1]!];
    const [startOfB, endOfB] = [boundsOfB[field]!, boundsOfB[field + 1]!];
    return a.compare(b, startOfB, endOfB, startOfA, endOfA) === 0;
  });
}
