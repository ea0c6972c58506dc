/** What a file cannot hold is refused, NULL or replaced, by both engines of a format. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { parquetFormat } from '../../../src/config/schema/schema-formats.ts';
import { withConversions } from '../../../src/encoders/conversions/converting-encoder.ts';
import type { BufferingEncoder } from '../../../src/encoders/encoder.ts';
import { ParquetLibraryEncoder } from '../../../src/encoders/parquet/library/parquet-library.ts';
import { ParquetEncoder } from '../../../src/encoders/parquet/parquet.ts';
import { parquetColumns } from '../../../src/encoders/parquet/parquet-column.ts';
import { parquetHolding } from '../../../src/encoders/parquet/parquet-holding.ts';
import type { Column } from '../../../src/row-batch.ts';
import { batchOf, column, encodePart } from '../../conformance/encoding.ts';
import { writeFile } from '../../conformance/parquet-parts.ts';
import { readWithHyparquet } from '../../conformance/parquet-readers.ts';
import { engines, type Keys, type Rows, type TextType, written } from './engines.ts';

const NUMBERS = [column('n', 'float64'), column('t')];
const NUMBER_ROWS: Rows = [
  ['1.5', 'a'],
  ['NaN', null],
  ['-Infinity', Buffer.of(0x61, 0xff)],
];

function coercedBy(type: TextType, keys: Keys, columns: readonly Column[], rows: Rows): number[][] {
  return engines(type, keys, columns).map(encoder => {
    encodePart(encoder, [batchOf(rows)], { roomBytes: 8 });
    return columns.map(column => encoder.coerced?.get(column) ?? 0);
  });
}

test('JSON has no NaN and no bytes: they are refused, null, or replaced, and counted', () => {
  const keys = (onUnrepresentable: string): Keys => ({ onUnrepresentable });
  assert.throws(
    () => written('json', keys('fail'), NUMBERS, NUMBER_ROWS),
    /column "n" holds NaN, which JSON does not have, in row 2 of its file/,
  );
  assert.equal(
    written('json', keys('null'), NUMBERS, NUMBER_ROWS),
    '{"n":1.5,"t":"a"}\n{"n":null,"t":null}\n{"n":null,"t":null}\n',
  );
  assert.equal(
    written('json', keys('replace'), NUMBERS, NUMBER_ROWS),
    '{"n":1.5,"t":"a"}\n{"n":"NaN","t":null}\n{"n":"-Infinity","t":"a\ufffd"}\n',
  );
  for (const otherwise of ['null', 'replace']) {
    assert.deepEqual(coercedBy('json', keys(otherwise), NUMBERS, NUMBER_ROWS), [
      [2, 1],
      [2, 1],
    ]);
  }
});

const TEXT = [column('t')];
const TEXT_ROWS: Rows = [['a\u0001b'], [Buffer.of(0xff, 0x62)], ['c']];

test('XML has no control characters: they are refused, NULL, or replaced, and counted', () => {
  assert.throws(
    () => written('xml', { onUnrepresentable: 'fail' }, TEXT, TEXT_ROWS),
    /column "t" holds the character U\+0001, which XML does not have, in row 1 of its file/,
  );
  const made = (onUnrepresentable: string): string[] =>
    written('xml', { onUnrepresentable }, TEXT, TEXT_ROWS).match(/<t.*?(?:\/>|<\/t>)/g)!;
  assert.deepEqual(made('null'), ['<t xsi:nil="true"/>', '<t xsi:nil="true"/>', '<t>c</t>']);
  assert.deepEqual(made('replace'), ['<t>a\ufffdb</t>', '<t>\ufffdb</t>', '<t>c</t>']);
  for (const onUnrepresentable of ['null', 'replace']) {
    assert.deepEqual(coercedBy('xml', { onUnrepresentable }, TEXT, TEXT_ROWS), [[2], [2]]);
  }
});

test('CSV in UTF-8 has no other bytes, where that is asked for', () => {
  const rows = TEXT_ROWS.slice(1);
  assert.throws(
    () => written('csv', { onUnrepresentable: 'fail' }, TEXT, rows),
    /column "t" holds bytes that are not UTF-8, which utf-8 does not have, in row 1 of its file/,
  );
  assert.equal(written('csv', { onUnrepresentable: 'null', nullText: 'N' }, TEXT, rows), 't\nN\nc\n');
  assert.equal(written('csv', { onUnrepresentable: 'replace' }, TEXT, rows), 't\n\ufffdb\nc\n');
});

const PARQUET = [
  column('id', 'int32'),
  { ...column('n', 'numeric'), precision: 5, scale: 2 },
  column('d', 'date'),
  column('at', 'timestamptz'),
  column('t', 'time'),
  column('text'),
];
const PARQUET_ROWS: Rows = [
  ['1', '1.50', '2025-04-14', '2025-04-14 07:00:00+00', '07:00:00', 'a'],
  ['2', 'NaN', 'infinity', 'infinity', '24:00:00', Buffer.of(0x61, 0xff)],
  ['3', null, '-infinity', '-infinity', null, null],
  ['4', null, null, '294276-12-31 00:00:00+00', null, null],
];
const ENGINES = [ParquetEncoder, ParquetLibraryEncoder];

function parquet(onUnrepresentable: 'null' | 'replace', Engine: (typeof ENGINES)[number]): BufferingEncoder {
  const format = parquetFormat.parse({ type: 'parquet', onUnrepresentable });
  const create = (made: readonly Column[]): BufferingEncoder => new Engine(made, format);
  return withConversions(PARQUET, format, create, parquetHolding(format)) as BufferingEncoder;
}

async function read(encoder: BufferingEncoder): Promise<unknown[][]> {
  const file = await writeFile(() => encoder, [batchOf(PARQUET_ROWS)]);
  const columns = parquetColumns(PARQUET, parquetFormat.parse({ type: 'parquet' }));
  return (await readWithHyparquet(file, columns)) as unknown as unknown[][];
}

const LAST_INSTANT = '9223372036854775807';
/** Days since 1970, and microseconds. */
const FIRST_DAY = -2440588n;

