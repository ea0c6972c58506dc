/**
 * What only sizes and places bring out: large values, pages that end, rows between other
 * things.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parquetMetadata } from 'hyparquet';
import { ParquetEncoder } from '../../../../src/encoders/parquet/parquet.ts';
import { parquetColumns } from '../../../../src/encoders/parquet/parquet-column.ts';
import { SluiceError } from '../../../../src/errors.ts';
import type { Column } from '../../../../src/row-batch.ts';
import { batchOf, column, type FieldValue } from '../../../conformance/encoding.ts';
import { DEFAULT_PARQUET_OPTIONS } from '../../../conformance/parquet-arbitraries.ts';
import { writeFile } from '../../../conformance/parquet-parts.ts';
import { type CanonicalRow, readWithHyparquet } from '../../../conformance/parquet-readers.ts';

async function write(columns: readonly Column[], rows: readonly (readonly FieldValue[])[]): Promise<Buffer> {
  return writeFile(() => new ParquetEncoder(columns, DEFAULT_PARQUET_OPTIONS), [batchOf(rows)]);
}

async function read(file: Buffer, columns: readonly Column[]): Promise<CanonicalRow[]> {
  return readWithHyparquet(file, parquetColumns(columns, DEFAULT_PARQUET_OPTIONS));
}

function statisticsOf(file: Buffer, index: number) {
  const bytes = new ArrayBuffer(file.length);
  new Uint8Array(bytes).set(file);
  const { statistics } = parquetMetadata(bytes).row_groups[0]!.columns[index]!.meta_data!;
  assert.ok(statistics);
  return statistics;
}

const LARGE = 64 * 1024;

test('writes large values among small ones and NULL, of every kind that can be large', async () => {
  const columns: Column[] = [
    column('n', 'int32'),
    column('text'),
    column('bytes', 'bytes'),
    column('json', 'json'),
    { ...column('array'), sourceType: 'text[]', element: { kind: 'text', delimiter: ',' } },
  ];
  const rows: (string | null)[][] = [];
  const expected: (string | null)[][] = [];
  [0, 1, LARGE - 1, LARGE, LARGE + 1, 5, 3 * LARGE, 2_500_000].forEach((size, n) => {
    const text = 'é'.repeat(size >> 1);
    const hex = 'a7'.repeat(size >> 1);
    const some = (value: string, column: number): string | null => ((n + column) % 4 === 0 ? null : value);
    rows.push([`${n}`, some(text, 0), some(`\\x${hex}`, 1), some(`"${text}"`, 2), some(`{"${text}\\""}`, 3)]);
    expected.push([
      `${n}`,
      some(text, 0),
      some(hex, 1),
      some(`"${text}"`, 2),
      some(JSON.stringify([`${text}"`]), 3),
    ]);
  });
  assert.deepEqual(await read(await write(columns, rows), columns), expected);
});

test('refuses large values that a column cannot hold, with their row', async () => {
  const cases: [Column, string | Buffer][] = [
    [column('a'), Buffer.alloc(LARGE + 1, 0xc3)],
    [column('a', 'bytes'), `\\x${'0g'.repeat(LARGE)}`],
    [column('a', 'int32'), '1'.repeat(LARGE + 1)],
    [
      { ...column('a'), sourceType: 'text[]', element: { kind: 'text', delimiter: ',' } },
      `{${'a'.repeat(LARGE)}`,
    ],
  ];
  for (const [of, value] of cases) {
    await assert.rejects(
      write([of], [[null], [value]]),
      (error: unknown) =>
        error instanceof SluiceError &&
        error.code === 'VALUE_NOT_EXPRESSIBLE' &&
        error.message.startsWith('column "a", row 2 of the file: '),
    );
  }
});

test('goes on where a page ends, in the middle of bytes of levels and of bits', async () => {
  const columns = [column('n', 'int64'), column('b', 'boolean'), column('t'), column('none')];
  const rows = Array.from({ length: 140_003 }, (_, n) => [
    `${n * 1_000_003}`,
    n % 7 === 0 ? null : n % 3 === 0 ? 't' : 'f',
    n < 70_000 || n % 5 > 0 ? `text number ${n}` : null,
    null,
  ]);
  const options = { ...DEFAULT_PARQUET_OPTIONS, rowGroupRows: 1_000_000 };
  const file = await writeFile(() => new ParquetEncoder(columns, options), [batchOf(rows)]);
  const found = await read(file, columns);
  assert.equal(found.length, rows.length);
  found.forEach(([n, b, t, none], index) => {
    const [number, flag, text] = rows[index]!;
    const expected = flag === null ? null : String(flag === 't');
    assert.ok(n === number && b === expected && t === text && none === null, `row ${index}`);
  });
});

test('cuts least and greatest texts off so that none is outside, in whole characters', async () => {
  const long = (last: string): string => `${'x'.repeat(63)}${last}`;
  const bounds = async (kind: 'text' | 'bytes', values: readonly string[]) => {
    const file = await write(
      [column('a', kind)],
      values.map(value => [kind === 'bytes' ? `\\x${Buffer.from(value, 'latin1').toString('hex')}` : value]),
    );
    const { min_value, max_value, is_min_value_exact, is_max_value_exact } = statisticsOf(file, 0);
    return { least: min_value, most: max_value, exact: [is_min_value_exact, is_max_value_exact] };
  };
  assert.deepEqual(await bounds('text', ['b', '', 'ba', 'a']), {
    least: '',
    most: 'ba',
    exact: [true, true],
  });
  assert.deepEqual(await bounds('text', [long('é'), long('ég')]), {
    least: 'x'.repeat(63),
    most: `${'x'.repeat(62)}y`,
    exact: [false, false],
  });
  assert.deepEqual(await bounds('text', [long('a'), long('ab')]), {
    least: long('a'),
    most: long('b'),
    exact: [true, false],
  });
  const none = await bounds('text', ['\u{10ffff}'.repeat(20)]);
  assert.equal(none.most, undefined);
});
