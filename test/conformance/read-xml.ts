/**
 * A reader of the XML files that shares nothing with the engines: saxes, which checks
 * well-formedness and namespaces.
 */
import assert from 'node:assert/strict';
import { SaxesParser } from 'saxes';

const XSI = 'http://www.w3.org/2001/XMLSchema-instance';
/** Root, row, column. */
const COLUMN_DEPTH = 3;

export interface XmlField {
  /** As the file has it. */
  readonly name: string;
  /** null where the element says that it is nil. */
  readonly text: string | null;
}

export interface XmlDocument {
  readonly declaration: { readonly version: string; readonly encoding: string } | undefined;
  readonly root: string;
  readonly rows: readonly { readonly name: string; readonly fields: readonly XmlField[] }[];
}

/** Throws where the file is not a well-formed document of rows and columns. */
export function readXml(file: Buffer): XmlDocument {
  const parser = new SaxesParser({ xmlns: true });
  let declaration: XmlDocument['declaration'];
  let root = '';
  const rows: { name: string; fields: XmlField[] }[] = [];
  let depth = 0;
  let isNil = false;
  let text = '';
  parser.on('error', error => {
    throw error;
  });
  parser.on('xmldecl', ({ version, encoding }) => {
    declaration = { version: version ?? '', encoding: encoding ?? '' };
  });
  parser.on('text', piece => {
    if (depth === COLUMN_DEPTH) text += piece;
    else assert.match(piece, /^[ \n]*$/, 'there is nothing but white space between elements');
  });
  parser.on('opentag', tag => {
    depth++;
    assert.ok(depth <= COLUMN_DEPTH, `${tag.name} is within a column`);
    if (depth === 1) root = tag.name;
    if (depth === 2) rows.push({ name: tag.name, fields: [] });
    text = '';
    isNil = Object.values(tag.attributes).some(
      ({ uri, local, value }) => uri === XSI && local === 'nil' && value === 'true',
    );
  });
  parser.on('closetag', ({ name }) => {
    if (depth === COLUMN_DEPTH) {
      if (isNil) assert.equal(text, '');
      rows.at(-1)!.fields.push({ name, text: isNil ? null : text });
    }
    depth--;
  });
  parser.write(file.toString()).close();
  return { declaration, root, rows };
}

/** What SQL/XML's `_xHHHH_` stands for. */
export function decodeName(name: string): string {
  return name.replace(/_x([0-9A-F]{4}|[0-9A-F]{6})_/g, (_, hex: string) =>
    String.fromCodePoint(Number.parseInt(hex, 16)),
  );
}

/** U+FFFD for every character outside of XML 1.0's production Char. */
export function asXmlHolds(text: string): string {
  return text.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd');
}
