import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ColumnFiller } from '../../../../src/encoders/parquet/fill/column-filler.ts';
import { isWorthDictionary } from '../../../../src/encoders/parquet/pages/dictionary-use.ts';
import { parquetColumns } from '../../../../src/encoders/parquet/parquet-column.ts';
import type { ColumnKind } from '../../../../src/row-batch.ts';
import { batchOf, column } from '../../../conformance/encoding.ts';
import { DEFAULT_PARQUET_OPTIONS } from '../../../conformance/parquet-arbitraries.ts';

function isWorth(kind: ColumnKind, rows: number, textOf: (row: number) => string | null): boolean {
  const filler = new ColumnFiller(parquetColumns([column('a', kind)], DEFAULT_PARQUET_OPTIONS));
  const batch = batchOf(Array.from({ length: rows }, (_, row) => [textOf(row)]));
  const indexes = Int32Array.from({ length: rows }, (_, index) => index);
  assert.equal(filler.take(batch, indexes, 0, rows), true);
  return isWorthDictionary(filler.finish().columns[0]!);
}

/** Without a pattern that the choice of samples could meet. */
function scattered(row: number): number {
  const mixed = Math.imul(row ^ (row >>> 7), 0x2c1b3c6d);
  return Math.imul(mixed ^ (mixed >>> 15), 0x9e3779b1) >>> 1;
}

test('a dictionary is worth it where values repeat', () => {
  const rows = 100_000;
  assert.equal(
    isWorth('int64', rows, row => String(row * 17)),
    false,
  );
  assert.equal(
    isWorth('text', rows, row => `user${row}@example.com`),
    false,
  );
  assert.equal(
    isWorth('text', rows, row => ['FR', 'DE', 'US'][row % 3]!),
    true,
  );
  assert.equal(
    isWorth('int32', rows, row => String(row % 70)),
    true,
  );
  assert.equal(
    isWorth('date', rows, row => `20${10 + (row % 90)}-01-01`),
    true,
  );
  assert.equal(
    isWorth('text', rows, row => (row % 10 === 0 ? `note ${row % 50}` : null)),
    true,
  );
  assert.equal(
    isWorth('text', rows, row => (row % 2 === 0 ? `note ${row}` : null)),
    false,
  );
  // Neither clear at the first look: a dictionary of 240 kB and 188 kB of indexes for 800
  // kB, and one of 720 kB.
  assert.equal(
    isWorth('int64', rows, row => String(scattered(row) % 30_000)),
    true,
  );
  assert.equal(
    isWorth('int64', rows, row => String(scattered(row) % 90_000)),
    false,
  );
  assert.equal(
    isWorth('text', rows, () => null),
    false,
  );
  assert.equal(
    isWorth('boolean', rows, () => 't'),
    false,
  );
  assert.equal(
    isWorth('text', 3, row => 'same value'.repeat(row < 3 ? 10 : 1)),
    true,
  );
  assert.equal(
    isWorth('int32', 3, row => String(row)),
    false,
  );
});
