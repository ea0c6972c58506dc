import type { Column, RowBatch } from '../row-batch.ts';
import type { OutputBuffer } from './encoder.ts';
import { iso8601Bytes, writeIso8601 } from './iso8601.ts';
import { type RowBound, RowEncoder } from './row-encoder.ts';
import { isUtf8Between, notUtf8 } from './utf8.ts';
import {
  INDENT,
  XML_DECLARATION,
  type XmlForm,
  type XmlNames,
  type XmlOptions,
  XSI_NAMESPACE,
  xmlForm,
  xmlNames,
} from './xml-options.ts';
import {
  BEYOND_ASCII,
  CONTROL,
  holdsNoncharacter,
  LONGEST_ENTITY_BYTES,
  MAYBE_NONCHARACTER,
  REWRITTEN,
  TEXT_FLAGS,
  writeXmlText,
  xmlTextBytes,
} from './xml-text.ts';

export type { XmlOptions } from './xml-options.ts';

/** How the fields of one column are written. */
const Way = { plain: 0, boolean: 1, timestamp: 2, text: 3 } as const satisfies {
  readonly [Form in XmlForm]: number;
};

const LOWER_T = 0x74;
const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NOTHING = Buffer.alloc(0);

/**
 * XML 1.0 from row bytes: an element a row, in it an element a column. Bytes that are not UTF-8 are refused.
 */
export class XmlEncoder extends RowEncoder {
  readonly beginBytes: number;
  readonly endBytes: number;

  readonly #ways: Uint8Array;
  readonly #tags: XmlTags;

  constructor(columns: readonly Column[], options: XmlOptions) {
    const tags = renderTags(xmlNames(columns, options), options);
    const ways = columns.map(({ kind }) => Way[xmlForm(kind)]);
    super(columns, rowBound(tags, ways));
    this.#ways = Uint8Array.from(ways);
    this.#tags = tags;
    this.beginBytes = tags.head.length;
    this.endBytes = tags.tail.length;
  }

  begin(out: OutputBuffer): void {
    out.position += this.#tags.head.copy(out.bytes, out.position);
  }

  end(out: OutputBuffer): void {
    const tail = this.rowCount > 0 ? this.#tags.tail : this.#tags.emptyTail;
    out.position += tail.copy(out.bytes, out.position);
  }

  rowBytesBound(batch: RowBatch, row: number): number {
    const from = batch.bytes;
    const { rowOpen, opens, closes, nils } = this.#tags;
    let p = batch.rowBounds[2 * row]!;
    let elements = 0;
    for (let column = 0; column < this.#ways.length; column++) {
      const length = from.readInt32BE(p);
      p += 4;
      if (length < 0) {
        elements += nils[column]!.length;
        continue;
      }
      const value = valueBytes(this.#ways[column]!, from, p, p + length);
      elements += opens[column]!.length + value + closes[column]!.length;
      p += length;
    }
    return rowOpen.length + elements + this.#rowClose(elements > 0).length;
  }

  // hot: bench/row-path. Invariant: `to` has room for `rowBytesBound` of every row.
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
    const { rowOpen, opens, closes, nils } = this.#tags;
    let at = position;
    for (let index = first; index < last; index++) {
      at = writeTag(rowOpen, to, at);
      const elementsAt = at;
      let p = rowBounds[2 * rows[index]!]!;
      for (let column = 0; column < columnCount; column++) {
        const length = (from[p]! << 24) | (from[p + 1]! << 16) | (from[p + 2]! << 8) | from[p + 3]!;
        p += 4;
        if (length < 0) {
          at = writeTag(nils[column]!, to, at);
          continue;
        }
        at = writeTag(opens[column]!, to, at);
        const start = p;
        const end = p + length;
        switch (ways[column]) {
          case Way.plain:
            while (p < end) to[at++] = from[p++]!;
            break;
          case Way.boolean:
            at = writeTag(from[p] === LOWER_T ? TRUE : FALSE, to, at);
            break;
          case Way.timestamp:
            at = writeIso8601(from, p, end, to, at);
            break;
          default: {
            const textAt = at;
            let flags = 0;
            while (p < end) {
              const byte = from[p++]!;
              to[at++] = byte;
              flags |= TEXT_FLAGS[byte]!;
            }
            if (flags === 0) break;
            if ((flags & BEYOND_ASCII) !== 0 && !isUtf8Between(from, start, end)) {
              throw notUtf8('XML', this.columns[column]!, this.rowCount + index - first + 1);
            }
            if ((flags & REWRITTEN) === 0) break;
            at = writeXmlText(from, start, end, to, textAt);
            const isCoerced =
              (flags & CONTROL) !== 0 ||
              ((flags & MAYBE_NONCHARACTER) !== 0 && holdsNoncharacter(from, start, end));
            if (isCoerced) this.coercedValues[column]!++;
          }
        }
        p = end;
        at = writeTag(closes[column]!, to, at);
      }
      at = writeTag(this.#rowClose(at > elementsAt), to, at);
    }
    return at;
  }

  #rowClose(hasElements: boolean): Buffer {
    return hasElements ? this.#tags.rowClose : this.#tags.emptyRowClose;
  }
}

