import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { COPY_DIALECT, type CsvDialect, CsvDigest } from '../../bench/support/csv-digest.ts';
import { type DiscardServer, startDiscardServer } from '../../bench/support/discard-server.ts';
import { FILE_ROWS } from '../../bench/support/file-rows.ts';
import { measure } from '../../bench/support/measure.ts';
import { type Verification, verifyCsv, verifyRows } from '../../bench/support/verify.ts';
import { format as formatSchema } from '../../src/config/schema/schema-formats.ts';
import type { Encoder } from '../../src/encoders/encoder.ts';
import { FORMATS, type FormatPart } from '../../src/registry.ts';
import { encodePart } from '../conformance/encoding.ts';
import { writeFile as writeParquet } from '../conformance/parquet-parts.ts';
import { duckQuery } from '../conformance/parquet-readers.ts';
import { readModel } from '../conformance/read-model.ts';
import { readXml } from '../conformance/read-xml.ts';
import { everyNth } from './all-cases.ts';
import { getPostgres, type TestDatabase } from './postgres.ts';

const havePsql = spawnSync('psql', ['--version']).status === 0;
const skip = havePsql ? false : 'psql is not installed';
let db: TestDatabase;
let server: DiscardServer;
let folder: string;

before(async () => {
  db = await (await getPostgres()).createDatabase({ settings: { TimeZone: 'Asia/Kathmandu' } });
  await db.sql(`create table customers as
    select i as id, i % 3 = 0 as is_active, case i % 4 when 0 then null when 1 then '' when 2 then 'say "hi"' else E'a,b\\r\\nc' end as note,
           timestamptz '2020-01-01 00:00Z' + i * interval '1.5 seconds' as last_seen
    from generate_series(1, 3000) i`);
  server = await startDiscardServer({ keep: true });
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-verify-'));
});
after(async () => {
  rmSync(folder, { recursive: true });
  await Promise.all([db.drop(), server.stop()]);
});

const digest = (text: string, dialect: Partial<CsvDialect> = {}, chunkBytes = text.length) => {
  const computed = new CsvDigest({ ...COPY_DIALECT, ...dialect });
  const bytes = Buffer.from(text);
  for (let i = 0; i < bytes.length; i += chunkBytes) computed.push(bytes.subarray(i, i + chunkBytes));
  computed.endFile();
  return computed.result;
};

test('a digest depends on the values and not on their quoting, order or chunks', () => {
  const plain = digest('1,a "b",\n2,,"x\ny"\n');
  assert.deepEqual([plain.rows, plain.fields], [2, 6]);
  const other: Partial<CsvDialect> = { delimiter: ';', nullText: '\\N', lineEnding: 'crlf', header: true };
  assert.deepEqual(digest('a;b;c\r\n"2";\\N;"x\ny"\r\n1;"a ""b""";\\N\r\n', other), plain);
  assert.deepEqual(digest('1,"a ""b""",\n2,,"x\ny"\n', {}, 1), plain);
});

test('a digest tells apart NULL, the empty text, field borders and repeated rows', () => {
  const texts = [
    'a,\n',
    'a,""\n',
    ',a\n',
    'ab,c\n',
    'a,bc\n',
    'a,bc\na,bc\n',
    'a,bc\na,bc\na,bc\n',
    '\n',
    '""\n',
  ];
  assert.equal(new Set(texts.map(text => digest(text).checksum)).size, texts.length);
});

test('a file that ends inside a row is refused', () => {
  for (const text of ['a', 'a,', 'a,"b', 'a,b\n"c"'])
    assert.throws(() => digest(text), /ends inside row/, text);
});

test('verifies files in another dialect, whole or split, and finds one changed value', { skip }, async () => {
  const rows = await db.sql(
    `select id, is_active, note, to_char(last_seen at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS') as seen from customers`,
  );
  const lines = rows.map(({ id, is_active, note, seen }) => {
    const quoted = note === null ? '' : `"${String(note).replaceAll('"', '""')}"`;
    const shown = String(seen).replace(/\.?0*$/, '');
    return `${id};${is_active ? 'yes' : 'no'};${quoted};${shown}Z\n`;
  });
  const header = 'id;active;note;seen\n';
  const parts = [path.join(folder, 'b.csv'), path.join(folder, 'a.csv.gz')];
  writeFileSync(parts[0] ?? '', header + lines.slice(1000).join(''));
  writeFileSync(parts[1] ?? '', gzipSync(header + lines.slice(0, 1000).join('')));
  const options = {
    databaseUrl: db.url,
    query: 'select id, is_active, note, last_seen from customers',
    files: parts,
    dialect: { delimiter: ';', header: true },
    booleans: ['yes', 'no'],
    timestamps: 'iso8601',
  } as const;
  const good = await verifyCsv(options);
  assert.deepEqual([good.ok, good.actual], [true, good.expected]);
  writeFileSync(parts[0] ?? '', header + lines.slice(1000).join('').replace('say', 'sax'));
  const bad = await verifyCsv(options);
  assert.deepEqual([bad.ok, bad.actual.rows], [false, bad.expected.rows]);
  await assert.rejects(verifyCsv({ ...options, query: 'select * from absent' }), /absent/);
});

