import type { Baseline } from '../baseline/baseline.ts';
import { bucketOf, HASH_WORDS, type KeyTable } from '../baseline/key-table.ts';
import { referenceOf } from '../baseline/reference-of.ts';
import { rowOfFields } from './removed-rows.ts';

export interface RowBeforeOptions {
  readonly baseline: Baseline | undefined;
  readonly table: KeyTable;
  /** Where the fields of a row stand in what the baseline retained of it. */
  readonly places: readonly (number | undefined)[] | undefined;
}

/**
 * What the baseline has in the place of an updated row; `undefined` where it does not
 * retain all of it. `row` counts in `hashes`. For a few rows only.
 */
export async function rowBefore(
  { baseline, table, places }: RowBeforeOptions,
  hashes: Int32Array,
  row: number,
): Promise<Buffer | undefined> {
  const at = row * HASH_WORDS;
  const bucket = bucketOf(hashes[at]!);
  if (baseline === undefined || !places?.every(place => place !== undefined)) return undefined;
  if (!table.isResident(bucket)) return undefined;
  const reference = referenceOf(table.slotsOf(bucket), hashes, at);
  if (reference === undefined) return undefined;
  for await (const [, value] of baseline.values(Int32Array.of(reference))) return rowOfFields(value, places);
  return undefined;
}
