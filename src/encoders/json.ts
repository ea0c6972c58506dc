import type { Column, RowBatch } from '../row-batch.ts';
import type { OutputBuffer } from './encoder.ts';
import { iso8601Bytes, writeIso8601 } from './iso8601.ts';
import { JSON_FRAMES, type JsonForm, type JsonFrame, type JsonOptions, jsonForm } from './json-options.ts';
import {
  BEYOND_ASCII,
  documentFlags,
  ESCAPE,
  escapedBytes,
  LINE_BREAK,
  LONG_ESCAPE_BYTES,
  TEXT_FLAGS,
  writeCompact,
  writeEscaped,
  writeShort,
} from './json-text.ts';
import { type RowBound, RowEncoder } from './row-encoder.ts';
import { isUtf8Between, notUtf8 } from './utf8.ts';

export type { JsonOptions } from './json-options.ts';

/** How the fields of one column are written. */
const Way = {
  integer: 0,
  plain: 1,
  float: 2,
  boolean: 3,
  timestamp: 4,
  document: 5,
  text: 6,
} as const satisfies {
  readonly [Form in JsonForm]: number;
};

const QUOTE = 0x22;
const COMMA = 0x2c;
const NINE = 0x39;
const LOWER_T = 0x74;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const NULL = Buffer.from('null');
const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');

/**
 * JSON (RFC 8259) or NDJSON from row bytes: numbers with the digits that the database sent, json and jsonb as they
 * are. Bytes that are not UTF-8 are refused.
 */
export class JsonEncoder extends RowEncoder {
  readonly beginBytes: number;
  readonly endBytes: number;

  readonly #ways: Uint8Array;
  /** `"name":` of all columns; `#keyEnds[i]` is where the i-th ends and the next begins. */
  readonly #keys: Buffer;
  readonly #keyEnds: Int32Array;
  readonly #frame: JsonFrame;
  readonly #omitNulls: boolean;
  /** A line break in a document would end its line. */
  readonly #compactDocuments: boolean;

