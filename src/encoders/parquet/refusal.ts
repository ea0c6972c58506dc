import { isUtf8 } from 'node:buffer';
import { notUtf8Hint, SluiceError } from '../../errors.ts';
import type { RowBatch } from '../../row-batch.ts';
import { physicalValue } from './library/parquet-values.ts';
import type { ParquetColumn } from './parquet-column.ts';

const SHOWN_CHARACTERS = 60;

export interface RefusedRow {
  readonly batch: RowBatch;
  readonly rows: Int32Array;
  /** In `rows`: the first row that was refused, and behind the last one at hand. */
  readonly from: number;
  readonly to: number;
  /** The place of the first one in the file, counted from 1. */
  readonly row: number;
}

/**
 * One message for all columns with values that the file cannot hold, as far as rows are
 * at hand.
 */
export function refusal(columns: readonly ParquetColumn[], refused: RefusedRow): SluiceError {
  const found = misfits(columns, refused);
  const [first, ...others] = found;
  if (first === undefined) throw new TypeError('every value of the row can be held');
  const hints = found.map(hintFor);
  const ways = 'or set format.onUnrepresentable: null or replace';
  const more =
    others.length === 0 && first.count === 1
      ? ''
      : `; as far as rows were read, such values are in ${listed(found)}`;
  return notExpressible(`${described(first)}${more}`, `${hints.join('; ')}, ${ways}`);
}

interface Misfit {
  readonly column: ParquetColumn;
  /** The first one. */
  readonly field: Buffer;
  readonly row: number;
  count: number;
}

function misfits(columns: readonly ParquetColumn[], { batch, rows, from, to, row }: RefusedRow): Misfit[] {
  const { bytes, rowBounds } = batch;
  const found = new Map<ParquetColumn, Misfit>();
  for (let index = from; index < to; index++) {
    let p = rowBounds[2 * rows[index]!]!;
    for (const column of columns) {
      const length = bytes.readInt32BE(p);
      const field = bytes.subarray(p + 4, p + 4 + Math.max(0, length));
      p += 4 + field.length;
      if (length < 0 || physicalValue(field, column) !== undefined) continue;
      const known = found.get(column);
      if (known) known.count++;
      else found.set(column, { column, field, row: row + index - from, count: 1 });
    }
  }
  return [...found.values()];
}

function described({ column, field, row }: Misfit): string {
  const where = `column "${column.name}", row ${row} of the file`;
  if (!isUtf8(field)) return `${where}: ${field.length} bytes that are not UTF-8`;
  const text = field.toString('utf8', 0, 4 * SHOWN_CHARACTERS);
  const shown = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
  return `${where}: ${shown} ${reason(column)}`;
}

function listed(found: readonly Misfit[]): string {
  return found.map(({ column, count }) => `column "${column.name}" (${count})`).join(', ');
}

/** An expression for the model that Parquet can hold every value of. */
function hintFor({ column, field }: Misfit): string {
  const { kind, precision, scale } = column;
  const name = `"${column.name.replaceAll('"', '""')}"`;
  if (!isUtf8(field)) return notUtf8Hint(name);
  switch (kind) {
    case 'date':
      return `write in the model: case when isfinite(${name}) then ${name} end`;
    case 'timestamp':
    case 'timestamptz':
      return `write in the model: case when ${name} > '-infinity' and ${name} < '294247-01-01' then ${name} end`;
    case 'time':
      return `write in the model: least(${name}, '23:59:59.999999')`;
    case 'decimal':
      return `write in the model: case when abs(${name}) < 1e${precision - scale} then ${name} end, or cast it to another numeric(p,s)`;
    default:
      return `cast ${name} to text in the model`;
  }
}

export function notExpressible(message: string, hint?: string): SluiceError {
  return new SluiceError('VALUE_NOT_EXPRESSIBLE', message, {
    stage: 'encoding',
    ...(hint !== undefined && { hint }),
  });
}

function reason({ kind, precision, scale }: ParquetColumn): string {
  switch (kind) {
    case 'decimal':
      return `is not a decimal(${precision},${scale}) without loss`;
    case 'date':
      return 'is not a date that Parquet has: it knows no infinity';
    case 'time':
      return 'is not a time that Parquet has: the last is 23:59:59.999999';
    case 'timestamp':
    case 'timestamptz':
      return 'is not a timestamp that Parquet has: it knows no infinity, and the last is 294247-01-10 04:00:54.775807';
    default:
      return `is no ${kind}`;
  }
}
