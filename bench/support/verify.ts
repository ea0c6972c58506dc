/**
 * Verifies the rows of CSV files against the database, streaming: number of rows and an
 * order-independent checksum.
 *
 *   tsx bench/support/verify.ts --url postgresql://… --query 'select …' --csv FILE_OR_URL [--csv …]
 *     [--delimiter ,] [--quote '"'] [--escape '"'] [--null-text ''] [--line-ending lf|crlf] [--header]
 *     [--booleans true,false] [--timestamps iso8601|postgres]
 *
 * The other side is psql's `COPY (query) TO STDOUT (FORMAT csv)`: a writer that shares
 * nothing with ours.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { decompressed } from '../../src/verify/decompressed.ts';
import { COPY_DIALECT, type CsvDialect, CsvDigest, type RowsDigest } from './csv-digest.ts';

export interface ValueText {
  /** What the files say for true and false. Default: PostgreSQL's `t` and `f`. */
  readonly booleans?: readonly [string, string];
  /** `iso8601`: `2020-01-31T12:00:00.5Z`; `postgres`: `2020-01-31 12:00:00.5+00`. */
  readonly timestamps?: 'iso8601' | 'postgres';
}

export interface VerifyOptions extends ValueText {
  readonly databaseUrl: string;
  readonly query: string;
  /**
   * Paths or http URLs of the parts of one export, in any order; `.gz` is decompressed.
   */
  readonly files: readonly string[];
  readonly dialect?: Partial<CsvDialect>;
}

export interface Verification {
  readonly ok: boolean;
  readonly expected: RowsDigest;
  readonly actual: RowsDigest;
}

/**
 * Rejects when a side cannot be read to its end or is no CSV; different rows are a
 * result.
 */
export async function verifyCsv(options: VerifyOptions): Promise<Verification> {
  const { databaseUrl, query, files, dialect, ...text } = options;
  const [expected, actual] = await Promise.all([
    digestQuery(databaseUrl, query, text),
    digestFiles(files, { ...COPY_DIALECT, ...dialect }),
  ]);
  return compared(expected, actual);
}

/** As `verifyCsv`, for rows that a reader of another format gives as the CSV of COPY. */
export async function verifyRows({
  databaseUrl,
  query,
  rows,
  ...text
}: Omit<VerifyOptions, 'files' | 'dialect'> & {
  readonly rows: AsyncIterable<Uint8Array>;
}): Promise<Verification> {
  const [expected, actual] = await Promise.all([digestQuery(databaseUrl, query, text), digestRows(rows)]);
  return compared(expected, actual);
}

function compared(expected: RowsDigest, actual: RowsDigest): Verification {
  const ok = expected.rows === actual.rows && expected.checksum === actual.checksum;
  return { ok, expected, actual };
}

async function digestRows(rows: AsyncIterable<Uint8Array>): Promise<RowsDigest> {
  const digest = new CsvDigest(COPY_DIALECT);
  for await (const chunk of rows) digest.push(chunk);
  digest.endFile();
  return digest.result;
}

export async function digestFiles(files: readonly string[], dialect: CsvDialect): Promise<RowsDigest> {
  const digest = new CsvDigest(dialect);
  for (const file of files) {
    for await (const chunk of await openFile(file)) digest.push(chunk);
    digest.endFile();
  }
  return digest.result;
}

export async function digestQuery(
  databaseUrl: string,
  query: string,
  text: ValueText = {},
): Promise<RowsDigest> {
  const copy = `copy (${await withValueText(databaseUrl, query, text)}) to stdout (format csv)`;
  const child = spawn('psql', ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', databaseUrl, '-c', copy], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      PGCLIENTENCODING: 'UTF8',
      PGOPTIONS: PINNED.map(setting => `-c ${setting}`).join(' '),
    },
  });
  let complaint = '';
  child.stderr.on('data', chunk => {
    complaint += chunk;
  });
  const exit = once(child, 'close') as Promise<[number | null]>;
  const digest = new CsvDigest(COPY_DIALECT);
  for await (const chunk of child.stdout) digest.push(chunk as Buffer);
  const [code] = await exit;
  if (code !== 0) throw new Error(`psql failed with ${code}: ${complaint}`);
  digest.endFile();
  return digest.result;
}

