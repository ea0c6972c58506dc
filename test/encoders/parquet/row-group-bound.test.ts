import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParquetFile } from '../../../src/encoders/parquet/file/parquet-file.ts';
import { physicalWidth } from '../../../src/encoders/parquet/file/parquet-schema.ts';
import { rowGroupMetadata } from '../../../src/encoders/parquet/file/row-group-metadata.ts';
import { ColumnFiller } from '../../../src/encoders/parquet/fill/column-filler.ts';
import { writeRowGroup } from '../../../src/encoders/parquet/pages/row-group-writer.ts';
import { parquetColumns } from '../../../src/encoders/parquet/parquet-column.ts';
import type { ParquetOptions } from '../../../src/encoders/parquet/parquet-options.ts';
import { rowGroupBound } from '../../../src/encoders/parquet/row-group-bound.ts';
import type { Column } from '../../../src/row-batch.ts';
import { batchOf, column } from '../../conformance/encoding.ts';
import { DEFAULT_PARQUET_OPTIONS } from '../../conformance/parquet-arbitraries.ts';

/** Digits without order, the same ones every time. */
const scattered = (row: number): number => Math.imul(row + 1, 0x9e3779b1) >>> 1;
const hex = (row: number): string =>
  [1, 2, 3, 4]
    .map(salt =>
      scattered(row * 4 + salt)
        .toString(16)
        .padStart(8, '0'),
    )
    .join('');

const COLUMNS: readonly { of: Column; value: (row: number) => string }[] = [
  { of: column('n', 'int32'), value: row => String(scattered(row)) },
  { of: column('s', 'int16'), value: row => String(scattered(row) % 30_000) },
  { of: column('d', 'float64'), value: row => String(scattered(row) / 7) },
  {
    of: { ...column('m', 'numeric'), precision: 38, scale: 0 },
    value: row => `-${scattered(row)}${scattered(row + 9)}`,
  },
  { of: column('e'), value: () => '' },
  { of: column('t'), value: row => String.fromCharCode(97 + (scattered(row) % 26)) },
  { of: column('a long name of a column '.repeat(20)), value: row => hex(row).repeat(1 + (row % 4)) },
  { of: column('b', 'bytes'), value: row => `\\x${hex(row)}` },
  { of: column('u', 'uuid'), value: row => hex(row) },
  { of: column('f', 'boolean'), value: row => (scattered(row) % 2 === 0 ? 't' : 'f') },
];

/** Bytes that one row group takes, footer included, and their bound. */
async function measure(
  columns: readonly { of: Column; value: (row: number) => string }[],
  rowCount: number,
  compression: ParquetOptions['compression'],
  isNull: (row: number) => boolean,
): Promise<{ bytes: number; bound: number }> {
  const parquet = parquetColumns(
    columns.map(({ of }) => of),
    DEFAULT_PARQUET_OPTIONS,
  );
  const batch = batchOf(
    Array.from({ length: rowCount }, (_, row) =>
      columns.map(({ value }) => (isNull(row) ? null : value(row))),
    ),
  );
  const indexes = Int32Array.from({ length: rowCount }, (_, index) => index);
  const filler = new ColumnFiller(parquet);
  assert.equal(filler.take(batch, indexes, 0, rowCount), true);
  const { dataBytes } = filler;
  const { columns: filled, crates } = filler.finish();
  const requested = filled.map(({ pages }, index) => {
    const { kind } = parquet[index]!;
    return { width: physicalWidth(parquet[index]!), dictionary: kind !== 'boolean', pages };
  });
  const { bytes: pages, chunks } = await writeRowGroup({ columns: requested, crates, compression });
  const whole = new ParquetFile(parquet, 'test');
  const before = whole.tailBytes;
  const facts = filled.map((column, index) => ({
    column: parquet[index]!,
    filled: column,
    written: chunks[index]!,
  }));
  whole.appendRowGroup(rowGroupMetadata(facts, rowCount, compression, 0), rowCount, 0, pages.length);
  const bytes = pages.length + whole.tailBytes - before;
  const { perGroup, perRow, perDataByte } = rowGroupBound(parquet);
  return { bytes, bound: perGroup + perRow * rowCount + perDataByte * dataBytes };
}

test('no row group takes more than its bound, whatever its values, encodings and compression', async () => {
  const nulls = [
    () => false,
    (row: number) => scattered(row) % 2 === 0,
    (row: number) => row % 16 < 8,
    () => true,
  ];
  for (const compression of ['snappy', 'zstd', 'gzip', 'none'] as const) {
    for (const rowCount of [1, 20, 1000, 25_000]) {
      for (const isNull of nulls) {
        for (const columns of [...COLUMNS.map(of => [of]), COLUMNS]) {
          // Many rows take time, and differ in their pages only.
          if (rowCount > 1000 && (columns.length > 1 || compression === 'zstd' || compression === 'gzip'))
            continue;
          const { bytes, bound } = await measure(columns, rowCount, compression, isNull);
          const what = `${columns.map(({ of }) => of.kind)}, ${rowCount} rows, ${compression}`;
          assert.ok(bytes <= bound, `${what}: ${bytes} bytes, and the bound is ${bound}`);
        }
      }
    }
  }
});