interface XmlTags {
  readonly head: Buffer;
  readonly rowOpen: Buffer;
  /** By column. */
  readonly opens: readonly Buffer[];
  readonly closes: readonly Buffer[];
  /** What stands for NULL. */
  readonly nils: readonly Buffer[];
  readonly rowClose: Buffer;
  readonly emptyRowClose: Buffer;
  readonly tail: Buffer;
  readonly emptyTail: Buffer;
}

function renderTags({ root, row, elements }: XmlNames, options: XmlOptions): XmlTags {
  const { version, encoding } = XML_DECLARATION;
  const declaration = options.declaration ? `<?xml version="${version}" encoding="${encoding}"?>\n` : '';
  const isNil = options.nulls === 'include';
  const namespace = isNil ? ` xmlns:xsi="${XSI_NAMESPACE}"` : '';
  const rowStart = options.indent ? `\n${INDENT}` : '\n';
  const elementStart = options.indent ? `\n${INDENT}${INDENT}` : '';
  const rowEnd = `</${row}>`;
  return {
    head: Buffer.from(`${declaration}<${root}${namespace}>`),
    rowOpen: Buffer.from(`${rowStart}<${row}>`),
    opens: elements.map(name => Buffer.from(`${elementStart}<${name}>`)),
    closes: elements.map(name => Buffer.from(`</${name}>`)),
    nils: elements.map(name => (isNil ? Buffer.from(`${elementStart}<${name} xsi:nil="true"/>`) : NOTHING)),
    rowClose: Buffer.from(options.indent ? rowStart + rowEnd : rowEnd),
    emptyRowClose: Buffer.from(rowEnd),
    tail: Buffer.from(`\n</${root}>\n`),
    emptyTail: Buffer.from(`</${root}>\n`),
  };
}

function writeTag(tag: Buffer, to: Buffer, position: number): number {
  for (let i = 0; i < tag.length; i++) to[position + i] = tag[i]!;
  return position + tag.length;
}

function valueBytes(way: number, from: Buffer, start: number, end: number): number {
  switch (way) {
    case Way.boolean:
      return from[start] === LOWER_T ? TRUE.length : FALSE.length;
    case Way.timestamp:
      return iso8601Bytes(from, start, end);
    case Way.text:
      return xmlTextBytes(from, start, end);
    default:
      return end - start;
  }
}

/** A bound that a row's length alone gives. */
function rowBound({ rowOpen, opens, closes, nils, rowClose }: XmlTags, ways: readonly number[]): RowBound {
  const perByte = ways.includes(Way.text) ? LONGEST_ENTITY_BYTES : 1;
  let perRow = rowOpen.length + rowClose.length;
  opens.forEach((open, column) => {
    const element = open.length + FALSE.length + closes[column]!.length;
    // The 4 bytes of a field's length are not written.
    perRow += Math.max(element, nils[column]!.length) - 4 * perByte;
  });
  return { perByte, perRow };
}
