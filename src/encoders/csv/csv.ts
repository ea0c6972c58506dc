import type { Column } from '../../row-batch.ts';
import type { OutputBuffer } from '../encoder.ts';
import { writeIso8601 } from '../text/iso8601.ts';
import { RowEncoder } from '../text/row-encoder.ts';
import { type FieldForm, type RowForm, Way } from '../text/row-form.ts';
import { type CsvOptions, csvValuesBound, DECIMAL_KINDS, mayBeFormula } from './csv-options.ts';
import { CsvQuoting, startsWithAt } from './csv-quoting.ts';

export type { CsvOptions } from './csv-options.ts';

const NUMERIC_KINDS = new Set(['int16', 'int32', 'int64', 'float32', 'float64', 'numeric']);
/**
 * Every byte that a value of the kind can hold, as PostgreSQL writes it, and after
 * `timestampFormat`.
 */
const NUMBER_BYTES = '0123456789+-.eNaInfity';
const TIME_BYTES = '0123456789+-:. BCTZinfity';
const ALPHABETS: Readonly<Record<string, string>> = {
  int16: NUMBER_BYTES,
  int32: NUMBER_BYTES,
  int64: NUMBER_BYTES,
  float32: NUMBER_BYTES,
  float64: NUMBER_BYTES,
  numeric: NUMBER_BYTES,
  date: TIME_BYTES,
  time: TIME_BYTES,
  timestamp: TIME_BYTES,
  timestamptz: TIME_BYTES,
  uuid: '0123456789abcdef-',
};
/**
 * A spreadsheet takes a cell that begins so for a formula (OWASP, "CSV Injection"; the
 * last four are full-width). The row writer knows their first bytes.
 */
const FORMULA_STARTS = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'].map(text =>
  Buffer.from(text),
);

const APOSTROPHE = 0x27;
const NOTHING = Buffer.alloc(0);

/**
 * CSV (RFC 4180) from row bytes. NULL is `nullText` without quotes; a text equal to
 * `nullText` has quotes.
 */
export class CsvEncoder extends RowEncoder {
  readonly beginBytes: number;
  readonly endBytes = 0;
  readonly #options: CsvOptions;
  readonly #quoting: CsvQuoting;
  readonly #head: Buffer;

  constructor(columns: readonly Column[], options: CsvOptions) {
    const quoting = new CsvQuoting(options, columns.length);
    super('CSV', columns, rowForm(columns, options, quoting), csvValuesBound(columns, options));
    this.#options = options;
    this.#quoting = quoting;
    this.#head = head(columns, options, quoting);
    this.beginBytes = this.#head.length;
  }

  begin(out: OutputBuffer): void {
    out.position += this.#head.copy(out.bytes, out.position);
  }

  end(): void {}

  /** Any value but booleans under any options. */
  override writeValue(field: number, memory: Buffer, start: number, end: number, at: number): number {
    const column = this.columns[field]!;
    let value = memory.subarray(start, end);
    if (isConverted(column, this.#options)) {
      const converted = Buffer.allocUnsafe(value.length);
      value = converted.subarray(0, writeIso8601(value, 0, value.length, converted, 0));
    }
    if (this.#options.escapeFormulas && mayBeFormula(column) && startsFormula(value)) {
      value = Buffer.concat([Buffer.of(APOSTROPHE), value]);
    }
    return this.#quoting.write(value, isQuotedAlways(column, this.#options), memory, at);
  }
}

function head(columns: readonly Column[], options: CsvOptions, quoting: CsvQuoting): Buffer {
  const bom = options.bom ? '\ufeff' : '';
  if (!options.header) return Buffer.from(bom);
  const names = columns.map(({ name }) => quoting.rendered(name, options.quote !== 'needed').toString());
  return Buffer.from(`${bom}${names.join(options.delimiter)}${lineEnding(options)}`);
}

function rowForm(columns: readonly Column[], options: CsvOptions, quoting: CsvQuoting): RowForm {
  const close = Buffer.from(lineEnding(options));
  return {
    fields: columns.map((column, index) => {
      const delimiter = index > 0 ? quoting.delimiter : NOTHING;
      return fieldForm(column, options, quoting, delimiter);
    }),
    firstOpen: NOTHING,
    open: NOTHING,
    close,
    emptyClose: close,
    quotes: {
      quote: quoting.quote[0]!,
      special: [...quoting.specialBytes],
      nullLength: quoting.nullText.length,
      quotesEndOfCopy: quoting.isAlone,
      quotesSpecials: quoting.isSimple,
    },
  };
}

function fieldForm(column: Column, options: CsvOptions, quoting: CsvQuoting, delimiter: Buffer): FieldForm {
  const always = isQuotedAlways(column, options);
  const way = wayOf(column, options, quoting);
  // A value whose letters need no look is quoted by what surrounds it.
  const quote = always && (way === Way.copy || way === Way.timestamp) ? quoting.quote : NOTHING;
  return {
    way,
    open: Buffer.concat([delimiter, quote]),
    close: quote,
    null: Buffer.concat([delimiter, quoting.nullText]),
    ...(way === Way.boolean && {
      yes: quoting.rendered(options.booleans[0], always),
      no: quoting.rendered(options.booleans[1], always),
    }),
  };
}

function wayOf(column: Column, options: CsvOptions, quoting: CsvQuoting): Way {
  const { kind } = column;
  if (kind === 'boolean') return Way.boolean;
  const always = isQuotedAlways(column, options);
  // A decimal comma may be, or begin, the delimiter.
  const alphabet = options.decimalSeparator === ',' && DECIMAL_KINDS.has(kind) ? undefined : ALPHABETS[kind];
  if (alphabet === undefined) {
    const mayGrow = options.escapeFormulas && mayBeFormula(column);
    if (always) return quoting.isSimple && !mayGrow ? Way.quote : Way.call;
    return mayGrow ? Way.scanFormula : Way.scan;
  }
  // A value may equal the NULL text or meet the delimiter only if all, or any, of their
  // bytes are in its alphabet.
  const meets = [...alphabet].some(letter => quoting.specialBytes.has(letter.charCodeAt(0)));
  const mayBeNullText =
    !always && options.nullText !== '' && [...options.nullText].every(letter => alphabet.includes(letter));
  if (meets || mayBeNullText) return Way.call;
  return isConverted(column, options) ? Way.timestamp : Way.copy;
}

function isQuotedAlways({ kind }: Column, { quote }: CsvOptions): boolean {
  return quote === 'always' || (quote === 'nonNumeric' && !NUMERIC_KINDS.has(kind));
}

function isConverted({ kind }: Column, { timestampFormat }: CsvOptions): boolean {
  return timestampFormat === 'iso8601' && (kind === 'timestamp' || kind === 'timestamptz');
}

function lineEnding(options: CsvOptions): string {
  return options.lineEnding === 'crlf' ? '\r\n' : '\n';
}

function startsFormula(value: Buffer): boolean {
  return FORMULA_STARTS.some(start => startsWithAt(value, 0, start));
}
