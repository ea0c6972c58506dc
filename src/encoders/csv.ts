import type { Column, RowBatch } from '../row-batch.ts';
import { type CsvOptions, csvRowBound, mayBeFormula, refuseAmbiguous } from './csv-options.ts';
import type { OutputBuffer } from './encoder.ts';
import { writeIso8601 } from './iso8601.ts';
import { type RowBound, RowEncoder } from './row-encoder.ts';

export type { CsvOptions } from './csv-options.ts';

/** How the fields of one column are written. */
const Way = {
  /** Its alphabet holds nothing that would need quotes: copied. */
  copy: 0,
  /** Copied while looking for what needs quotes. */
  scan: 1,
  /** Quoted whatever it holds. */
  quote: 2,
  boolean: 3,
  /** `copy`, with the first space turned into T. */
  timestamp: 4,
  /** `timestamp`, with +00 turned into Z. */
  timestamptz: 5,
  /** Converted, checked and quoted field by field. */
  general: 6,
} as const;

const NUMERIC_KINDS = new Set(['int16', 'int32', 'int64', 'float32', 'float64', 'numeric']);
/** Every byte that a value of the kind can hold, as PostgreSQL writes it, and after `timestampFormat`. */
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
/** A spreadsheet takes a cell that begins so for a formula (OWASP, "CSV Injection"; the last four are full-width). */
const FORMULA_STARTS = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'].map(text =>
  Buffer.from(text),
);

/** Alone in its line it ends the data of COPY FROM before PostgreSQL 18, which quotes it for that reason. */
const END_OF_COPY = Buffer.from('\\.');

const LOWER_T = 0x74;
const BACKSLASH = 0x5c;
const DOT = 0x2e;
const APOSTROPHE = 0x27;

/** CSV (RFC 4180) from row bytes. NULL is `nullText` without quotes; a text equal to `nullText` has quotes. */
export class CsvEncoder extends RowEncoder {
  readonly beginBytes: number;
  readonly endBytes = 0;

  readonly #options: CsvOptions;
  readonly #ways: Uint8Array;
  readonly #quoteAlways: readonly boolean[];
  /** 1 for each byte that may be, or may begin, something that needs quotes. */
  readonly #special = new Uint8Array(256);
  readonly #delimiter: Buffer;
  /** Starts of the delimiter that, at the end of a value, make one with the delimiter behind it: `:` of `::`. */
  readonly #runIns: readonly Buffer[];
  readonly #lineEnding: Buffer;
  readonly #nullText: Buffer;
  readonly #quote: Buffer;
  readonly #escape: Buffer;
  /** What holds a special byte is quoted without a second look, by doubling: the usual options. */
  readonly #simple: boolean;
  readonly #head: Buffer;
  /** What true and false become in each column, quotes included. */
  readonly #booleans: readonly [Buffer, Buffer][];
  readonly #bound: RowBound;
  readonly #oneRow = new Int32Array(1);
  #scratch = Buffer.alloc(0);

  constructor(columns: readonly Column[], options: CsvOptions) {
    refuseAmbiguous(options);
    const bound = csvRowBound(columns, options);
    super(columns, bound);
    this.#bound = bound;
    this.#options = options;
    this.#delimiter = Buffer.from(options.delimiter);
    this.#runIns = runIns(this.#delimiter);
    this.#lineEnding = Buffer.from(options.lineEnding === 'crlf' ? '\r\n' : '\n');
    this.#nullText = Buffer.from(options.nullText);
    this.#quote = Buffer.from(options.quoteChar);
    this.#escape = Buffer.from(options.escapeChar);
    for (const bytes of [this.#delimiter, this.#quote, this.#escape]) this.#special[bytes[0]!] = 1;
    this.#special[0x0a] = 1;
    this.#special[0x0d] = 1;
    this.#simple =
      this.#nullText.length === 0 &&
      this.#delimiter.length === 1 &&
      this.#quote.length === 1 &&
      this.#escape.equals(this.#quote);

    this.#quoteAlways = columns.map(
      ({ kind }) =>
        options.quote === 'always' || (options.quote === 'nonNumeric' && !NUMERIC_KINDS.has(kind)),
    );
    this.#booleans = columns.map((_, index) => [
      this.#rendered(Buffer.from(options.booleans[0]), this.#quoteAlways[index]!),
      this.#rendered(Buffer.from(options.booleans[1]), this.#quoteAlways[index]!),
    ]);
    this.#ways = Uint8Array.from(columns, (column, index) => this.#wayOf(column, this.#quoteAlways[index]!));

