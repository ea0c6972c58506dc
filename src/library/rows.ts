/** Rows of a batch as values, for parts of a program's own. */

import { Readable } from 'node:stream';
import type { RowBatch } from '../row-batch.ts';

/**
 * A value in the text form of PostgreSQL, or the bytes of that text; `null` is NULL. For
 * example `t` for true, `2025-04-14 07:00:00+00`, `\x00ff`, `{a,b}`.
 */
export type RowValue = string | Uint8Array | null;

/** The values of a row, in the order of the columns that were asked for. */
export type Row = readonly RowValue[];

/** A batch is sent on with so many bytes, or so many rows. */
const BATCH_BYTES = 256 * 1024;
const BATCH_ROWS = 8_192;
const LENGTH_BYTES = 4;
const NULL_LENGTH = -1;

/**
 * What `read` of a source returns: the rows as batches. An error of the iterable destroys
 * the stream, and destroying the stream ends the iterable.
 */
export function batchesOf(rows: Iterable<Row> | AsyncIterable<Row>): Readable {
  return Readable.from(toBatches(rows), { objectMode: true, highWaterMark: 1 });
}

async function* toBatches(rows: Iterable<Row> | AsyncIterable<Row>): AsyncGenerator<RowBatch> {
  let pieces: Uint8Array[] = [];
  let bounds: number[] = [];
  let bytes = 0;
  const take = (): RowBatch => {
    const batch = {
      bytes: Buffer.concat(pieces, bytes),
      rowCount: bounds.length / 2,
      rowBounds: Int32Array.from(bounds),
      changes: undefined,
    };
    pieces = [];
    bounds = [];
    bytes = 0;
    return batch;
  };
  for await (const row of rows) {
    const start = bytes;
    for (const value of row) {
      const field = typeof value === 'string' ? Buffer.from(value) : value;
      const length = Buffer.allocUnsafe(LENGTH_BYTES);
      length.writeInt32BE(field?.length ?? NULL_LENGTH);
      pieces.push(length);
      if (field !== null) pieces.push(field);
      bytes += LENGTH_BYTES + (field?.length ?? 0);
    }
    bounds.push(start, bytes);
    if (bytes >= BATCH_BYTES || bounds.length >= 2 * BATCH_ROWS) yield take();
  }
  if (bounds.length > 0) yield take();
}

/**
 * The first `count` values of row `row` of a batch, as many as there are columns to
 * write: columns of the key may follow. The bytes are a part of the batch, and not a
 * copy.
 */
export function valuesOf(batch: RowBatch, row: number, count: number): (Buffer | null)[] {
  const { bytes, rowBounds } = batch;
  const values: (Buffer | null)[] = [];
  let at = rowBounds[2 * row]!;
  for (let index = 0; index < count; index++) {
    const length = bytes.readInt32BE(at);
    at += LENGTH_BYTES;
    values.push(length === NULL_LENGTH ? null : bytes.subarray(at, at + length));
    at += Math.max(0, length);
  }
  return values;
}
