/**
 * Part boundaries of every format, by every engine, through the product's own sink: at
 * every count of rows from 0 to 20, each part is a complete document that a reader of its
 * own takes, no limit is passed by one byte or row, and together the parts hold every row
 * once, in order.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parse } from 'csv-parse/sync';
import type { ResolvedFormat } from '../../src/config/activation.ts';
import { format as formatSchema } from '../../src/config/schema/schema-formats.ts';
import type { Encoder } from '../../src/encoders/encoder.ts';
import { parquetColumns } from '../../src/encoders/parquet/parquet-column.ts';
import { FORMATS, type FormatPart } from '../../src/registry.ts';
import type { Column, RowBatch } from '../../src/row-batch.ts';
import { RollingBlobSink } from '../../src/sinks/rolling-blob-sink.ts';
import { MemoryBlobStore } from '../sinks/support/memory-blob-store.ts';
import { everyNth } from '../support/all-cases.ts';
import { getPostgres, type TestDatabase } from '../support/postgres.ts';
import { uncompressed } from '../support/uncompressed.ts';
import { readWithDuck, readWithHyparquet, readWithParquetJs } from './parquet-readers.ts';
import { type ModelRows, readModel } from './read-model.ts';
import { readXml } from './read-xml.ts';

/** A row as texts; null is NULL. */
type TextRow = readonly (string | null)[];

const MODEL = `select n, case n % 5 when 0 then null when 1 then '' else repeat('é,"<&' || chr(13), n % 6) || n end as a,
                      nullif(n % 3, 0) = 1 as b from generate_series(1, 20) as n order by n`;
const MOST_ROWS = 20;

interface Limits {
  readonly maxFileRows?: number;
  readonly maxFileBytes?: number;
}

interface Part {
  readonly rows: number;
  readonly bytes: Buffer;
}

const CASES: readonly Record<string, unknown>[] = [
  { type: 'csv' },
  { type: 'csv', compression: 'gzip' },
  { type: 'csv', compression: 'zstd' },
  { type: 'csv', header: false, bom: true, lineEnding: 'crlf' },
  { type: 'json' },
  { type: 'json', compression: 'gzip' },
  { type: 'json', layout: 'lines' },
  { type: 'json', layout: 'lines', compression: 'gzip', nulls: 'omit' },
  { type: 'xml' },
  { type: 'xml', compression: 'gzip' },
  { type: 'xml', indent: true, nulls: 'omit', declaration: false },
  { type: 'parquet' },
  { type: 'parquet', compression: 'gzip', rowGroupRows: 3 },
];

describe('parts', () => {
  let database: TestDatabase;
  let folder: string;
  let model: ModelRows;
  let expected: readonly TextRow[];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-parts-'));
    database = await (await getPostgres()).createDatabase();
    model = await readModel(database.url, MODEL);
    const client = await database.connect();
    const { rows } = await client.query<(string | null)[]>({
      text: `select n::text, a, b::text from (${MODEL}) as model order by model.n`,
      rowMode: 'array',
    });
    expected = rows;
    await client.end();
  });
  after(async () => {
    await database.drop();
    await rm(folder, { recursive: true });
  });

  for (const [settings, engine] of everyNth(
    7,
    CASES.flatMap(settings => (['fast', 'library'] as const).map(engine => [settings, engine] as const)),
  )) {
    const shown = Object.values({ ...settings, engine }).join(' ');
    test(`are whole and within their limits, at every count of rows from 0 to ${MOST_ROWS}: ${shown}`, async () => {
      const format = formatSchema.parse({ ...settings, engine });
      const create = await encoderOf(format);
      const isExact = format.type !== 'parquet' && format.compression === 'none';
      const write = (count: number, limits: Limits): Promise<Part[]> =>
        writeParts(() => create(model.columns), firstRows(model.batches, count, 3), format, limits);
      // Most parts are like those of other limits: each is read once.
      const known = new Map<string, TextRow[]>();
      const read = async (parts: readonly Part[]): Promise<TextRow[][]> => {
        const all: TextRow[][] = [];
        for (const { bytes } of parts) {
          const content = bytes.toString('latin1');
          const rows = known.get(content) ?? (await readPart(bytes, format, model.columns, folder));
          known.set(content, rows);
          all.push(rows);
        }
        return all;
      };
      /** Bytes of a file of the first rows. */
      const sizes: number[] = [];
      for (let count = 0; count <= MOST_ROWS; count++) {
        const [whole, ...others] = await write(count, {});
        assert.ok(whole !== undefined && others.length === 0, 'without limits there is one file');
        assert.deepEqual(await read([whole]), [expected.slice(0, count)]);
        sizes.push(whole.bytes.length);
      }
      for (let count = 0; count <= MOST_ROWS; count++) {
        for (const maxFileRows of new Set([1, 2, 7, Math.max(1, count - 1), Math.max(1, count), 20])) {
          const parts = await write(count, { maxFileRows });
          const wanted = chunksOf(count, maxFileRows);
          assert.deepEqual(
            parts.map(({ rows }) => rows),
            wanted,
          );
          const held = await read(parts);
          assert.deepEqual(
            held.map(({ length }) => length),
            wanted,
          );
          assert.deepEqual(held.flat(), expected.slice(0, count));
        }
        for (const maxFileBytes of limitsAround(sizes, count)) {
          const parts = await write(count, { maxFileBytes });
          for (const { bytes } of parts) {
            assert.ok(bytes.length <= maxFileBytes, `${bytes.length} bytes of ${maxFileBytes}`);
          }
          const held = await read(parts);
          assert.deepEqual(
            parts.map(({ rows }) => rows),
            held.map(({ length }) => length),
          );
          assert.deepEqual(held.flat(), expected.slice(0, count));
          assert.ok(count === 0 || held.every(({ length }) => length > 0), 'no part is empty');
          // Where bytes are known before they are written, a part has as many rows as
          // fit.
          const fitting = sizes.findLastIndex((bytes, rows) => rows <= count && bytes <= maxFileBytes);
          if (isExact) assert.equal(parts[0]!.rows, fitting, `${count} rows in ${maxFileBytes} bytes`);
        }
      }
    });
  }
});

