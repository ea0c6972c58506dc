/**
 * What a baseline retained of rows that are gone, as rows of the present columns.
 */

import { batchOf } from '../baseline/spill.ts';
import { Change, type RowBatch } from '../row-batch.ts';

const BATCH_BYTES = 256 * 1024;
/** A field is a 4-byte length and its bytes; NULL has a length of -1. */
const NULL_FIELD = Buffer.from([0xff, 0xff, 0xff, 0xff]);

/**
 * The row whose fields stand at `places` among those that were retained; without a place
 * they are NULL.
 */
export function rowOfFields(retained: Buffer, places: readonly (number | undefined)[]): Buffer {
  const bounds = fieldBounds(retained);
  const fieldAt = (place: number): Buffer => retained.subarray(bounds[place]!, bounds[place + 1]!);
  return Buffer.concat(places.map(place => (place === undefined ? NULL_FIELD : fieldAt(place))));
}

/** Where each field of a row begins, and where the last one ends. */
export function fieldBounds(row: Buffer): number[] {
  const bounds = [0];
  for (let at = 0; at < row.length; bounds.push(at)) at += 4 + Math.max(0, row.readInt32BE(at));
  return bounds;
}

/** Rows in batches of some size, as they are made of what was retained. */
export async function* removedBatches(
  retained: AsyncIterable<readonly [index: number, value: Buffer]>,
  rowOf: (value: Buffer) => Buffer,
): AsyncGenerator<RowBatch> {
  let rows: Buffer[] = [];
  let bytes = 0;
  for await (const [, value] of retained) {
    const row = rowOf(value);
    rows.push(row);
    bytes += row.length;
    if (bytes < BATCH_BYTES) continue;
    yield removedBatch(rows);
    rows = [];
    bytes = 0;
  }
  if (rows.length > 0) yield removedBatch(rows);
}

/** One batch of these rows. */
export function removedBatch(rows: readonly Buffer[]): RowBatch {
  const bounds: number[] = [];
  let bytes = 0;
  for (const { length } of rows) {
    bounds.push(bytes, bytes + length);
    bytes += length;
  }
  return batchOf(Buffer.concat(rows, bytes), bounds, Change.removed);
}