  constructor(columns: readonly Column[], options: JsonOptions) {
    const keys = columns.map(({ name }) => renderKey(name));
    const ways = columns.map(column => Way[jsonForm(column, options)]);
    const frame = JSON_FRAMES[options.layout];
    super(columns, rowBound(keys, ways, frame));
    this.#ways = Uint8Array.from(ways);
    this.#keys = Buffer.concat(keys);
    let end = 0;
    this.#keyEnds = Int32Array.from(keys, ({ length }) => {
      end += length;
      return end;
    });
    this.#frame = frame;
    this.#omitNulls = options.nulls === 'omit';
    this.#compactDocuments = options.layout === 'lines';
    this.beginBytes = frame.head.length;
    this.endBytes = frame.tail.length;
  }

  begin(out: OutputBuffer): void {
    out.position += this.#frame.head.copy(out.bytes, out.position);
  }

  end(out: OutputBuffer): void {
    const tail = this.rowCount > 0 ? this.#frame.tail : this.#frame.emptyTail;
    out.position += tail.copy(out.bytes, out.position);
  }

  rowBytesBound(batch: RowBatch, row: number): number {
    return this.#frame.lead.length + this.#objectBytes(batch, row) + this.#frame.trail.length;
  }

  protected override rowBytes(batch: RowBatch, row: number): number {
    const { firstLead, lead } = this.#frame;
    const bound = this.rowBytesBound(batch, row);
    return this.rowCount > 0 ? bound : bound - lead.length + firstLead.length;
  }

  // hot: bench/row-path. Invariant: `to` has room for what `#objectBytes` counts, and what frames it, of every row.
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
    const keys = this.#keys;
    const keyEnds = this.#keyEnds;
    const omitNulls = this.#omitNulls;
    const { firstLead, lead, trail } = this.#frame;
    const hasLead = lead.length > 0;
    const hasTrail = trail.length > 0;
    let at = position;
    for (let index = first; index < last; index++) {
      if (hasLead) at = writeShort(index === first && this.rowCount === 0 ? firstLead : lead, to, at);
      to[at++] = OPEN_BRACE;
      let p = rowBounds[2 * rows[index]!]!;
      let key = 0;
      let isFirst = true;
      for (let column = 0; column < columnCount; column++) {
        const length = (from[p]! << 24) | (from[p + 1]! << 16) | (from[p + 2]! << 8) | from[p + 3]!;
        p += 4;
        const keyEnd = keyEnds[column]!;
        if (length < 0 && omitNulls) {
          key = keyEnd;
          continue;
        }
        if (isFirst) isFirst = false;
        else to[at++] = COMMA;
        while (key < keyEnd) to[at++] = keys[key++]!;
        if (length < 0) {
          at = writeShort(NULL, to, at);
          continue;
        }
        const start = p;
        const end = p + length;
        switch (ways[column]) {
          case Way.integer:
            while (p < end) to[at++] = from[p++]!;
            break;
          case Way.plain:
            to[at++] = QUOTE;
            while (p < end) to[at++] = from[p++]!;
            to[at++] = QUOTE;
            break;
          case Way.float: {
            const finite = isNumber(from, end);
            if (!finite) {
              this.coercedValues[column]!++;
              to[at++] = QUOTE;
            }
            while (p < end) to[at++] = from[p++]!;
            if (!finite) to[at++] = QUOTE;
            break;
          }
          case Way.boolean:
            at = writeShort(from[p] === LOWER_T ? TRUE : FALSE, to, at);
            break;
          case Way.timestamp:
            to[at++] = QUOTE;
            at = writeIso8601(from, p, end, to, at);
            to[at++] = QUOTE;
            break;
          case Way.document: {
            const flags = documentFlags(from, p, end);
            if ((flags & BEYOND_ASCII) !== 0 && !isUtf8Between(from, p, end)) {
              throw notUtf8('JSON', this.columns[column]!, this.rowCount + index - first + 1);
            }
            if (this.#compactDocuments && (flags & LINE_BREAK) !== 0) {
              at = writeCompact(from, p, end, to, at);
            } else {
              while (p < end) to[at++] = from[p++]!;
            }
            break;
          }
          default: {
            to[at++] = QUOTE;
            const textAt = at;
            let flags = 0;
            while (p < end) {
              const byte = from[p++]!;
              to[at++] = byte;
              flags |= TEXT_FLAGS[byte]!;
            }
            if (flags !== 0) {
              if ((flags & BEYOND_ASCII) !== 0 && !isUtf8Between(from, start, end)) {
                throw notUtf8('JSON', this.columns[column]!, this.rowCount + index - first + 1);
              }
              if ((flags & ESCAPE) !== 0) at = writeEscaped(from, start, end, to, textAt);
            }
            to[at++] = QUOTE;
          }
        }
        p = end;
      }
      to[at++] = CLOSE_BRACE;
      if (hasTrail) at = writeShort(trail, to, at);
    }
    return at;
  }

  /** The bytes of the row's object, braces included. */
  #objectBytes(batch: RowBatch, row: number): number {
    const from = batch.bytes;
    let p = batch.rowBounds[2 * row]!;
    let bytes = 2;
    let fields = 0;
    for (let column = 0; column < this.#ways.length; column++) {
      const length = from.readInt32BE(p);
      p += 4;
      if (length < 0 && this.#omitNulls) continue;
      fields++;
      bytes += this.#keyEnds[column]! - (column > 0 ? this.#keyEnds[column - 1]! : 0);
      if (length < 0) {
        bytes += NULL.length;
        continue;
      }
      bytes += this.#valueBytes(this.#ways[column]!, from, p, p + length);
      p += length;
    }
    return bytes + Math.max(0, fields - 1);
  }

  #valueBytes(way: number, from: Buffer, start: number, end: number): number {
    switch (way) {
      case Way.integer:
        return end - start;
      case Way.float:
        return end - start + (isNumber(from, end) ? 0 : 2);
      case Way.boolean:
        return from[start] === LOWER_T ? TRUE.length : FALSE.length;
      case Way.timestamp:
        return iso8601Bytes(from, start, end) + 2;
      case Way.document:
        if (!this.#compactDocuments || (documentFlags(from, start, end) & LINE_BREAK) === 0)
          return end - start;
        return writeCompact(from, start, end, undefined, 0);
      case Way.text:
        return escapedBytes(from, start, end) + 2;
      default:
        return end - start + 2;
    }
  }
}

/** PostgreSQL writes a number that is none as NaN, Infinity or -Infinity. */
function isNumber(from: Buffer, end: number): boolean {
  return from[end - 1]! <= NINE;
}

function renderKey(name: string): Buffer {
  const text = Buffer.from(name);
  const key = Buffer.alloc(escapedBytes(text, 0, text.length) + 3);
  key[0] = QUOTE;
  key.write('":', writeEscaped(text, 0, text.length, key, 1));
  return key;
}

/** A bound that a row's length alone gives. */
function rowBound(keys: readonly Buffer[], ways: readonly number[], { lead, trail }: JsonFrame): RowBound {
  const perByte = ways.includes(Way.text) ? LONG_ESCAPE_BYTES : 1;
  let perRow = lead.length + 2 + trail.length;
  for (const { length } of keys) {
    // A comma, and the longest of null, false, two quotes. The 4 bytes of a field's length are not written.
    perRow += length + 1 + FALSE.length - 4 * perByte;
  }
  return { perByte, perRow };
}
