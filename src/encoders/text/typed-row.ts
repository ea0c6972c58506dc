import { SluiceError } from '../../errors.ts';
import type { Column, RowBatch } from '../../row-batch.ts';

/**
 * A field as the packages take it. NULL is null, `boolean` a boolean; a column of numbers
 * gives a number where the number's own text is the field's text to the last character,
 * so that nothing is lost. Every other field is its text: a numeric of many digits, 1.50,
 * an integer beyond 2^53, NaN and the infinities too.
 */
export type TypedValue = string | number | boolean | null;

export const NUMBER_KINDS: ReadonlySet<string> = new Set([
  'int16',
  'int32',
  'int64',
  'float32',
  'float64',
  'numeric',
]);

const LOWER_T = 0x74;

/**
 * The written fields of one row, which has to be UTF-8.
 * @throws SluiceError VALUE_NOT_EXPRESSIBLE where a field is longer than a string can be
 */
export function typedRow(batch: RowBatch, row: number, columns: readonly Column[]): TypedValue[] {
  const { bytes } = batch;
  let at = batch.rowBounds[2 * row]!;
  return columns.map(column => {
    const length = bytes.readInt32BE(at);
    at += 4;
    if (length < 0) return null;
    const field = bytes.subarray(at, at + length);
    at += length;
    return typedValue(field, column);
  });
}

function typedValue(field: Buffer, column: Column): TypedValue {
  if (column.kind === 'boolean') return field[0] === LOWER_T;
  const text = textOf(field, column);
  if (!NUMBER_KINDS.has(column.kind)) return text;
  const number = Number(text);
  return Number.isFinite(number) && String(number) === text ? number : text;
}

function textOf(field: Buffer, { name }: Column): string {
  try {
    return field.toString();
  } catch (cause) {
    throw notExpressible(
      `column "${name}" holds a value of ${field.length} bytes, too long for a string`,
      cause,
    );
  }
}

export function notExpressible(what: string, cause?: unknown): SluiceError {
  return new SluiceError('VALUE_NOT_EXPRESSIBLE', `${what}; the library engine cannot write it`, {
    cause,
    stage: 'encoding',
    hint: 'use engine: fast, which writes the bytes as they came',
  });
}
