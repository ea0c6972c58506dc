import type { CsvOptions } from './csv-options.ts';

/**
 * Alone in its line it ends the data of COPY FROM before PostgreSQL 18, which quotes it
 * for that reason.
 */
const END_OF_COPY = Buffer.from('\\.');
const LINE_BREAKS = [0x0a, 0x0d];

/** Which values need quotes, and how they are written in them, under any options. */
export class CsvQuoting {
  readonly delimiter: Buffer;
  readonly quote: Buffer;
  readonly nullText: Buffer;
  /** Whether a value stands alone in its line. */
  readonly isAlone: boolean;
  /** Bytes that are, or begin, what may need quotes. */
  readonly specialBytes: ReadonlySet<number>;
  /**
   * Whether a special byte always needs quotes, which are doubled in the value: the usual
   * options.
   */
  readonly isSimple: boolean;
  readonly #escape: Buffer;
  /**
   * Starts of the delimiter that, at the end of a value, make one with the delimiter
   * behind it: `:` of `::`.
   */
  readonly #runIns: readonly Buffer[];

  constructor(options: CsvOptions, columnCount: number) {
    this.delimiter = Buffer.from(options.delimiter);
    this.quote = Buffer.from(options.quoteChar);
    this.nullText = Buffer.from(options.nullText);
    this.isAlone = columnCount === 1;
    this.#escape = Buffer.from(options.escapeChar);
    this.#runIns = runIns(this.delimiter);
    const firstBytes = [this.delimiter, this.quote, this.#escape].map(bytes => bytes[0]!);
    this.specialBytes = new Set([...firstBytes, ...LINE_BREAKS]);
    this.isSimple = this.delimiter.length === 1 && this.quote.length === 1 && this.#escape.equals(this.quote);
  }

  /** Writes the value from `at` on; returns the position behind it. */
  write(value: Buffer, always: boolean, to: Buffer, at: number): number {
    if (!always && !this.#needsQuotes(value)) return at + value.copy(to, at);
    const quote = this.quote;
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

  rendered(text: string, always: boolean): Buffer {
    const value = Buffer.from(text);
    const room = Buffer.alloc(value.length * (1 + this.#escape.length) + 2 * this.quote.length);
    return room.subarray(0, this.write(value, always, room, 0));
  }

  #needsQuotes(value: Buffer): boolean {
    return (
      value.length === 0 ||
      value.equals(this.nullText) ||
      LINE_BREAKS.some(byte => value.includes(byte)) ||
      value.includes(this.delimiter) ||
      value.includes(this.quote) ||
      value.includes(this.#escape) ||
      this.#runIns.some(start => endsWith(value, start)) ||
      (this.isAlone && value.equals(END_OF_COPY))
    );
  }
}

export function startsWithAt(value: Buffer, at: number, what: Buffer): boolean {
  return value.length >= at + what.length && value.compare(what, 0, what.length, at, at + what.length) === 0;
}

function endsWith(value: Buffer, end: Buffer): boolean {
  return value.length >= end.length && startsWithAt(value, value.length - end.length, end);
}

/**
 * A value that ends with the first `n` bytes of a delimiter runs into the delimiter
 * behind it where the delimiter, moved on by `n` bytes, meets itself.
 */
function runIns(delimiter: Buffer): Buffer[] {
  const starts: Buffer[] = [];
  for (let n = 1; n < delimiter.length; n++) {
    if (delimiter.subarray(n).equals(delimiter.subarray(0, delimiter.length - n)))
      starts.push(delimiter.subarray(0, n));
  }
  return starts;
}
