import type { ColumnKind, ElementFacts } from '../row-batch.ts';

/**
 * PostgreSQL's text of an array as JSON text: `{1,NULL,-2}` is `[1,null,-2]`,
 * `{"a,b",NULL,"NULL"}` is `["a,b",null,"NULL"]`, `{{t},{f}}` is `[[true],[false]]`.
 * Numbers, booleans and JSON documents are what they are, digit for digit, and elements
 * that are arrays themselves (of a domain) are JSON arrays; every other element is a
 * string that holds the database's text, as NaN and the infinities are. Lower bounds
 * other than 1, `[0:1]={…}`, have no place in JSON and are left out, as `array_to_json`
 * does. With `wideNumbers: string` numbers of 64 bits and numerics are strings as well.
 */
type ElementForm = 'number' | 'boolean' | 'json' | 'string' | 'array';

const OPEN = 0x7b;
const CLOSE = 0x7d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const EQUALS = 0x3d;
const OPEN_BRACKET = 0x5b;
const COMMA = 0x2c;
const HEX_DIGITS = Buffer.from('0123456789abcdef');
const NULL = Buffer.from('NULL');
const WRITTEN_NULL = Buffer.from('null');
const WRITTEN_TRUE = Buffer.from('true');
const WRITTEN_FALSE = Buffer.from('false');

/** What stands behind the backslash for the control characters that have a letter. */
const ESCAPES = new Uint8Array(32);
for (const [code, letter] of [
  [8, 'b'],
  [9, 't'],
  [10, 'n'],
  [12, 'f'],
  [13, 'r'],
] as const) {
  ESCAPES[code] = letter.charCodeAt(0);
}

const FORMS: Partial<Record<ColumnKind, ElementForm>> = {
  int16: 'number',
  int32: 'number',
  int64: 'number',
  float32: 'number',
  float64: 'number',
  numeric: 'number',
  boolean: 'boolean',
  json: 'json',
};

const WIDE: ReadonlySet<ColumnKind> = new Set(['int64', 'numeric']);

type WideNumbers = 'number' | 'string';

export class ArrayJson {
  static readonly #byElement = {
    number: new WeakMap<ElementFacts, ArrayJson>(),
    string: new WeakMap<ElementFacts, ArrayJson>(),
  };
  readonly #form: ElementForm;
  readonly #delimiter: number;
  /** For elements that are arrays themselves. */
  readonly #inner: ArrayJson | undefined;
  /** An element without its quotes and backslashes. */
  #element = Buffer.alloc(256);

  static of(element: ElementFacts, wideNumbers: WideNumbers = 'number'): ArrayJson {
    const byElement = ArrayJson.#byElement[wideNumbers];
    const known = byElement.get(element) ?? new ArrayJson(element, wideNumbers);
    byElement.set(element, known);
    return known;
  }

  private constructor({ kind, delimiter, element }: ElementFacts, wideNumbers: WideNumbers) {
    const form = wideNumbers === 'string' && WIDE.has(kind) ? 'string' : FORMS[kind];
    this.#form = element ? 'array' : (form ?? 'string');
    this.#delimiter = delimiter.charCodeAt(0);
    this.#inner = element && new ArrayJson(element, wideNumbers);
  }

  /**
   * Bytes that an array of so many bytes takes at most: a control character becomes six.
   */
  static bytesBound(bytes: number): number {
    return 6 * bytes;
  }

  /** @returns the position behind what was written, or -1 where the text is no array */
  write(from: Buffer, start: number, end: number, to: Buffer, position: number): number {
    let p = start;
    if (from[p] === OPEN_BRACKET) {
      p = from.indexOf(EQUALS, p) + 1;
      if (p === 0) return -1;
    }
    if (p >= end) return -1;
    let at = position;
    let depth = 0;
    do {
      const byte = from[p]!;
      if (byte === OPEN) {
        depth++;
        to[at++] = 0x5b;
        p++;
      } else if (byte === CLOSE) {
        if (--depth < 0) return -1;
        to[at++] = 0x5d;
        p++;
      } else if (byte === this.#delimiter) {
        to[at++] = COMMA;
        p++;
      } else if (depth === 0) return -1;
      else if (byte === QUOTE) {
        const length = this.#unquote(from, p, end);
        if (length < 0) return -1;
        p = this.#next;
        at = this.#writeElement(this.#element, 0, length, to, at);
        if (at < 0) return -1;
      } else {
        const first = p;
        while (p < end && from[p] !== this.#delimiter && from[p] !== CLOSE && from[p] !== BACKSLASH) p++;
        if (p === first) return -1;
        // Quoted, the same letters are a text.
        const isNull = p - first === 4 && from.compare(NULL, 0, 4, first, p) === 0;
        at = isNull ? at + WRITTEN_NULL.copy(to, at) : this.#writeElement(from, first, p, to, at);
      }
    } while (p < end);
    return depth === 0 ? at : -1;
  }

  /** Behind the last element that `#unquote` read. */
  #next = 0;

  #unquote(from: Buffer, start: number, end: number): number {
    if (this.#element.length < end - start) this.#element = Buffer.allocUnsafeSlow(2 * (end - start));
    const element = this.#element;
    let length = 0;
    for (let p = start + 1; p < end; p++) {
      let byte = from[p]!;
      if (byte === QUOTE) {
        this.#next = p + 1;
        return length;
      }
      if (byte === BACKSLASH) byte = from[++p]!;
      element[length++] = byte;
    }
    return -1;
  }

  #writeElement(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
    switch (this.#form) {
      case 'boolean':
        return at + (from[start] === 0x74 ? WRITTEN_TRUE : WRITTEN_FALSE).copy(to, at);
      case 'array':
        return this.#inner!.write(from, start, end, to, at);
      case 'json':
        return at + from.copy(to, at, start, end);
      case 'number': {
        // NaN and the infinities end with a letter.
        const isNumber = from[end - 1]! >= 0x30 && from[end - 1]! <= 0x39;
        return isNumber ? at + from.copy(to, at, start, end) : writeString(from, start, end, to, at);
      }
      case 'string':
        return writeString(from, start, end, to, at);
      default:
        return this.#form satisfies never;
    }
  }
}

function writeString(from: Buffer, start: number, end: number, to: Buffer, position: number): number {
  let at = position;
  to[at++] = QUOTE;
  for (let p = start; p < end; p++) {
    const byte = from[p]!;
    if (byte >= 0x20) {
      if (byte === QUOTE || byte === BACKSLASH) to[at++] = BACKSLASH;
      to[at++] = byte;
      continue;
    }
    to[at++] = BACKSLASH;
    const letter = ESCAPES[byte]!;
    if (letter > 0) {
      to[at++] = letter;
      continue;
    }
    at += to.write('u00', at);
    to[at++] = HEX_DIGITS[byte >> 4]!;
    to[at++] = HEX_DIGITS[byte & 15]!;
  }
  to[at++] = QUOTE;
  return at;
}
