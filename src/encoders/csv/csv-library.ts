import { type Cast, type Options, stringify } from 'csv-stringify/sync';
import type { Column, RowBatch } from '../../row-batch.ts';
import type { Encoder, OutputBuffer } from '../encoder.ts';
import { columnNotUtf8, notUtf8 } from '../text/not-utf8.ts';
import type { RowBound } from '../text/row-form.ts';
import { NUMBER_KINDS, notExpressible, typedRow } from '../text/typed-row.ts';
import { type CsvOptions, csvRowBound, mayBeFormula } from './csv-options.ts';

/** csv-stringify's own list lacks the line feed. */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;

const TEXT = 'what csv-stringify takes';
const OR_FAST = ', or use engine: fast, which writes the bytes as they came';

/**
 * CSV as csv-stringify writes it. The same file as `CsvEncoder`, an order of magnitude
 * slower.
 */
export class CsvLibraryEncoder implements Encoder {
  readonly beginBytes: number;
  readonly endBytes = 0;

  readonly #columns: readonly Column[];
  readonly #stringifyOptions: Options;
  readonly #bound: RowBound;
  readonly #head: Buffer;
  /** Rows in the part so far. */
  #rowCount = 0;

  constructor(columns: readonly Column[], options: CsvOptions) {
    this.#columns = columns;
    this.#stringifyOptions = stringifyOptions(columns, options);
    this.#bound = csvRowBound(columns, options);
    this.#head = Buffer.from(
      stringify([], {
        ...this.#stringifyOptions,
        bom: options.bom,
        header: options.header,
        columns: columns.map(({ name }, index) => ({ key: `${index + 1}`, header: name })),
      }),
    );
    this.beginBytes = this.#head.length;
  }

  begin(out: OutputBuffer): void {
    out.position += this.#head.copy(out.bytes, out.position);
  }

  /** The header is there. */
  resume(rows: number): void {
    this.#rowCount = rows;
  }

  end(): void {}

  rowBytesBound(batch: RowBatch, row: number): number {
    const bytes = batch.rowBounds[2 * row + 1]! - batch.rowBounds[2 * row]!;
    return bytes * this.#bound.perByte + this.#bound.perRow;
  }

  encode(batch: RowBatch, rows: Int32Array, from: number, to: number, out: OutputBuffer): number {
    let next = from;
    while (next < to) {
      // As many rows as surely fit go in one call; near the limit it is row by row.
      let sure = out.position;
      let last = next;
      while (last < to) {
        sure += this.rowBytesBound(batch, rows[last]!);
        if (sure > out.limit) break;
        last++;
      }
      last = Math.max(last, next + 1);
      const text = this.#write(batch, rows.subarray(next, last));
      if (out.position + Buffer.byteLength(text) > out.limit) break;
      out.position += out.bytes.write(text, out.position);
      this.#rowCount += last - next;
      next = last;
    }
    return next;
  }

  #write(batch: RowBatch, rows: Int32Array): string {
    const typedRows = Array.from(rows, (row, index) => {
      const column = columnNotUtf8(batch, row, this.#columns);
      if (column !== undefined) throw notUtf8(TEXT, column, this.#rowCount + index + 1, OR_FAST);
      return typedRow(batch, row, this.#columns);
    });
    try {
      return stringify(typedRows, this.#stringifyOptions);
    } catch (cause) {
      if (cause instanceof RangeError) throw notExpressible('a row is too long for a string', cause);
      throw cause;
    }
  }
}

function stringifyOptions(columns: readonly Column[], options: CsvOptions): Options {
  const { quote, quoteChar, escapeChar, nullText } = options;
  const quotedMatch: (string | RegExp)[] = [/^$/];
  if (nullText !== '') quotedMatch.push(exactly(nullText));
  if (escapeChar !== quoteChar) quotedMatch.push(escapeChar);
  // Alone in its line it ends the data of COPY FROM before PostgreSQL 18.
  if (columns.length === 1) quotedMatch.push(exactly('\\.'));
  return {
    delimiter: options.delimiter,
    record_delimiter: options.lineEnding === 'crlf' ? '\r\n' : '\n',
    quote_record_delimiter: true,
    quote: quoteChar,
    escape: escapeChar,
    quoted: quote === 'always',
    quoted_string: quote === 'nonNumeric',
    quoted_match: quotedMatch,
    cast: {
      string: castString(columns, options),
      boolean: castBoolean(options),
      // NULL is the one thing that is never quoted, not even where its text is.
      null: () =>
        nullText === '' ? null : { value: nullText, quoted: false, quoted_string: false, quoted_match: null },
    },
  };
}

function castString(columns: readonly Column[], options: CsvOptions): Cast<string> {
  const convert = columns.map(column => conversion(column, options));
  // A number that came as text, because no number holds it, is one all the same.
  const unquoted = columns.map(({ kind }) => options.quote === 'nonNumeric' && NUMBER_KINDS.has(kind));
  return (value, { index, header }) => {
    if (header) return value;
    const text = convert[index]!(value);
    return unquoted[index]! ? { value: text, quoted_string: false } : text;
  };
}

function conversion(column: Column, options: CsvOptions): (value: string) => string {
  const { kind } = column;
  if (options.escapeFormulas && mayBeFormula(column))
    return value => (FORMULA.test(value) ? `'${value}` : value);
  if (options.timestampFormat === 'iso8601') {
    if (kind === 'timestamp') return value => value.replace(' ', 'T');
    if (kind === 'timestamptz') return value => value.replace(' ', 'T').replace('+00', 'Z');
  }
  return value => value;
}

function castBoolean({ quote, booleans }: CsvOptions): Cast<boolean> {
  // csv-stringify takes neither for a string: `quoted_string` and the matches of the
  // empty text pass them by.
  const [yes, no] = booleans.map(value => ({ value, quoted: quote !== 'needed', quoted_empty: true }));
  return value => (value ? yes! : no!);
}

function exactly(text: string): RegExp {
  return new RegExp(`^${text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')}$`);
}
