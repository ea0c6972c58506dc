import { isUtf8 } from 'node:buffer';
import type { SluiceError } from '../../errors.ts';
import { atPlace, badJson, endsEarly, type Place, RowFault, tooLarge } from './json-errors.ts';
import { findFault } from './json-fault.ts';

/** The text of one object, cut out of its file and not yet parsed. */
export interface RowText {
  readonly bytes: Buffer;
  /** Counts from 1 in the file. */
  readonly row: number;
  /** Where its text begins. */
  readonly line: number;
  readonly offset: number;
  /** A line that the end of the file, and no line feed, ends: it may be cut off. */
  readonly unterminated?: boolean;
}

export interface FramerOptions {
  /** Path, for messages. */
  readonly file: string;
  readonly maxRowBytes: number;
}

const LINE_FEED = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * Cuts a file into the texts of its rows, so that a row, and only a row, is held whole,
 * and its place is known. What stands between rows is judged here, what stands within by
 * the parser.
 */
export abstract class RowFramer {
  protected readonly options: FramerOptions;
  /** Where the chunk at hand begins. */
  protected chunkOffset = 0;
  protected line = 1;
  protected rows = 0;
  /** The row that has begun in an earlier chunk. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #start = { line: 1, offset: 0 };
  /** The first bytes, until it is known whether they are a byte order mark. */
  #head: Buffer | undefined = Buffer.alloc(0);

  constructor(options: FramerOptions) {
    this.options = options;
  }

  /** Rows so far. */
  get rowCount(): number {
    return this.rows;
  }

