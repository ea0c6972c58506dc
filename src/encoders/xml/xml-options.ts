import { SluiceError } from '../../errors.ts';
import type { Column, ColumnKind } from '../../row-batch.ts';

/** Options of the XML format, as the configuration names them. */
export interface XmlOptions {
  readonly root: string;
  readonly row: string;
  readonly declaration: boolean;
  /** Column names that are no XML names. */
  readonly names: 'encode' | 'strict';
  readonly nulls: 'include' | 'omit';
  readonly indent: boolean;
}

export const XML_DECLARATION = { version: '1.0', encoding: 'UTF-8' } as const;
/** Namespace of the attribute `xsi:nil` (XML Schema Part 1, 2.6.2). */
export const XSI_NAMESPACE = 'http://www.w3.org/2001/XMLSchema-instance';
export const INDENT = '  ';

/**
 * What a field becomes. `text`: any characters; `plain`: characters that need no escape.
 */
export type XmlForm = 'boolean' | 'timestamp' | 'plain' | 'text';

export function xmlForm(kind: ColumnKind): XmlForm {
  switch (kind) {
    case 'boolean':
      return 'boolean';
    case 'timestamp':
    case 'timestamptz':
      return 'timestamp';
    case 'json':
    case 'text':
      return 'text';
    default:
      return 'plain';
  }
}

// NameStartChar and NameChar of XML 1.0 without the colon, which is for namespaces, and
// without what is beyond 16 bits, which parsers of the editions before the fifth refuse.
const START =
  'A-Z_a-z\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u02FF\\u0370-\\u037D\\u037F-\\u1FFF\\u200C\\u200D' +
  '\\u2070-\\u218F\\u2C00-\\u2FEF\\u3001-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFFD';
const MORE = `${START}.0-9\\u00B7\\u0300-\\u036F\\u203F\\u2040-`;
const NAME = new RegExp(`^[${START}][${MORE}]*$`, 'u');
const NAME_START = new RegExp(`^[${START}]$`, 'u');
const NAME_MORE = new RegExp(`^[${MORE}]$`, 'u');

/**
 * The names of the elements of root, row and columns.
 * @throws SluiceError CONFIG_INVALID for a name that is no XML name and is not to be
 *   encoded, or is empty
 */
export function xmlNames(columns: readonly Column[], options: XmlOptions): XmlNames {
  for (const key of ['root', 'row'] as const) {
    if (!NAME.test(options[key])) throw noXmlName(`${key} ${JSON.stringify(options[key])}`, 'choose another');
  }
  const elements = columns.map(({ name }) => {
    if (options.names === 'encode' && name !== '') return encodedName(name);
    if (NAME.test(name)) return name;
    const hint = name === '' ? 'give the column a name' : 'map it to another name, or set names: encode';
    throw noXmlName(`column ${JSON.stringify(name)}`, hint);
  });
  return { root: options.root, row: options.row, elements };
}

export interface XmlNames {
  readonly root: string;
  readonly row: string;
  readonly elements: readonly string[];
}

/**
 * The fully escaped mapping of SQL/XML (ISO/IEC 9075-14), PostgreSQL's query_to_xml too:
 * `_xHHHH_` for what a name may not hold at its place, for the underscore of `_x`, and
 * for the first letter of `xml…`, which is reserved.
 */
function encodedName(name: string): string {
  const characters = [...name];
  return characters
    .map((character, index) => {
      const isAllowed = (index === 0 ? NAME_START : NAME_MORE).test(character);
      const isReserved = index === 0 && /^xml/i.test(name);
      const looksEncoded = character === '_' && characters[index + 1] === 'x';
      return isAllowed && !isReserved && !looksEncoded ? character : encodedCharacter(character);
    })
    .join('');
}

function encodedCharacter(character: string): string {
  const hex = character.codePointAt(0)!.toString(16).toUpperCase();
  return `_x${hex.padStart(hex.length > 4 ? 6 : 4, '0')}_`;
}

function noXmlName(what: string, hint: string): SluiceError {
  return new SluiceError('CONFIG_INVALID', `${what} is no XML name`, { stage: 'configuration', hint });
}