/**
 * As the product pins them; without them the text of values would depend on the server.
 */
const PINNED = [
  'TimeZone=UTC',
  'DateStyle=ISO',
  'IntervalStyle=postgres',
  'extra_float_digits=3',
  'bytea_output=hex',
];

/** The query with its columns as the files shall show them. */
async function withValueText(databaseUrl: string, query: string, text: ValueText): Promise<string> {
  if (text.booleans === undefined && text.timestamps !== 'iso8601') return query;
  const client = new pg.Client(databaseUrl);
  await client.connect();
  try {
    const { fields } = await client.query(`select * from (${query}) described limit 0`);
    const columns = fields.map(({ name, dataTypeID }) =>
      columnText(pg.escapeIdentifier(name), dataTypeID, text),
    );
    return `select ${columns.join(', ')} from (${query}) shown`;
  } finally {
    await client.end();
  }
}

function columnText(column: string, type: number, { booleans, timestamps }: ValueText): string {
  const { BOOL, TIMESTAMP, TIMESTAMPTZ } = pg.types.builtins;
  if (type === BOOL && booleans) {
    const [yes, no] = booleans.map(value => pg.escapeLiteral(value));
    return `case ${column} when true then ${yes} when false then ${no} end`;
  }
  if (timestamps !== 'iso8601') return column;
  if (type === TIMESTAMP) return `replace(${column}::text, ' ', 'T')`;
  if (type === TIMESTAMPTZ) return `replace(replace(${column}::text, ' ', 'T'), '+00', 'Z')`;
  return column;
}

/** The content of a path or an http URL; of `.gz` and `.zst` what it holds. */
export async function openFile(file: string): Promise<AsyncIterable<Uint8Array>> {
  const body: Readable = /^https?:/.test(file)
    ? await download(file)
    : createReadStream(file, { highWaterMark: 1 << 20 });
  const [, ending] = /\.(gz|zst)($|\?)/.exec(file) ?? [];
  return decompressed(body, ending === 'gz' ? 'gzip' : ending === 'zst' ? 'zstd' : undefined);
}

async function download(url: string): Promise<Readable> {
  const answer = await fetch(url);
  // The query may be a SAS token.
  if (!answer.ok || !answer.body) throw new Error(`GET ${new URL(url).pathname} gave ${answer.status}`);
  return Readable.fromWeb(answer.body as ReadableStream);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      url: { type: 'string' },
      query: { type: 'string' },
      csv: { type: 'string', multiple: true },
      delimiter: { type: 'string', default: COPY_DIALECT.delimiter },
      quote: { type: 'string', default: COPY_DIALECT.quote },
      escape: { type: 'string', default: COPY_DIALECT.escape },
      'null-text': { type: 'string', default: COPY_DIALECT.nullText },
      'line-ending': { type: 'string', default: COPY_DIALECT.lineEnding },
      header: { type: 'boolean', default: COPY_DIALECT.header },
      booleans: { type: 'string' },
      timestamps: { type: 'string', default: 'postgres' },
    },
  });
  const { url, query, csv } = values;
  if (url === undefined || query === undefined || csv === undefined)
    throw new TypeError('--url, --query and --csv are needed');
  const booleans = values.booleans?.split(',');
  const verification = await verifyCsv({
    databaseUrl: url,
    query,
    files: csv,
    dialect: {
      delimiter: values.delimiter,
      quote: values.quote,
      escape: values.escape,
      nullText: values['null-text'],
      lineEnding: values['line-ending'] === 'crlf' ? 'crlf' : 'lf',
      header: values.header,
    },
    timestamps: values.timestamps === 'iso8601' ? 'iso8601' : 'postgres',
    ...(booleans ? { booleans: [booleans[0] ?? '', booleans[1] ?? ''] as const } : {}),
  });
  console.log(JSON.stringify(verification));
  return verification.ok ? 0 : 1;
}

if (process.argv[1] !== undefined && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = await main();
}
