/**
 * Four readers of Parquet that share no code with the writers. Each gives the values as
 * canonical texts, so that they can be compared with each other and with the database:
 *
 *   numbers           as JavaScript writes them, -0 apart from 0
 *   decimal           the digits without point, `-150` for -1.50
 *   date              days since 1970-01-01
 *   time, timestamps  microseconds since midnight, since 1970-01-01
 *   uuid, bytes       hexadecimal digits
 */
import { writeFile } from 'node:fs/promises';
import parquetjs from '@dsnp/parquetjs';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { type Data, tableFromIPC } from 'apache-arrow';
import { parquetMetadata, parquetRead } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { readParquet } from 'parquet-wasm';
import type { ParquetColumn, ParquetKind } from '../../src/encoders/parquet/parquet-column.ts';

export type CanonicalRow = readonly (string | null)[];

export function number(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** The digits of a decimal text; behind the scale there are only zeros. */
export function unscaled(text: string, scale: number): string {
  const [whole = '', fraction = ''] = text.split('.');
  return BigInt(whole + fraction.slice(0, scale).padEnd(scale, '0')).toString();
}

/** The text that DuckDB is asked for, and what is made of it. */
const DUCK: Readonly<Partial<Record<ParquetKind, (field: string) => string>>> = {
  date: field => `${field} - date '1970-01-01'`,
  time: field => `(hour(${field}) * 60 + minute(${field})) * 60000000 + microsecond(${field})`,
  timestamp: field => `epoch_us(${field})`,
  timestamptz: field => `epoch_us(${field})`,
  uuid: field => `replace(${field}::varchar, '-', '')`,
  bytes: field => `lower(hex(${field}))`,
};

let duck: Promise<DuckDBConnection> | undefined;

export async function duckQuery(sql: string): Promise<unknown[][]> {
  // Files are overwritten here, and its cache takes one of the same length for the one
  // before.
  const settings = { threads: '1', enable_external_file_cache: 'false' };
  duck ??= DuckDBInstance.create(':memory:', settings).then(instance => instance.connect());
  return (await (await duck).runAndReadAll(sql)).getRowsJson() as unknown[][];
}

export async function readWithDuck(
  file: Buffer,
  columns: readonly ParquetColumn[],
  path: string,
): Promise<CanonicalRow[]> {
  await writeFile(path, file);
  const fields = columns.map(({ name, kind }) => {
    const field = `"${name.replaceAll('"', '""')}"`;
    return `(${DUCK[kind]?.(field) ?? field})::varchar`;
  });
  const rows: CanonicalRow[] = [];
  // Not all columns at once: a wide query takes DuckDB longer than many narrow ones.
  const WIDTH = 200;
  for (let from = 0; from < fields.length; from += WIDTH) {
    const some = (await duckQuery(
      `select ${fields.slice(from, from + WIDTH).join(', ')} from read_parquet('${path}', file_row_number = true)
        order by file_row_number`,
    )) as (string | null)[][];
    some.forEach((values, row) => {
      const canonical = values.map((value, index) => fromDuck(value, columns[from + index]!));
      rows[row] = [...(rows[row] ?? []), ...canonical];
    });
  }
  return rows;
}

function fromDuck(value: string | null, { kind, scale }: ParquetColumn): string | null {
  if (value === null) return null;
  if (kind === 'decimal') return unscaled(value, scale);
  if (kind !== 'float32' && kind !== 'float64') return value;
  const text = value.replace('inf', 'Infinity').replace('nan', 'NaN');
  return number(kind === 'float32' ? Math.fround(Number(text)) : Number(text));
}

/** Physical values, without what a reader would make of them. */
export async function readWithHyparquet(
  file: Buffer,
  columns: readonly ParquetColumn[],
): Promise<CanonicalRow[]> {
  const bytes = new ArrayBuffer(file.length);
  new Uint8Array(bytes).set(file);
  const metadata = parquetMetadata(bytes);
  for (const element of metadata.schema) {
    delete element.converted_type;
    delete element.logical_type;
  }
  let rows: unknown[][] = [];
  const onComplete = (all: unknown[][]): void => {
    rows = all;
  };
  await parquetRead({ file: bytes, metadata, compressors, utf8: false, onComplete });
  return rows.map(row => columns.map((column, index) => fromPhysical(row[index], column)));
}

interface ParquetJsMetadata {
  readonly row_groups: { readonly columns: { readonly meta_data: { path_in_schema: string[] } }[] }[];
  readonly schema: {
    name: string;
    converted_type: unknown;
    logicalType: unknown;
    scale: unknown;
    precision: unknown;
  }[];
}

/** Physical values, as above. */
export async function readWithParquetJs(
  file: Buffer,
  columns: readonly ParquetColumn[],
): Promise<CanonicalRow[]> {
  const envelope = await parquetjs.ParquetEnvelopeReader.openBuffer(file);
  const metadata = (await envelope.readFooter()) as unknown as ParquetJsMetadata;
  for (const [index, element] of metadata.schema.entries()) {
    // Its rows are objects, which cannot have every name.
    element.name = `c${index - 1}`;
    element.converted_type = null;
    element.logicalType = null;
    element.scale = null;
    element.precision = null;
  }
  for (const { columns: chunks } of metadata.row_groups) {
    chunks.forEach(({ meta_data }, index) => {
      meta_data.path_in_schema = [`c${index}`];
    });
  }
  const reader = new parquetjs.ParquetReader(metadata as never, envelope, undefined as never);
  const cursor = reader.getCursor();
  const rows: CanonicalRow[] = [];
  for (;;) {
    const row = (await cursor.next()) as Record<string, unknown> | null;
    if (row === null) return rows;
    rows.push(columns.map((column, index) => fromPhysical(row[`c${index}`], column)));
  }
}

function fromPhysical(value: unknown, { kind }: ParquetColumn): string | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Uint8Array) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
    if (kind === 'uuid' || kind === 'bytes') return bytes.toString('hex');
    if (kind !== 'decimal') return bytes.toString();
    const digits = BigInt(`0x${bytes.toString('hex')}`);
    return BigInt.asIntN(8 * bytes.length, digits).toString();
  }
  return typeof value === 'number' ? number(value) : String(value);
}

/** Physical values, as Arrow has them. */
export function readWithParquetWasm(file: Buffer, columns: readonly ParquetColumn[]): CanonicalRow[] {
  const { batches } = tableFromIPC(readParquet(file).intoIPCStream());
  return batches.flatMap(batch =>
    Array.from({ length: batch.numRows }, (_, row) =>
      columns.map((column, index) => fromArrow(batch.data.children[index]!, row, column)),
    ),
  );
}

function fromArrow(data: Data, row: number, { kind, width }: ParquetColumn): string | null {
  if (!data.getValid(row)) return null;
  const values = data.values as Uint8Array;
  const bytes = (from: number, to: number): Buffer => Buffer.from(values.subarray(from, to));
  if (kind === 'boolean') return String(((values[row >> 3]! >> (row & 7)) & 1) === 1);
  if (kind === 'uuid') return bytes(width * row, width * (row + 1)).toString('hex');
  if (kind === 'decimal') {
    // Four words, little end first.
    const words = [...values.subarray(4 * row, 4 * row + 4)].map(BigInt);
    return BigInt.asIntN(
      128,
      words.reduceRight((sum, word) => (sum << 32n) | word),
    ).toString();
  }
  if (width > 0) return fromPhysical(values[row], { kind } as ParquetColumn);
  const value = bytes(data.valueOffsets[row]!, data.valueOffsets[row + 1]!);
  return value.toString(kind === 'bytes' ? 'hex' : 'utf8');
}
