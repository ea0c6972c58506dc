import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tableFromIPC } from 'apache-arrow';
import { ipcStream, schemaMessage } from '../../../src/encoders/parquet/arrow-ipc.ts';
import { Fields } from '../../../src/encoders/parquet/fields.ts';
import { ColumnBuffer } from '../../../src/encoders/parquet/fill/column-buffer.ts';
import { FILLS } from '../../../src/encoders/parquet/fill/fill.ts';
import { parquetColumns } from '../../../src/encoders/parquet/parquet-column.ts';
import type { Column } from '../../../src/row-batch.ts';
import { batchOf, column } from '../../conformance/encoding.ts';
import { DEFAULT_PARQUET_OPTIONS } from '../../conformance/parquet-arbitraries.ts';

function filled(columns: readonly Column[], rows: readonly (readonly (string | null)[])[]): ColumnBuffer[] {
  const batch = batchOf(rows);
  const fields = new Fields(columns.length);
  const indexes = Int32Array.from(rows, (_, index) => index);
  fields.locate(batch, indexes, 0, rows.length);
  return parquetColumns(columns, DEFAULT_PARQUET_OPTIONS).map((parquet, index) => {
    const buffer = new ColumnBuffer(parquet);
    buffer.reserveRows(rows.length, 0);
    const first = index * fields.maxRows;
    const fill = FILLS[parquet.kind];
    assert.equal(fill(buffer, 0, batch.bytes, fields.starts, fields.lengths, first, rows.length), -1);
    return buffer;
  });
}

test('writes Arrow that Arrow itself reads', () => {
  const columns: Column[] = [
    column('a', 'int64'),
    column('b', 'text'),
    column('c', 'boolean'),
    column('d', 'date'),
    { ...column('e', 'numeric'), precision: 30, scale: 2 },
    column('f', 'timestamptz'),
    column('g', 'uuid'),
    column('h', 'bytes'),
  ];
  const rows = [
    [
      '1',
      'é',
      't',
      '1970-01-02',
      '-1.50',
      '1970-01-01 00:00:01+00',
      '00000000-0000-0000-0000-0000000000ff',
      '\\x01',
    ],
    [null, null, null, null, null, null, null, null],
    [
      '-1',
      '',
      'f',
      '1969-12-31',
      '1',
      '1969-12-31 23:59:59+00',
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
      '\\x',
    ],
  ];
  const buffers = filled(columns, rows);
  const schema = schemaMessage(buffers.map(({ column }) => column));
  const table = tableFromIPC(ipcStream(schema, buffers, rows.length, undefined));
  assert.deepEqual(
    table.schema.fields.map(({ name, type, nullable }) => `${name} ${type} ${nullable}`),
    [
      'c0 Int64 true',
      'c1 Utf8 true',
      'c2 Bool true',
      'c3 Date32<DAY> true',
      'c4 Decimal[30e+2] true',
      'c5 Timestamp<MICROSECOND, UTC> true',
      'c6 FixedSizeBinary[16] true',
      'c7 Binary true',
    ],
  );
  const valuesOf = (name: string): unknown[] => [...(table.getChild(name) ?? [])];
  assert.deepEqual(valuesOf('c0'), [1n, null, -1n]);
  assert.deepEqual(valuesOf('c1'), ['é', null, '']);
  assert.deepEqual(valuesOf('c2'), [true, null, false]);
  assert.deepEqual(valuesOf('c3').map(Number), [86_400_000, 0, -86_400_000]);
  assert.deepEqual(valuesOf('c5'), [1000, null, -1000]);
});

test('uses the memory of the stream before where it is large enough', () => {
  const [buffer] = filled([column('a', 'int32')], [['7'], ['8']]);
  const schema = schemaMessage([buffer!.column]);
  const fresh = ipcStream(schema, [buffer!], 2, undefined);
  const memory = new ArrayBuffer(fresh.length + 100);
  new Uint8Array(memory).fill(0xa7);
  const reused = ipcStream(schema, [buffer!], 2, memory);
  assert.equal(reused.buffer, memory);
  assert.deepEqual([...tableFromIPC(reused).getChild('c0')!], [7, 8]);
  assert.notEqual(ipcStream(schema, [buffer!], 2, new ArrayBuffer(8)).buffer.byteLength, 8);
});