    this.#head = this.#renderHead();
    this.beginBytes = this.#head.length;
  }

  begin(out: OutputBuffer): void {
    out.position += this.#head.copy(out.bytes, out.position);
  }

  end(): void {}

  rowBytesBound(batch: RowBatch, row: number): number {
    const bytes = batch.rowBounds[2 * row + 1]! - batch.rowBounds[2 * row]!;
    return bytes * this.#bound.perByte + this.#bound.perRow;
  }

  /** Only writing it tells: what needs quotes is found while it is copied. */
  protected override rowBytes(batch: RowBatch, row: number): number {
    const bound = this.rowBytesBound(batch, row);
    if (this.#scratch.length < bound) this.#scratch = Buffer.allocUnsafe(bound);
    this.#oneRow[0] = row;
    return this.writeRows(batch, this.#oneRow, 0, 1, this.#scratch, 0);
  }

  // hot: bench/row-path. Invariant: `to` has room for what the rows take.
  protected override writeRows(
    batch: RowBatch,
    rows: Int32Array,
    first: number,
    last: number,
    to: Buffer,
    position: number,
  ): number {
    const from = batch.bytes;
    const { rowBounds } = batch;
    const ways = this.#ways;
    const columnCount = ways.length;
    const special = this.#special;
    const quote = this.#quote[0]!;
    const nullLength = this.#nullText.length;
    const simple = this.#simple;
    const endOfCopyLength = columnCount === 1 ? END_OF_COPY.length : -1;
    const delimiter = this.#delimiter[0]!;
    const delimiterLength = this.#delimiter.length;
    const lineFeedOnly = this.#lineEnding.length === 1;
    let at = position;
    for (let index = first; index < last; index++) {
      let p = rowBounds[2 * rows[index]!]!;
      for (let column = 0; column < columnCount; column++) {
        if (column > 0) {
          to[at++] = delimiter;
          if (delimiterLength > 1) at += this.#delimiter.copy(to, at, 1);
        }
        const length = (from[p]! << 24) | (from[p + 1]! << 16) | (from[p + 2]! << 8) | from[p + 3]!;
        p += 4;
        if (length < 0) {
          if (nullLength > 0) at += this.#nullText.copy(to, at);
          continue;
        }
        const end = p + length;
        switch (ways[column]) {
          case Way.copy:
            while (p < end) to[at++] = from[p++]!;
            break;
          case Way.scan:
          case Way.quote: {
            if (ways[column] === Way.scan) {
              const start = at;
              // The empty text, and one that equals `nullText`, are told from NULL by their quotes.
              let found = length === 0 || length === nullLength ? 1 : 0;
              while (p < end) {
                const byte = from[p++]!;
                to[at++] = byte;
                found |= special[byte]!;
              }
              if (found === 0) {
                if (length !== endOfCopyLength || to[start] !== BACKSLASH || to[start + 1] !== DOT) break;
              }
              if (!simple) {
                at = this.#writeGeneral(column, from, end - length, end, to, start);
                break;
              }
              at = start;
              p = end - length;
            }
            to[at++] = quote;
            while (p < end) {
              const byte = from[p++]!;
              if (byte === quote) to[at++] = quote;
              to[at++] = byte;
            }
            to[at++] = quote;
            break;
          }
          case Way.boolean: {
            const text = this.#booleans[column]![from[p] === LOWER_T ? 0 : 1];
            for (let i = 0; i < text.length; i++) to[at++] = text[i]!;
            break;
          }
          case Way.timestamp:
          case Way.timestamptz:
            at = writeIso8601(from, p, end, to, at);
            break;
          default:
            at = this.#writeGeneral(column, from, p, end, to, at);
        }
        p = end;
      }
      if (lineFeedOnly) to[at++] = 0x0a;
      else at += this.#lineEnding.copy(to, at);
    }
    return at;
  }

  /** Any value under any options. */
  #writeGeneral(column: number, from: Buffer, start: number, end: number, to: Buffer, at: number): number {
    const { kind } = this.columns[column]!;
    let value = from.subarray(start, end);
    if (kind === 'boolean') {
      return at + this.#booleans[column]![value[0] === LOWER_T ? 0 : 1].copy(to, at);
    }
    if (this.#options.timestampFormat === 'iso8601' && (kind === 'timestamp' || kind === 'timestamptz')) {
      const converted = Buffer.allocUnsafe(value.length);
      value = converted.subarray(0, writeIso8601(value, 0, value.length, converted, 0));
    }
    if (this.#options.escapeFormulas && mayBeFormula(this.columns[column]!) && startsFormula(value)) {
      value = Buffer.concat([Buffer.of(APOSTROPHE), value]);
    }
    return this.#writeQuotedWhereNeeded(value, this.#quoteAlways[column]!, to, at);
  }

  #writeQuotedWhereNeeded(value: Buffer, always: boolean, to: Buffer, at: number): number {
    if (!always && !this.#needsQuotes(value)) return at + value.copy(to, at);
    const quote = this.#quote;
    const escapeChar = this.#escape;
    let position = at + quote.copy(to, at);
    for (let p = 0; p < value.length; ) {
      const special = startsWithAt(value, p, quote)
        ? quote
        : startsWithAt(value, p, escapeChar)
          ? escapeChar
          : undefined;
      if (special === undefined) {
        to[position++] = value[p++]!;
        continue;
      }
      position += escapeChar.copy(to, position);
      position += special.copy(to, position);
      p += special.length;
    }
    return position + quote.copy(to, position);
  }

  #needsQuotes(value: Buffer): boolean {
    return (
      value.length === 0 ||
      value.equals(this.#nullText) ||
      value.includes(0x0a) ||
      value.includes(0x0d) ||
      value.includes(this.#delimiter) ||
      value.includes(this.#quote) ||
      value.includes(this.#escape) ||
      this.#runIns.some(start => endsWith(value, start)) ||
      (this.columns.length === 1 && value.equals(END_OF_COPY))
    );
  }

  #rendered(value: Buffer, always: boolean): Buffer {
    const room = Buffer.alloc(value.length * (1 + this.#escape.length) + 2 * this.#quote.length);
    return room.subarray(0, this.#writeQuotedWhereNeeded(value, always, room, 0));
  }

  #renderHead(): Buffer {
    const parts: Buffer[] = this.#options.bom ? [Buffer.from('\ufeff')] : [];
    if (this.#options.header) {
      this.columns.forEach(({ name }, index) => {
        if (index > 0) parts.push(this.#delimiter);
        parts.push(this.#rendered(Buffer.from(name), this.#options.quote !== 'needed'));
      });
      parts.push(this.#lineEnding);
    }
    return Buffer.concat(parts);
  }

  /** Whether values of the column may be written as another text. */
  #converts(column: Column): boolean {
    const { kind } = column;
    if (kind === 'text') return this.#options.escapeFormulas && mayBeFormula(column);
    return this.#options.timestampFormat === 'iso8601' && (kind === 'timestamp' || kind === 'timestamptz');
  }

  #wayOf(column: Column, quoteAlways: boolean): number {
    const { kind } = column;
    if (kind === 'boolean') return Way.boolean;
    const alphabet = ALPHABETS[kind];
    if (quoteAlways || alphabet === undefined) {
      const converts = this.#converts(column);
      if (quoteAlways) return this.#simple && !converts ? Way.quote : Way.general;
      return converts ? Way.general : Way.scan;
    }
    // A value may equal the NULL text or meet the delimiter only if all, or any, of their bytes are in its alphabet.
    const meets = [...alphabet].some(letter => this.#special[letter.charCodeAt(0)] === 1);
    const mayBeNullText =
      this.#nullText.length > 0 && [...this.#options.nullText].every(c => alphabet.includes(c));
    if (meets || mayBeNullText) return Way.general;
    if (this.#options.timestampFormat === 'postgres') return Way.copy;
    return kind === 'timestamp' ? Way.timestamp : kind === 'timestamptz' ? Way.timestamptz : Way.copy;
  }
}

function startsFormula(value: Buffer): boolean {
  return FORMULA_STARTS.some(start => startsWithAt(value, 0, start));
}

function startsWithAt(value: Buffer, at: number, what: Buffer): boolean {
  return value.length >= at + what.length && value.compare(what, 0, what.length, at, at + what.length) === 0;
}

function endsWith(value: Buffer, end: Buffer): boolean {
  return value.length >= end.length && startsWithAt(value, value.length - end.length, end);
}

/**
 * A value that ends with the first `n` bytes of a delimiter runs into the delimiter behind it where the delimiter,
 * moved on by `n` bytes, meets itself.
 */
function runIns(delimiter: Buffer): Buffer[] {
  const starts: Buffer[] = [];
  for (let n = 1; n < delimiter.length; n++) {
    if (delimiter.subarray(n).equals(delimiter.subarray(0, delimiter.length - n)))
      starts.push(delimiter.subarray(0, n));
  }
  return starts;
}
