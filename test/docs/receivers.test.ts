/**
 * The files that the guide's examples for receivers ask for, read back by a reader of the
 * same dialect.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import { parse as parseYaml } from 'yaml';
import { type ResolvedActivation, resolveActivation } from '../../src/config/activation.ts';
import { parseConfig } from '../../src/config/load.ts';
import { type BufferingEncoder, type Encoder, isBuffering } from '../../src/encoders/encoder.ts';
import { parquetColumns } from '../../src/encoders/parquet/parquet-column.ts';
import { loadEncoder } from '../../src/load-encoder.ts';
import { batchOf, column, encodePart } from '../conformance/encoding.ts';
import { writeFile } from '../conformance/parquet-parts.ts';
import { duckQuery, readWithHyparquet } from '../conformance/parquet-readers.ts';
import { ROOT } from './support/pages.ts';

const GUIDE = readFileSync(new URL('docs/guide/receivers.md', ROOT), 'utf8');
const COLUMNS = [
  column('id', 'int64'),
  column('name'),
  { ...column('amount', 'numeric'), precision: 12, scale: 2 },
  column('seen', 'timestamptz'),
  { ...column('tags'), element: { kind: 'text', delimiter: ',' } as const },
  column('data', 'bytes'),
];
const ROWS = [
  ['9007199254740993', 'é; "a",\\b\tc', '-1234.50', '2025-04-14 07:00:00.5+00', '{a,"b c"}', '\\x00ff'],
  ['2', 'line 1\nline 2', null, null, null, null],
  ['3', '', '0.00', '1999-12-31 23:59:59+00', '{}', '\\x'],
];
const SEEN = ['2025-04-14T07:00:00.5Z', null, '1999-12-31T23:59:59Z'];

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-receivers-'));
});
after(() => rm(folder, { recursive: true }));

/** The activation of the part with this heading. */
function activationFor(heading: string): ResolvedActivation {
  const part = GUIDE.split(`\n## ${heading}\n`)[1] ?? '';
  const [, yaml = ''] = /^```yaml\n(.*?)^```$/ms.exec(part) ?? [];
  const { activations } = parseYaml(yaml) as { activations: Record<string, object> };
  const [name = ''] = Object.keys(activations);
  const text = JSON.stringify({
    version: 1,
    sources: { db: { type: 'postgres', url: 'postgresql://u:p@localhost/d' } },
    destinations: {
      lake: {
        type: 'azure-blob',
        container: 'exports',
        auth: { connectionString: 'UseDevelopmentStorage=true' },
      },
    },
    models: { customers: { source: 'db', sql: 'select 1', primaryKey: ['id'] } },
    activations,
  });
  return resolveActivation(parseConfig({ text, environment: {} }).config, name);
}

/** The file, where a reader finds it. */
async function fileFor(heading: string): Promise<{ readonly path: string; readonly bytes: Buffer }> {
  const activation = activationFor(heading);
  const { format } = activation;
  const create = await loadEncoder(activation);
  const encoder: Encoder = create(COLUMNS);
  const isGzip = format.type !== 'parquet' && format.compression === 'gzip';
  const batches = [batchOf(ROWS)];
  const bytes = isBuffering(encoder)
    ? await writeFile(() => create(COLUMNS) as BufferingEncoder, batches)
    : encodePart(encoder, batches);
  const path = join(folder, `${heading.replaceAll(' ', '-')}${isGzip ? '.gz' : ''}`);
  writeFileSync(path, isGzip ? gzipSync(bytes) : bytes);
  return { path, bytes };
}

type Expected = (string | null)[][];

/** What a reader of text is to find. */
function expected(values: {
  name?: (text: string) => string;
  amount?: string;
  data?: string[];
  tags?: string[];
}): Expected {
  const {
    name = text => text,
    amount = '-1234.50',
    data = ['\\x00ff', '\\x'],
    tags = ['["a","b c"]', '[]'],
  } = values;
  const zero = amount.includes(',') ? '0,00' : '0.00';
  return [
    [ROWS[0]![0]!, name(ROWS[0]![1]!), amount, SEEN[0]!, tags[0]!, data[0]!],
    ['2', name(ROWS[1]![1]!), null, null, null, null],
    ['3', '', zero, SEEN[2]!, tags[1]!, data[1]!],
  ];
}

const POSTGRES_ARRAYS = ['{a,"b c"}', '{}'];
const NAMES = COLUMNS.map(({ name }) => name);

/** Records of csv-parse, with NULL for a text. */
function parsed(text: string | Buffer, nullText: string, options: object = {}): Expected {
  const [head, ...rows]: string[][] = parse(text, options);
  assert.deepEqual(head, NAMES);
  return rows.map(row => row.map(value => (value === nullText ? null : value)));
}