/** Limits by which the first part ends just before, at or behind some row. */
function limitsAround(sizes: readonly number[], count: number): Set<number> {
  // A file of any one row fits: the largest is among the first six.
  const least = Math.max(...sizes.map((size, rows) => (rows === 0 ? size : size - sizes[rows - 1]!)));
  const atLeast = sizes[0]! + 2 * least;
  const counts = new Set([1, 2, 3, count - 1, count].filter(rows => rows >= 0 && rows <= count));
  const limits = [...counts].flatMap(rows => [sizes[rows]! - 1, sizes[rows]!, sizes[rows]! + 1]);
  return new Set(limits.map(limit => Math.max(limit, atLeast)));
}

async function encoderOf(format: ResolvedFormat): Promise<(columns: readonly Column[]) => Encoder> {
  const part = FORMATS[format.type] as FormatPart<ResolvedFormat>;
  const create = await part[format.engine]();
  return columns => create(columns, format);
}

async function writeParts(
  createEncoder: () => Encoder,
  batches: readonly RowBatch[],
  format: ResolvedFormat,
  limits: Limits,
): Promise<Part[]> {
  const store = new MemoryBlobStore();
  const sink = new RollingBlobSink({
    store,
    series: [{ wants: [] }],
    createEncoder,
    nameOf: (_, part) => `part${part}`,
    runId: 'run',
    compression: format.type === 'parquet' ? 'none' : format.compression,
    emptyFiles: 'write',
    ...limits,
  });
  const finished = once(sink, 'finish');
  for (const batch of batches) sink.write(batch);
  sink.end();
  await finished;
  return sink.files.map(file => ({ rows: file.rows, bytes: store.contents(file) }));
}

/** The first rows, in batches of a few. */
function firstRows(batches: readonly RowBatch[], count: number, batchRows: number): RowBatch[] {
  assert.equal(batches.length, 1);
  const { bytes, rowBounds } = batches[0]!;
  return chunksOf(count, batchRows).map((rowCount, index) => {
    const from = 2 * batchRows * index;
    return { bytes, rowCount, rowBounds: rowBounds.subarray(from, from + 2 * rowCount), changes: undefined };
  });
}

function chunksOf(count: number, size: number): number[] {
  if (count === 0) return [0];
  return Array.from({ length: Math.ceil(count / size) }, (_, index) => Math.min(size, count - index * size));
}

/** A whole file, by readers that share nothing with the writers. */
async function readPart(
  stored: Buffer,
  format: ResolvedFormat,
  columns: readonly Column[],
  folder: string,
): Promise<TextRow[]> {
  if (format.type === 'parquet') {
    const parquet = parquetColumns(columns, format);
    const rows = await readWithHyparquet(stored, parquet);
    assert.deepEqual(await readWithParquetJs(stored, parquet), rows);
    const path = join(folder, 'part.parquet');
    if (rows.length % 5 === 0) assert.deepEqual(await readWithDuck(stored, parquet, path), rows);
    return [...rows];
  }
  const text = uncompressed(stored, format.compression).toString();
  const names = columns.map(({ name }) => name);
  switch (format.type) {
    case 'csv': {
      const records = parse(text, {
        bom: format.bom,
        record_delimiter: format.lineEnding === 'crlf' ? '\r\n' : '\n',
        cast: (field, { quoting }): string | null => (field === '' && !quoting ? null : field),
      }) as unknown as TextRow[]; // its types know no cast
      assert.equal(text.startsWith('\ufeff'), format.bom);
      if (format.header) assert.deepEqual(records.shift(), names);
      return records;
    }
    case 'json': {
      const lines = text.split('\n').slice(0, -1);
      const objects: Record<string, unknown>[] =
        format.layout === 'lines' ? lines.map(line => JSON.parse(line)) : JSON.parse(text);
      return objects.map(object =>
        names.map(name => {
          const value = object[name] ?? null;
          return value === null ? null : String(value);
        }),
      );
    }
    case 'xml':
      return readXml(Buffer.from(text)).rows.map(({ fields }) =>
        names.map(name => fields.find(field => field.name === name)?.text ?? null),
      );
    default:
      return format satisfies never;
  }
}
