import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParquetEncoder } from '../../src/encoders/parquet/parquet.ts';
import { RowGroupsEncoder } from '../../src/encoders/row-groups-encoder.ts';
import { batchOf, column } from '../conformance/encoding.ts';
import { DEFAULT_PARQUET_OPTIONS } from '../conformance/parquet-arbitraries.ts';
import { writeParts } from '../conformance/parquet-parts.ts';

const COLUMNS = [column('v')];
const OPTIONS = { ...DEFAULT_PARQUET_OPTIONS, rowGroupRows: 3 };
const ROWS = batchOf(Array.from({ length: 10 }, (_, row) => [`v${row}`]));

test('a document is full when it has as many row groups as it may have', async () => {
  const encoders: RowGroupsEncoder[] = [];
  const create = (): RowGroupsEncoder => {
    const encoder = new RowGroupsEncoder(new ParquetEncoder(COLUMNS, OPTIONS), 2);
    encoders.push(encoder);
    return encoder;
  };
  const parts = await writeParts(create, [ROWS]);
  assert.deepEqual(
    parts.map(({ rows }) => rows),
    [6, 4],
  );
  assert.deepEqual(
    encoders.map(({ rowGroups }) => rowGroups.map(({ rowCount }) => rowCount)),
    [
      [3, 3],
      [3, 1],
    ],
  );
  for (const [index, { bytes }] of parts.entries()) {
    const total = encoders[index]!.rowGroups.reduce((sum, rowGroup) => sum + rowGroup.bytes, 0);
    assert.equal(bytes.length, total);
  }
});