for (const Engine of ENGINES) {
  test(`${Engine.name} writes null for what Parquet cannot hold, and counts it`, async () => {
    const encoder = parquet('null', Engine);
    const [first, ...others] = await read(encoder);
    assert.deepEqual(first, ['1', '150', '20192', '1744614000000000', '25200000000', 'a']);
    const none = ['2', '3', '4'].map(id => [id, null, null, null, null, null]);
    assert.deepEqual(others, none);
    const counts = Array.from(encoder.coerced!, ([{ name }, count]) => `${name} ${count}`);
    assert.deepEqual(counts, ['n 1', 'd 2', 'at 3', 't 1', 'text 1']);
  });

  test(`${Engine.name} writes the nearest value for what Parquet cannot hold`, async () => {
    const [, second, third, fourth] = await read(parquet('replace', Engine));
    assert.deepEqual(second, ['2', null, '2145042905', LAST_INSTANT, '86399999999', 'a\ufffd']);
    const early = String(FIRST_DAY * 86_400_000_000n);
    assert.deepEqual(third, ['3', null, String(FIRST_DAY), early, null, null]);
    assert.deepEqual(fourth, ['4', null, null, LAST_INSTANT, null, null]);
  });

  test(`${Engine.name} refuses all columns with such values in one message, with SQL that helps`, async () => {
    const format = parquetFormat.parse({ type: 'parquet' });
    const file = writeFile(() => new Engine(PARQUET, format), [batchOf(PARQUET_ROWS)]);
    await assert.rejects(file, (error: Error & { hint: string }) => {
      assert.equal(
        error.message.replace(/^.*?; /, ''),
        'as far as rows were read, such values are in column "n" (1), column "d" (2), column "at" (3), column "t" (1), column "text" (1)',
      );
      assert.match(error.message, /^column "n", row 2 of the file: NaN is not a decimal\(5,2\) without loss/);
      assert.match(error.hint, /case when isfinite\("d"\) then "d" end/);
      assert.match(error.hint, /case when abs\("n"\) < 1e3 then "n" end/);
      assert.match(error.hint, /least\("t", '23:59:59.999999'\)/);
      assert.match(error.hint, /or set format\.onUnrepresentable: null or replace$/);
      return true;
    });
  });
}
