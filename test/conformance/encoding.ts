/**
 * Batches made of texts, and a stand-in for the sink that catches an encoder that breaks
 * its contract.
 */
import assert from 'node:assert/strict';
import type { Encoder, OutputBuffer } from '../../src/encoders/encoder.ts';
import type { Column, ColumnKind, RowBatch } from '../../src/row-batch.ts';

/** One field: the text or the bytes that the database would send; null is NULL. */
export type FieldValue = string | Buffer | null;

export function column(name: string, kind: ColumnKind = 'text'): Column {
  return { name, source: name, kind, sourceType: kind };
}

/** What stands between rows may be anything at all. */
const BETWEEN_ROWS = Buffer.from('"\r\n,\u0000between rows');

/**
 * Rows as a source sends them. Fields beyond the encoder's columns are key columns that
 * are not written.
 */
export function batchOf(rows: readonly (readonly FieldValue[])[]): RowBatch {
  const parts: Buffer[] = [];
  const rowBounds = new Int32Array(rows.length * 2);
  let at = 0;
  const add = (bytes: Buffer): void => {
    parts.push(bytes);
    at += bytes.length;
  };
  rows.forEach((row, index) => {
    add(BETWEEN_ROWS);
    rowBounds[2 * index] = at;
    for (const value of row) {
      const bytes = value === null ? null : Buffer.from(value);
      const length = Buffer.alloc(4);
      length.writeInt32BE(bytes?.length ?? -1);
      add(length);
      if (bytes !== null) add(bytes);
    }
    rowBounds[2 * index + 1] = at;
  });
  return { bytes: Buffer.concat(parts), rowCount: rows.length, rowBounds, changes: undefined };
}

/** Byte values that an encoder must leave alone on both sides of the room it is given. */
const GUARD_BYTES = 64;
const GUARDS = Buffer.alloc(GUARD_BYTES, 0xa7);

interface GuardedOutput extends OutputBuffer {
  /** What was written, after a look at the guards. */
  written(): Buffer;
}

/** Room for exactly `roomBytes`. */
export function outputOf(roomBytes: number): GuardedOutput {
  // Not filled: rooms are large, and most of them stay empty.
  const bytes = Buffer.allocUnsafeSlow(roomBytes + 2 * GUARD_BYTES);
  GUARDS.copy(bytes);
  GUARDS.copy(bytes, GUARD_BYTES + roomBytes);
  return {
    bytes,
    position: GUARD_BYTES,
    limit: GUARD_BYTES + roomBytes,
    written() {
      assert.ok(this.position >= GUARD_BYTES && this.position <= this.limit, 'position is within the room');
      assert.ok(bytes.subarray(0, GUARD_BYTES).equals(GUARDS), 'nothing was written before position');
      assert.ok(bytes.subarray(GUARD_BYTES + roomBytes).equals(GUARDS), 'nothing was written past limit');
      return bytes.subarray(GUARD_BYTES, this.position);
    },
  };
}

export interface EncodeOptions {
  /** Room of one call of `encode`; a row that does not fit gets `rowBytesBound`. */
  readonly roomBytes?: number;
  /** Which rows of each batch; default all. */
  readonly rows?: Int32Array;
}

/** One whole part, written through rooms of `roomBytes`. */
export function encodePart(
  encoder: Encoder,
  batches: readonly RowBatch[],
  { roomBytes = 64 * 1024, rows: selected }: EncodeOptions = {},
): Buffer {
  const begin = outputOf(encoder.beginBytes);
  encoder.begin(begin);
  const chunks = [begin.written()];
  for (const batch of batches) {
    const rows = selected ?? allRows(batch);
    let next = 0;
    let room = roomBytes;
    while (next < rows.length) {
      const out = outputOf(room);
      const reached = encoder.encode(batch, rows, next, rows.length, out);
      const written = out.written();
      if (reached > next) {
        chunks.push(written);
        next = reached;
        room = roomBytes;
        continue;
      }
      assert.equal(written.length, 0, 'a row that does not fit leaves nothing behind');
      const bound = encoder.rowBytesBound(batch, rows[next]!);
      assert.ok(bound > room, `row ${next} did not fit in ${room} bytes, though its bound is ${bound}`);
      room = bound;
    }
  }
  const end = outputOf(encoder.endBytes);
  encoder.end(end);
  chunks.push(end.written());
  return Buffer.concat(chunks);
}

export function allRows(batch: RowBatch): Int32Array {
  return Int32Array.from({ length: batch.rowCount }, (_, index) => index);
}

/**
 * Gives an encoder every room in which the first rows of the batch do or just do not fit.
 */
export function assertFillsParts(create: () => Encoder, batch: RowBatch): void {
  const rows = allRows(batch);
  const write = (count: number, roomBytes: number): { readonly reached: number; readonly bytes: Buffer } => {
    const out = outputOf(roomBytes);
    const reached = create().encode(batch, rows, 0, count, out);
    return { reached, bytes: out.written() };
  };
  const counts = [...rows, rows.length];
  const ends = counts.map(count => write(count, 1 << 20).bytes.length);
  const all = write(rows.length, 1 << 20).bytes;
  for (const count of counts) {
    for (const roomBytes of new Set(ends.flatMap(end => [end - 1, end, end + 1]))) {
      if (roomBytes < 0) continue;
      const { reached, bytes } = write(count, roomBytes);
      const fitting = ends.findLastIndex(end => end <= roomBytes);
      assert.equal(reached, Math.min(count, fitting), `${count} rows in ${roomBytes} bytes`);
      assertSameBytes(bytes, all.subarray(0, ends[reached]));
    }
  }
}

/** Says where two files part, not all that they hold. */
export function assertSameBytes(actual: Buffer, expected: Buffer): void {
  if (actual.equals(expected)) return;
  let at = 0;
  while (actual[at] === expected[at]) at++;
  const around = (bytes: Buffer): string => bytes.subarray(Math.max(0, at - 60), at + 60).toString();
  assert.equal(around(actual), around(expected), `first difference at byte ${at} of ${expected.length}`);
  assert.fail(`the files differ at byte ${at}`);
}
