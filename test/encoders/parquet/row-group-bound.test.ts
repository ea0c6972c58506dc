import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipcStream, schemaMessage } from '../../../src/encoders/parquet/arrow-ipc.ts';
import { Fields } from '../../../src/encoders/parquet/fields.ts';
import { ParquetFile } from '../../../src/encoders/parquet/file/parquet-file.ts';
import { ColumnBuffer } from '../../../src/encoders/parquet/fill/column-buffer.ts';
import { FILLS } from '../../../src/encoders/parquet/fill/fill.ts';
import { parquetColumns } from '../../../src/encoders/parquet/parquet-column.ts';
import type { ParquetOptions } from '../../../src/encoders/parquet/parquet-options.ts';
import { rowGroupBound } from '../../../src/encoders/parquet/row-group-bound.ts';
import { rowGroupWriter } from '../../../src/encoders/parquet/row-group-writer.ts';
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
  const buffers = parquet.map(of => new ColumnBuffer(of));
  const fields = new Fields(parquet.length);
  for (let from = 0; from < rowCount; from += fields.maxRows) {
    const to = Math.min(rowCount, from + fields.maxRows);
    fields.locate(batch, indexes, from, to);
    buffers.forEach((buffer, index) => {
      buffer.reserveRows(to, from);
      const fill = FILLS[buffer.column.kind];
      const first = index * fields.maxRows;
      assert.equal(fill(buffer, from, batch.bytes, fields.starts, fields.lengths, first, to - from), -1);
    });
  }
  const stream = ipcStream(schemaMessage(parquet), buffers, rowCount, undefined);
  // Dictionaries for all, whether they are of use or not.
  const request = {
    stream,
    rowCount,
    compression,
    dictionary: true,
    withoutDictionary: [],
    withoutStatistics: [],
  };
  const { file } = await rowGroupWriter.write(request);
  const whole = new ParquetFile(parquet, 'test');
  const before = whole.tailBytes;
  const bytes = whole.append(file, rowCount).length + whole.tailBytes - before;
  const { perGroup, perRow, perDataByte } = rowGroupBound(parquet);
  const dataBytes = buffers.reduce((sum, buffer) => sum + buffer.dataBytes, 0);
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