  *push(chunk: Buffer): Generator<RowText, void, undefined> {
    let content = chunk;
    if (this.#head !== undefined) {
      content = Buffer.concat([this.#head, chunk]);
      this.#head = content;
      if (content.length < BYTE_ORDER_MARK.length) return;
      content = this.#withoutMark(content);
    }
    yield* this.scan(content);
    this.chunkOffset += content.length;
  }

  *end(): Generator<RowText, void, undefined> {
    if (this.#head !== undefined) {
      const content = this.#withoutMark(this.#head);
      yield* this.scan(content);
      this.chunkOffset += content.length;
    }
    yield* this.finish();
  }

  protected abstract scan(chunk: Buffer): Generator<RowText, void, undefined>;
  protected abstract finish(): Generator<RowText, void, undefined>;

  protected get isHolding(): boolean {
    return this.#held.length > 0;
  }

  protected begin(at: number): void {
    this.#start = { line: this.line, offset: this.chunkOffset + at };
  }

  protected hold(bytes: Buffer): void {
    this.#heldBytes += bytes.length;
    this.#held.push(bytes);
    if (this.#heldBytes > this.options.maxRowBytes) throw this.broken(tooLarge(this.options.maxRowBytes));
  }

  /** The text from where it began to the end of `bytes`. */
  protected take(bytes: Buffer): Buffer {
    if (this.#heldBytes + bytes.length > this.options.maxRowBytes) {
      this.#held.push(bytes);
      throw this.broken(tooLarge(this.options.maxRowBytes));
    }
    if (this.#held.length === 0) return bytes;
    const whole = Buffer.concat([...this.#held, bytes]);
    this.#held = [];
    this.#heldBytes = 0;
    return whole;
  }

  protected row(bytes: Buffer, { unterminated = false } = {}): RowText {
    this.rows++;
    return { bytes, row: this.rows, ...this.#start, unterminated };
  }

  /** What is wrong with a row that never ended: perhaps that it went wrong earlier. */
  protected broken(fault: RowFault): SluiceError {
    const row: RowText = { bytes: Buffer.concat(this.#held), row: this.rows + 1, ...this.#start };
    const found = findFault(row.bytes.toString());
    return found === undefined || found.atEnd
      ? this.error(fault, { row: row.row, ...this.#start })
      : faultIn(row, this.options.file);
  }

  protected error(fault: RowFault, place: Omit<Place, 'file'>): SluiceError {
    return atPlace(fault, { file: this.options.file, ...place });
  }

  #withoutMark(content: Buffer): Buffer {
    this.#head = undefined;
    if (!content.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK)) return content;
    this.chunkOffset = BYTE_ORDER_MARK.length;
    return content.subarray(BYTE_ORDER_MARK.length);
  }
}

/** NDJSON: an object on each line; lines of whitespace are passed over. */
export class LineFramer extends RowFramer {
  #hasBegun = false;

  protected *scan(chunk: Buffer): Generator<RowText, void, undefined> {
    let at = 0;
    while (at < chunk.length) {
      if (!this.#hasBegun) this.begin(at);
      this.#hasBegun = true;
      const end = chunk.indexOf(LINE_FEED, at);
      if (end < 0) {
        this.hold(chunk.subarray(at));
        return;
      }
      yield* this.#finishLine(chunk.subarray(at, end), { unterminated: false });
      this.line++;
      at = end + 1;
    }
  }

  protected *finish(): Generator<RowText, void, undefined> {
    if (this.#hasBegun) yield* this.#finishLine(Buffer.alloc(0), { unterminated: true });
  }

  *#finishLine(rest: Buffer, end: { unterminated: boolean }): Generator<RowText, void, undefined> {
    const bytes = this.take(rest);
    this.#hasBegun = false;
    if (bytes.some(byte => !isWhitespace(byte))) yield this.row(bytes, end);
  }
}

type Expected = 'array' | 'row or end' | 'row' | 'comma or end' | 'nothing';

/** An array of objects. */
export class ArrayFramer extends RowFramer {
  #expected: Expected = 'array';
  /** Braces and brackets that are open in the row; 0 is between rows. */
  #depth = 0;
  #isString = false;
  #isEscaped = false;

  protected *scan(chunk: Buffer): Generator<RowText, void, undefined> {
    let start = 0;
    let at = 0;
    while (at < chunk.length) {
      if (this.#depth === 0) {
        at = this.#scanBetween(chunk, at);
        if (at === chunk.length) return;
        start = at;
        this.begin(at);
      }
      at = this.#scanRow(chunk, at);
      if (this.#depth === 0) yield this.row(this.take(chunk.subarray(start, at)));
      else this.hold(chunk.subarray(start));
    }
  }

  // biome-ignore lint/correctness/useYield: an array has no row left when it ends
  protected *finish(): Generator<RowText, void, undefined> {
    if (this.isHolding) throw this.broken(endsEarly(`within row ${this.rows + 1}`));
    if (this.#expected === 'nothing') return;
    const what = this.#expected === 'array' ? 'before its array begins' : 'before its array does';
    throw this.error(endsEarly(what), { line: this.line, offset: this.chunkOffset });
  }

  /**
   * Goes over brackets, commas and whitespace to the brace that begins a row, or to the
   * end of the chunk.
   */
  #scanBetween(chunk: Buffer, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (isWhitespace(byte)) {
        if (byte === LINE_FEED) this.line++;
        continue;
      }
      const expected = this.#expected;
      if (byte === OPEN_BRACE && (expected === 'row' || expected === 'row or end')) {
        this.#expected = 'comma or end';
        return at;
      }
      if (byte === OPEN_BRACKET && expected === 'array') this.#expected = 'row or end';
      else if (byte === COMMA && expected === 'comma or end') this.#expected = 'row';
      else if (byte === CLOSE_BRACKET && (expected === 'comma or end' || expected === 'row or end'))
        this.#expected = 'nothing';
      else throw this.#unexpected(chunk, at);
    }
    return chunk.length;
  }

  /** Goes to behind the brace that ends the row, or to the end of the chunk. */
  // hot: a look at each byte of an array
  #scanRow(chunk: Buffer, from: number): number {
    let depth = this.#depth;
    let isString = this.#isString;
    let isEscaped = this.#isEscaped;
    let at = from;
    while (at < chunk.length) {
      const byte = chunk[at++]!;
      if (byte === LINE_FEED) this.line++;
      if (isString) {
        if (isEscaped) isEscaped = false;
        else if (byte === BACKSLASH) isEscaped = true;
        else if (byte === QUOTE) isString = false;
      } else if (byte === QUOTE) {
        isString = true;
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        depth++;
      } else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && --depth === 0) {
        break;
      }
    }
    this.#depth = depth;
    this.#isString = isString;
    this.#isEscaped = isEscaped;
    return at;
  }

  #unexpected(chunk: Buffer, at: number): SluiceError {
    const seen = JSON.stringify([...chunk.subarray(at, at + 4).toString()][0]);
    const wanted = {
      array: 'the [ that begins an array of objects',
      'row or end': 'an object or ]',
      row: 'an object',
      'comma or end': 'a comma or ]',
      nothing: 'the end of the file',
    }[this.#expected];
    const fault = badJson(`expected ${wanted}, saw ${seen}`);
    const isLines = this.#expected === 'array' && chunk[at] === OPEN_BRACE;
    const hint = 'a file of one object a line is named .ndjson or .jsonl, or read with `layout: lines`';
    return this.error(isLines ? new RowFault(fault.code, fault.message, hint) : fault, {
      line: this.line,
      offset: this.chunkOffset + at,
    });
  }
}

/** What is wrong with the text of a row, at the place where it is. */
export function faultIn({ bytes, row, line, offset, unterminated }: RowText, file: string): SluiceError {
  const text = bytes.toString();
  const place = (at: number): Place => {
    const before = bytes.subarray(0, at).toString();
    return { file, row, line: line + before.split('\n').length - 1, offset: offset + at };
  };
  if (!isUtf8(bytes)) {
    return atPlace(badJson('these bytes are not UTF-8'), place(findNotUtf8(bytes, Buffer.from(text))));
  }
  const fault = findFault(text);
  if (fault === undefined) return atPlace(badJson('this is not JSON'), place(0));
  const found = place(Buffer.byteLength(text.slice(0, fault.at)));
  if (!fault.atEnd) return atPlace(badJson(fault.message), found);
  if (unterminated === true) return atPlace(endsEarly(`within row ${row}`), found);
  return atPlace(badJson(`${fault.message}, and the row ends`), found);
}

/**
 * Where `decoded`, in which U+FFFD stands for what is not UTF-8, is the first time not
 * what it was decoded from.
 */
function findNotUtf8(bytes: Buffer, decoded: Buffer): number {
  const found = bytes.findIndex((byte, index) => byte !== decoded[index]);
  const at = found < 0 ? bytes.length : found;
  // U+FFFD is EF BF BD: a sequence that begins so differs from it only behind that.
  if (bytes[at - 1] === 0xef) return at - 1;
  return bytes[at - 2] === 0xef && bytes[at - 1] === 0xbf ? at - 2 : at;
}

function isWhitespace(byte: number): boolean {
  return byte === 0x20 || byte === LINE_FEED || byte === 0x0d || byte === 0x09;
}
