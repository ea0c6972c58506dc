import type { Column } from '../../row-batch.ts';
import type { RowBound } from '../text/row-form.ts';

/**
 * Options of the CSV format, as the configuration names them; it refuses those under
 * which no reader could tell fields apart.
 */
export interface CsvOptions {
  readonly delimiter: string;
  readonly header: boolean;
  readonly quote: 'needed' | 'always' | 'nonNumeric';
  readonly quoteChar: string;
  readonly escapeChar: string;
  readonly lineEnding: 'lf' | 'crlf';
  readonly nullText: string;
  readonly bom: boolean;
  readonly escapeFormulas: boolean;
  readonly timestampFormat: 'iso8601' | 'postgres';
  /** What true and false are written as. */
  readonly booleans: readonly [string, string];
  /** What stands in decimal numbers, which come with it. */
  readonly decimalSeparator?: '.' | ',';
}

/** Kinds of columns whose values may have a decimal separator. */
export const DECIMAL_KINDS: ReadonlySet<string> = new Set(['numeric', 'float32', 'float64']);

/** The bound that holds for every value under the options. */
export function csvRowBound(columns: readonly Column[], options: CsvOptions): RowBound {
  const bytes = (text: string): number => Buffer.byteLength(text);
  // Each byte may be a character that is escaped.
  const perByte = 1 + bytes(options.escapeChar);
  const booleans = Math.max(...options.booleans.map(bytes)) * perByte;
  const apostrophe = options.escapeFormulas ? perByte : 0;
  let perRow = options.lineEnding === 'crlf' ? 2 : 1;
  for (const column of columns) {
    const added = column.kind === 'boolean' ? booleans : mayBeFormula(column) ? apostrophe : 0;
    perRow +=
      2 * bytes(options.quoteChar) + Math.max(added, bytes(options.nullText)) + bytes(options.delimiter);
    // The 4 bytes of a field's length, which the fields are counted with, are not
    // written.
    perRow -= 4 * perByte;
  }
  return { perByte, perRow };
}

/**
 * What the values of a row take at most, with their quotes, and without what is between
 * them.
 */
export function csvValuesBound(columns: readonly Column[], options: CsvOptions): RowBound {
  const perByte = 1 + Buffer.byteLength(options.escapeChar);
  // An apostrophe may itself have to be escaped.
  return { perByte, perRow: columns.length * (2 * Buffer.byteLength(options.quoteChar) + perByte) };
}

/** Whether a value of the column may hold what somebody typed. */
export function mayBeFormula({ kind, isQuantity }: Column): boolean {
  return kind === 'text' && !isQuantity;
}
