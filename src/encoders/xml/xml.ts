import type { Column } from '../../row-batch.ts';
import type { OutputBuffer } from '../encoder.ts';
import { RowEncoder } from '../text/row-encoder.ts';
import { type RowForm, Way } from '../text/row-form.ts';
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
import { ESCAPES, isCoerced, LONGEST_ESCAPE_BYTES } from './xml-text.ts';

export type { XmlOptions } from './xml-options.ts';

const WAYS = {
  plain: Way.copy,
  boolean: Way.boolean,
  timestamp: Way.timestamp,
  text: Way.text,
} as const satisfies { readonly [Form in XmlForm]: Way };

/**
 * XML 1.0 from row bytes: an element a row, in it an element a column. Bytes that are not
 * UTF-8 are refused.
 */
export class XmlEncoder extends RowEncoder {
  readonly beginBytes: number;
  readonly endBytes: number;
  readonly #frame: XmlFrame;

  constructor(columns: readonly Column[], options: XmlOptions) {
    const names = xmlNames(columns, options);
    const perByte = columns.some(({ kind }) => xmlForm(kind) === 'text') ? LONGEST_ESCAPE_BYTES : 1;
    super('XML', columns, rowForm(columns, names, options), { perByte, perRow: 0 });
    this.#frame = renderFrame(names, options);
    this.beginBytes = this.#frame.head.length;
    this.endBytes = this.#frame.tail.length;
  }

  begin(out: OutputBuffer): void {
    out.position += this.#frame.head.copy(out.bytes, out.position);
  }

  end(out: OutputBuffer): void {
    const tail = this.rowCount > 0 ? this.#frame.tail : this.#frame.emptyTail;
    out.position += tail.copy(out.bytes, out.position);
  }
}

interface XmlFrame {
  readonly head: Buffer;
  readonly tail: Buffer;
  readonly emptyTail: Buffer;
}

function renderFrame({ root }: XmlNames, options: XmlOptions): XmlFrame {
  const { version, encoding } = XML_DECLARATION;
  const declaration = options.declaration ? `<?xml version="${version}" encoding="${encoding}"?>\n` : '';
  const namespace = options.nulls === 'include' ? ` xmlns:xsi="${XSI_NAMESPACE}"` : '';
  return {
    head: Buffer.from(`${declaration}<${root}${namespace}>`),
    tail: Buffer.from(`\n</${root}>\n`),
    emptyTail: Buffer.from(`</${root}>\n`),
  };
}

function rowForm(columns: readonly Column[], { row, elements }: XmlNames, options: XmlOptions): RowForm {
  const rowStart = options.indent ? `\n${INDENT}` : '\n';
  const elementStart = options.indent ? `\n${INDENT}${INDENT}` : '';
  const open = Buffer.from(`${rowStart}<${row}>`);
  const close = `</${row}>`;
  return {
    fields: columns.map(({ kind }, index) => {
      const name = elements[index]!;
      return {
        way: WAYS[xmlForm(kind)],
        open: Buffer.from(`${elementStart}<${name}>`),
        close: Buffer.from(`</${name}>`),
        null: Buffer.from(options.nulls === 'include' ? `${elementStart}<${name} xsi:nil="true"/>` : ''),
        yes: Buffer.from('true'),
        no: Buffer.from('false'),
      };
    }),
    firstOpen: open,
    open,
    close: Buffer.from(options.indent ? rowStart + close : close),
    emptyClose: Buffer.from(close),
    escapes: { texts: ESCAPES, coerces: isCoerced, escapesC1: false, replacesNoncharacters: true },
  };
}
