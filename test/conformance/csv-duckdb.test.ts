/**
 * DuckDB reads every dialect of our CSV files as the guide says, NULL apart from the
 * empty text.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { csvFormat } from '../../src/config/schema/schema-formats.ts';
import { CsvEncoder } from '../../src/encoders/csv/csv.ts';
import { CsvLibraryEncoder } from '../../src/encoders/csv/csv-library.ts';
import { batchOf, column, encodePart } from './encoding.ts';
import { duckQuery } from './parquet-readers.ts';

const GUIDE = readFileSync(new URL('../../docs/guide/formats.md', import.meta.url), 'utf8');

/** What the guide says to set in DuckDB. */
const SETTINGS = /^\| DuckDB \| \| `([^`]+)`/m.exec(GUIDE)?.[1] ?? '';

const COLUMNS = [column('id', 'int32'), column('a text'), column('b')];
const VALUES = [
  null,
  '',
  '\\N',
  'NULL',
  'null',
  ' edge ',
  'a,b;c\td|e||f',
  'say "so"',
  "it's",
  '"',
  'line 1\nline 2',
  'line 1\r\nline 2',
  'c:\\dir\\',
  'back\\"slash',
  '\\',
  '=1+1',
  'Zoë 山田 👩‍🚀',
  '#no comment',
  '\\.',
];
const ROWS = VALUES.map((value, index) => [String(index), value, VALUES.at(-1 - index) ?? null]);

/** Options of the format, and how DuckDB is told of them. */
const DIALECTS: readonly [options: object, settings: string][] = [
  [{}, ''],
  [{ quote: 'always' }, ''],
  [{ quote: 'nonNumeric' }, ''],
  [{ delimiter: ';' }, "delim = ';'"],
  [{ delimiter: '\t' }, "delim = '\t'"],
  [{ delimiter: '||' }, "delim = '||'"],
  [{ lineEnding: 'crlf' }, ''],
  [{ bom: true }, ''],
  [{ quoteChar: "'", escapeChar: "'" }, "quote = '''', escape = ''''"],
  [{ escapeChar: '\\' }, "escape = '\\'"],
  [{ escapeChar: '\\', quote: 'always', delimiter: ';' }, "escape = '\\', delim = ';'"],
  [{ nullText: '\\N' }, "nullstr = '\\N'"],
  [{ nullText: 'NULL', quote: 'always' }, "nullstr = 'NULL'"],
  [{ compression: 'gzip' }, ''],
];

const SAID_ANYWAY: readonly [key: string, setting: string][] = [
  ['delim', "delim = ','"],
  ['quote', `quote = '"'`],
  ['escape', `escape = '"'`],
];

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-duckdb-'));
});
after(() => rm(folder, { recursive: true }));

async function readBack(options: object, settings: string, engine: 'fast' | 'library'): Promise<unknown[][]> {
  const format = csvFormat.parse({ type: 'csv', engine, ...options });
  const encoder =
    engine === 'fast' ? new CsvEncoder(COLUMNS, format) : new CsvLibraryEncoder(COLUMNS, format);
  const bytes = encodePart(encoder, [batchOf(ROWS)]);
  const isGzip = format.compression === 'gzip';
  const path = join(folder, isGzip ? 'rows.csv.gz' : 'rows.csv');
  writeFileSync(path, isGzip ? gzipSync(bytes) : bytes);
  const guide = settings.includes('nullstr') ? SETTINGS.replace("nullstr = '', ", '') : SETTINGS;
  const said = SAID_ANYWAY.filter(([key]) => !settings.includes(key)).map(([, setting]) => setting);
  // All of it is said: what DuckDB guesses from so few rows is another matter.
  const all = [...said, settings, guide, 'header = true', 'all_varchar = true', 'auto_detect = false'];
  const columns = `columns = {${COLUMNS.map(({ name }) => `'${name}': 'varchar'`).join(', ')}}`;
  const list = [...all.filter(text => text !== ''), columns].join(', ');
  return duckQuery(`select * from read_csv('${path}', ${list})`);
}

test('the guide says what to set in DuckDB', () => {
  assert.equal(SETTINGS, "nullstr = '', allow_quoted_nulls = false");
});

for (const [options, settings] of DIALECTS)
  for (const engine of ['fast', 'library'] as const)
    test(`DuckDB reads ${JSON.stringify(options)} by the ${engine} engine value for value`, async () => {
      assert.deepEqual(await readBack(options, settings, engine), ROWS);
    });