test('the file for Snowflake is read with its dialect', async () => {
  const { bytes } = await fileFor('Snowflake');
  assert.deepEqual(parsed(bytes, '\\N'), expected({ data: ['00ff', ''] }));
});

test('the file for BigQuery is read as objects, with lists and base64', async () => {
  const { path } = await fileFor('BigQuery');
  const columns =
    "{ id: 'bigint', name: 'text', amount: 'decimal(12,2)', seen: 'text', tags: 'text[]', data: 'text' }";
  const rows = await duckQuery(
    `select id::text, name, amount::text, seen, to_json(tags)::text, data from read_json('${path}', format = 'newline_delimited', columns = ${columns})`,
  );
  assert.deepEqual(rows, expected({ data: ['AP8=', ''] }));
});

test('the file for Synapse and Fabric is read by hyparquet and DuckDB', async () => {
  const { path, bytes } = await fileFor('Synapse and Fabric');
  const { format } = activationFor('Synapse and Fabric');
  assert.ok(format.type === 'parquet');
  const rows = await readWithHyparquet(bytes, parquetColumns(COLUMNS, format));
  assert.deepEqual(rows[0], [
    '9007199254740993',
    ROWS[0]![1],
    '-123450',
    '1744614000500000',
    '["a","b c"]',
    '00ff',
  ]);
  assert.deepEqual(rows[1], ['2', 'line 1\nline 2', null, null, null, null]);
  const read = await duckQuery(`select id::text, name, amount::text from read_parquet('${path}')`);
  assert.deepEqual(
    read,
    ROWS.map(row => row.slice(0, 3)),
  );
});

test('the file for Spark is read with the backslash as its escape character', async () => {
  const { path } = await fileFor('Spark and Databricks');
  const types = NAMES.map(name => `'${name}': 'varchar'`).join(', ');
  const rows = await duckQuery(
    `select * from read_csv('${path}', delim = ',', quote = '"', escape = '\\', nullstr = '__NULL__', allow_quoted_nulls = false, header = true, auto_detect = false, columns = {${types}})`,
  );
  assert.deepEqual(rows, expected({ tags: POSTGRES_ARRAYS }));
});

test('the file for Excel has a byte order mark and decimal commas', async () => {
  const { path, bytes } = await fileFor('Power BI and Excel');
  const options = { delimiter: ';', bom: true, record_delimiter: '\r\n' };
  // It knows no NULL, and the empty text of the last row is one to it.
  const found = parsed(bytes, '\0', options).map(row => row.map(value => value || null));
  const wanted = expected({ amount: '-1234,50', tags: POSTGRES_ARRAYS }).map(row =>
    row.map(value => value || null),
  );
  assert.deepEqual(found, wanted);
  const types =
    "{ id: 'varchar', name: 'varchar', amount: 'decimal(12,2)', seen: 'varchar', tags: 'varchar', data: 'varchar' }";
  const rows = await duckQuery(
    `select amount::text from read_csv('${path}', delim = ';', decimal_separator = ',', header = true, auto_detect = false, quote = '"', escape = '"', columns = ${types})`,
  );
  assert.deepEqual(
    rows,
    ROWS.map(row => [row[2]]),
  );
});

test('the file for Salesforce has #N/A for NULL', async () => {
  const { bytes } = await fileFor('Salesforce');
  assert.deepEqual(parsed(bytes, '#N/A'), expected({ tags: POSTGRES_ARRAYS }));
});

test('the file for Adobe has one line a record, in one byte a character', async () => {
  const { bytes } = await fileFor('Adobe');
  assert.equal(bytes.toString().split('\n').length, ROWS.length + 2);
  const found = parsed(bytes.toString('latin1'), '\0', { delimiter: '\t' }).map(row =>
    row.map(value => value || null),
  );
  const wanted = expected({ name: text => text.replace('\n', ' '), tags: POSTGRES_ARRAYS });
  assert.deepEqual(
    found,
    wanted.map(row => row.map(value => value || null)),
  );
});

test('the file for Braze leaves NULL out', async () => {
  const { path, bytes } = await fileFor('Braze and the like');
  assert.deepEqual(JSON.parse(bytes.toString().split('\n')[1]!), { id: 2, name: 'line 1\nline 2' });
  const rows = await duckQuery(
    `select to_json(tags)::text from read_json('${path}', format = 'newline_delimited', columns = { tags: 'text[]' })`,
  );
  assert.deepEqual(rows, [['["a","b c"]'], [null], ['[]']]);
});
