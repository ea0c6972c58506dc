import { isUtf8 } from 'node:buffer';
import { notUtf8Hint, SluiceError } from '../../errors.ts';
import type { ParquetColumn } from './parquet-column.ts';

const SHOWN_CHARACTERS = 60;

/** @param row of the file, counted from 1 */
export function refusal(column: ParquetColumn, field: Buffer, row: number): SluiceError {
  const where = `column "${column.name}", row ${row} of the file`;
  if (!isUtf8(field)) {
    const message = `${where}: ${field.length} bytes that are not UTF-8`;
    return notExpressible(message, notUtf8Hint(`"${column.name}"`));
  }
  const text = field.toString('utf8', 0, 4 * SHOWN_CHARACTERS);
  const shown = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
  return notExpressible(`${where}: ${shown} ${reason(column)}`);
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
      return `is no decimal(${precision},${scale}) without loss`;
    case 'date':
      return 'is no date that Parquet has: it knows no infinity';
    case 'time':
      return 'is no time that Parquet has: the last is 23:59:59.999999';
    case 'timestamp':
    case 'timestamptz':
      return 'is no timestamp that Parquet has: it knows no infinity, and the last is 294247-01-10 04:00:54.775807';
    default:
      return `is no ${kind}`;
  }
}
