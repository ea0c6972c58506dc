/** How a CSV file is written. Single-byte characters, as in `COPY … CSV`. */
export interface CsvDialect {
  readonly delimiter: string;
  readonly quote: string;
  readonly escape: string;
  /** What stands, unquoted, for NULL. */
  readonly nullText: string;
  readonly lineEnding: 'lf' | 'crlf';
  /** Whether the first record of each file holds names and is not a row. */
  readonly header: boolean;
}

/** That of `COPY (query) TO STDOUT (FORMAT csv)`. */
export const COPY_DIALECT: CsvDialect = {
  delimiter: ',',
  quote: '"',
  escape: '"',
  nullText: '',
  lineEnding: 'lf',
  header: false,
};

export interface RowsDigest {
  readonly rows: number;
  readonly fields: number;
  /**
   * Sum of a 64-bit hash of every row: the same for the same rows in any order; repeated
   * rows count.
   */
  readonly checksum: string;
}

const LF = 10;
const CR = 13;
// States of the scanner.
const START = 0; // at the first byte of a field
const PLAIN = 1;
const QUOTED = 2;
const ESCAPED = 3; // after an escape character that is not the quote
const CLOSED = 4; // after a quote inside quotes: the end, or the first of two

/**
 * A digest of the rows of CSV files, computed while they stream by, from the values
 * rather than from the text: two writers that quote differently give the same. NULL, the
 * empty text and field borders all count.
 */
export class CsvDigest {
  readonly #dialect: CsvDialect;
  readonly #nullText: Buffer;
  #state = START;
  #skipping: boolean;
  #sawAny = false;
  #length = 0; // bytes of the value so far
  #wasQuoted = false;
  #likeNull = true;
  #h1 = 0;
  #h2 = 0;
  #fieldH1 = 0; // as they were at the start of the field
  #fieldH2 = 0;
  #sum1 = 0;
  #sum2 = 0;
  #rows = 0;
  #fields = 0;

  constructor(dialect: CsvDialect) {
    this.#dialect = dialect;
    this.#nullText = Buffer.from(dialect.nullText);
    this.#skipping = dialect.header;
    this.#startRow();
  }

  // hot: a step per byte of both sides of a verification
  push(chunk: Uint8Array): void {
    const delimiterByte = this.#dialect.delimiter.charCodeAt(0);
    const quoteByte = this.#dialect.quote.charCodeAt(0);
    const escapeByte = this.#dialect.escape.charCodeAt(0);
    const crlf = this.#dialect.lineEnding === 'crlf';
    let state = this.#state;
    for (let i = 0; i < chunk.length; i += 1) {
      const byte = chunk[i] as number;
      if (state === QUOTED) {
        if (byte === quoteByte) state = CLOSED;
        else if (byte === escapeByte) state = ESCAPED;
        else this.#byte(byte);
      } else if (state === ESCAPED) {
        this.#byte(byte);
        state = QUOTED;
      } else if (state === CLOSED && byte === quoteByte && escapeByte === quoteByte) {
        this.#byte(byte);
        state = QUOTED;
      } else if (byte === delimiterByte) {
        this.#endField();
        state = START;
      } else if (byte === LF) {
        this.#endField();
        this.#endRow();
        state = START;
      } else if (crlf && byte === CR) {
        // belongs to the line end that follows: a value with it is quoted
      } else if (state === START && byte === quoteByte) {
        this.#wasQuoted = true;
        state = QUOTED;
      } else {
        if (state === CLOSED) throw new Error(`row ${this.#rows + 1}: text after the closing quote`);
        this.#byte(byte);
        state = PLAIN;
      }
    }
    this.#state = state;
  }

  /** The end of one file; another may follow. A file cut off inside a row is an error. */
  endFile(): void {
    if (this.#state !== START || this.#sawAny) {
      throw new Error(`the file ends inside row ${this.#rows + 1}`);
    }
    if (this.#skipping) throw new Error('the file has no header');
    this.#skipping = this.#dialect.header;
  }

  get result(): RowsDigest {
    const hex = (n: number) => (n >>> 0).toString(16).padStart(8, '0');
    return { rows: this.#rows, fields: this.#fields, checksum: hex(this.#sum1) + hex(this.#sum2) };
  }

  #byte(byte: number): void {
    this.#h1 = Math.imul(this.#h1 ^ byte, 0x01000193);
    this.#h2 = Math.imul(this.#h2 ^ byte, 0x5bd1e995) ^ (this.#h2 >>> 15);
    if (this.#likeNull && byte !== this.#nullText[this.#length]) this.#likeNull = false;
    this.#length += 1;
  }

  #endField(): void {
    const isNull = !this.#wasQuoted && this.#likeNull && this.#length === this.#nullText.length;
    if (isNull) {
      // The text that stood for it does not count: another dialect has another.
      this.#h1 = this.#fieldH1;
      this.#h2 = this.#fieldH2;
    }
    // Length and kind close the field, so that ('ab','c') differs from ('a','bc') and
    // NULL from ''.
    const end = isNull ? -1 : this.#length;
    this.#h1 = Math.imul(this.#h1 ^ end, 0x85ebca6b) ^ (this.#h1 >>> 13);
    this.#h2 = Math.imul(this.#h2 ^ end, 0xc2b2ae35) ^ (this.#h2 >>> 16);
    if (!this.#skipping) this.#fields += 1;
    this.#fieldH1 = this.#h1;
    this.#fieldH2 = this.#h2;
    this.#length = 0;
    this.#wasQuoted = false;
    this.#likeNull = true;
    this.#sawAny = true;
  }

  #endRow(): void {
    if (this.#skipping) this.#skipping = false;
    else {
      this.#rows += 1;
      this.#sum1 = (this.#sum1 + finish(this.#h1)) | 0;
      this.#sum2 = (this.#sum2 + finish(this.#h2)) | 0;
    }
    this.#startRow();
  }

  #startRow(): void {
    this.#fieldH1 = this.#h1 = 0x811c9dc5;
    this.#fieldH2 = this.#h2 = 0x9747b28c;
    this.#sawAny = false;
  }
}

/** The finalizer of MurmurHash3. */
function finish(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
