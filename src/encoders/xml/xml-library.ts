import XMLWriter from 'xml-writer';
import type { Column } from '../../row-batch.ts';
import type { OutputBuffer } from '../encoder.ts';
import { iso8601Text, TextRowEncoder, type WrittenRow } from '../text/text-row-encoder.ts';
import type { TypedValue } from '../text/typed-row.ts';
import {
  INDENT,
  XML_DECLARATION,
  type XmlNames,
  type XmlOptions,
  XSI_NAMESPACE,
  xmlNames,
} from './xml-options.ts';

/** What XML 1.0 cannot hold, of what UTF-8 can: xml-writer lets it through. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const NO_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

/**
 * XML as xml-writer writes it. The same file as `XmlEncoder`, an order of magnitude
 * slower.
 */
export class XmlLibraryEncoder extends TextRowEncoder {
  readonly beginBytes: number;
  readonly endBytes: number;

  readonly #options: XmlOptions;
  readonly #names: XmlNames;
  readonly #head: string;
  readonly #tail: string;

  constructor(columns: readonly Column[], options: XmlOptions) {
    super(columns, 'XML');
    this.#options = options;
    this.#names = xmlNames(columns, options);
    this.#head = this.#openRoot().output;
    this.#tail = `</${options.root}>\n`;
    this.beginBytes = Buffer.byteLength(this.#head);
    this.endBytes = Buffer.byteLength(this.#tail) + 1;
  }

  begin(out: OutputBuffer): void {
    out.position += out.bytes.write(this.#head, out.position);
  }

  end(out: OutputBuffer): void {
    out.position += out.bytes.write(this.rowCount > 0 ? `\n${this.#tail}` : this.#tail, out.position);
  }

  protected override writeRow(values: readonly TypedValue[]): WrittenRow {
    const writer = this.#openRoot();
    const coerced: number[] = [];
    if (!this.#options.indent) writer.writeRaw('\n');
    writer.startElement(this.#names.row).text('');
    for (const [index, value] of values.entries()) {
      if (value === null && this.#options.nulls === 'omit') continue;
      writer.startElement(this.#names.elements[index]!);
      if (value === null) writer.writeAttribute('xsi:nil', 'true');
      else {
        const text = iso8601Text(this.columns[index]!.kind, `${value}`);
        const held = text.replace(NO_XML, '\ufffd');
        if (held !== text) coerced.push(index);
        writeText(writer, held);
      }
      writer.endElement();
    }
    writer.endElement();
    return { text: writer.output.slice(this.#head.length), coerced };
  }

  /** A document up to where its first row begins. */
  #openRoot(): XMLWriter {
    const { indent, declaration, nulls } = this.#options;
    const writer = new XMLWriter(indent && INDENT);
    // Its own wants a letter of ASCII somewhere. The names have been checked.
    writer.name_regex = /^/;
    if (declaration) writer.startDocument(XML_DECLARATION.version, XML_DECLARATION.encoding);
    writer.startElement(this.#names.root);
    if (nulls === 'include') writer.writeAttribute('xmlns:xsi', XSI_NAMESPACE);
    return writer.text('');
  }
}

/**
 * xml-writer leaves the carriage return of a text as it is, and a parser would make a
 * line feed of it.
 */
function writeText(writer: XMLWriter, text: string): void {
  text.split('\r').forEach((line, index) => {
    if (index > 0) writer.writeRaw('&#13;');
    writer.text(line);
  });
}