const CHECKED = Object.entries({
  ndjson: { type: 'json', layout: 'lines' },
  json: { type: 'json' },
  xml: { type: 'xml' },
  parquet: { type: 'parquet', compression: 'none', dictionary: false },
});
for (const [name, settings] of everyNth(3, CHECKED)) {
  test(`verifies the rows of a file of ${name}, and finds one changed value`, { skip }, async () => {
    const query = 'select id, is_active, note, last_seen, id / 8.00 as share, id::int8 as big from customers';
    const { columns, batches } = await readModel(db.url, query);
    const format = formatSchema.parse(settings);
    const create = await (FORMATS[format.type] as FormatPart<typeof format>).fast();
    const encoder = (): Encoder => create(columns, format);
    const file =
      format.type === 'parquet' ? await writeParquet(encoder, batches) : encodePart(encoder(), batches);
    const verify = (bytes: Buffer): Promise<Verification> => {
      const stored = path.join(folder, `file.${name}`);
      writeFileSync(stored, bytes);
      return verifyRows({
        databaseUrl: db.url,
        query,
        booleans: ['true', 'false'],
        timestamps: name === 'parquet' ? 'postgres' : 'iso8601',
        rows: FILE_ROWS[name as keyof typeof FILE_ROWS](stored),
      });
    };
    const good = await verify(file);
    assert.deepEqual([good.ok, good.actual], [true, good.expected]);
    assert.equal(good.actual.rows, 3000);
    const changed = Buffer.from(file);
    changed.write('sax', changed.indexOf('say'));
    const bad = await verify(changed);
    assert.deepEqual([bad.ok, bad.actual.rows], [false, 3000]);
    // A file that was cut off is none.
    const cut = file.subarray(0, file.length - 20);
    await assert.rejects(async () => assert.equal((await verify(cut)).ok, true));
  });
}

test('the peers export what the database holds', { skip }, async () => {
  const containerUrl = `${server.accountUrl}/peers`;
  const args = ['--url', db.url, '--container-url', containerUrl];
  const peer = (name: string) => `bench/peers/${name}`;
  const copy = await measure(peer('psql-copy.sh'), [...args, '--rows', '10']);
  assert.deepEqual([copy.exitCode, copy.stderr], [0, '']);

  // psql shows times in the zone of its session.
  const env = { PGTZ: 'UTC' };
  const upload = await measure(process.execPath, ['--import', 'tsx', peer('psql-copy-upload.ts'), ...args], {
    env,
  });
  assert.deepEqual([upload.exitCode, upload.stderr], [0, '']);
  const piped = {
    databaseUrl: db.url,
    query: 'select * from customers',
    files: [`${containerUrl}/psql-copy-upload.csv`],
  };
  assert.equal((await verifyCsv(piped)).ok, true);

  const chain = await measure(process.execPath, [
    '--import',
    'tsx',
    peer('plain-chain-csv.ts'),
    ...args,
    '--rows',
    '2000',
  ]);
  assert.deepEqual([chain.exitCode, chain.stderr], [0, '']);
  const { actual } = await verifyCsv({
    ...piped,
    files: [`${containerUrl}/plain-chain.csv`],
    dialect: { header: true },
  });
  assert.deepEqual([actual.rows, actual.fields], [2000, 8000]);

  for (const format of everyNth(3, ['json', 'xml', 'parquet'])) {
    const other = await measure(process.execPath, [
      ...['--import', 'tsx', peer(`plain-chain-${format}.ts`), ...args, '--rows', '2000'],
    ]);
    assert.deepEqual([other.exitCode, other.stderr], [0, ''], format);
    const bytes = Buffer.from(await (await fetch(`${containerUrl}/plain-chain.${format}`)).arrayBuffer());
    const stored = path.join(folder, `chain.${format}`);
    writeFileSync(stored, bytes);
    assert.equal(await rowsOf(format, stored), 2000, format);
  }

  const csv = path.join(folder, 'duck.csv');
  writeFileSync(csv, 'id,note\n1,a\n2,"b, c"\n');
  const out = path.join(folder, 'duck.parquet');
  const duck = await measure(process.execPath, [
    ...['--import', 'tsx', peer('duckdb-parquet.ts'), '--csv', csv, '--out', out],
  ]);
  assert.deepEqual([duck.exitCode, duck.stderr], [0, '']);
  assert.equal(await rowsOf('parquet', out), 2);
});

async function rowsOf(format: string, file: string): Promise<number> {
  if (format === 'parquet') {
    return Number((await duckQuery(`select count(*) from '${file}'`))[0]![0]);
  }
  const text = readFileSync(file, 'utf8');
  return format === 'json' ? (JSON.parse(text) as unknown[]).length : readXml(Buffer.from(text)).rows.length;
}
