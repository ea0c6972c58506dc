/**
 * What the database says that the file has to hold, as the canonical texts of
 * parquet-readers.ts.
 */
import assert from 'node:assert/strict';
import type pg from 'pg';
import type { ParquetColumn, ParquetKind } from '../../src/encoders/parquet/parquet-column.ts';
import type { Column } from '../../src/row-batch.ts';
import { type CanonicalRow, number, unscaled } from './parquet-readers.ts';

const epoch = (field: string): string => `trunc(extract(epoch from ${field}) * 1000000)`;

/**
 * What the type's output function writes: a cast strips blanks of `character` and adds
 * the mask of `inet`.
 */
const output = (field: string): string =>
  `case when ${field} is distinct from null then format('%s', ${field}) end`;

const FIELDS: Readonly<Partial<Record<ParquetKind, (field: string) => string>>> = {
  date: field => `${field} - date '1970-01-01'`,
  time: epoch,
  timestamp: epoch,
  timestamptz: epoch,
  uuid: field => `replace(${field}::text, '-', '')`,
  bytes: field => `encode(${field}, 'hex')`,
  text: output,
  json: output,
  array: field => `to_json(${field})`,
};

/** @param model a query whose rows have an order */
export async function askDatabase(
  client: pg.Client,
  model: string,
  columns: readonly ParquetColumn[],
): Promise<CanonicalRow[]> {
  await client.query(`
    set client_encoding = 'UTF8'; set datestyle = 'ISO, YMD'; set timezone = 'UTC';
    set intervalstyle = 'postgres'; set extra_float_digits = 3; set bytea_output = 'hex'`);
  const fields = columns.map(({ name, kind }) => {
    const field = `"${name.replaceAll('"', '""')}"`;
    return `(${FIELDS[kind]?.(field) ?? field})::text`;
  });
  const { rows } = await client.query<(string | null)[]>({
    text: `select ${fields.join(', ')} from (${model}) as model`,
    rowMode: 'array',
  });
  return rows.map(row => row.map((value, index) => canonical(value, columns[index]!)));
}

function canonical(value: string | null, { kind, scale }: ParquetColumn): string | null {
  if (value === null) return null;
  if (kind === 'float32') return number(Math.fround(Number(value)));
  if (kind === 'float64') return number(Number(value));
  return kind === 'decimal' ? unscaled(value, scale) : value;
}

/** Says where rows differ, not all that they hold. */
export function assertSameRows(
  reader: string,
  actual: readonly CanonicalRow[],
  expected: readonly CanonicalRow[],
  columns: readonly Column[],
): void {
  assert.equal(actual.length, expected.length, `${reader}: rows`);
  const shown = (value: string | null | undefined): string =>
    JSON.stringify(value)?.slice(0, 200) ?? 'nothing';
  expected.forEach((row, index) => {
    row.forEach((value, column) => {
      const seen = actual[index]![column];
      if (seen === value) return;
      const { name, kind } = columns[column]!;
      assert.fail(`${reader}: row ${index}, column ${name} (${kind}): ${shown(seen)}, not ${shown(value)}`);
    });
  });
}
