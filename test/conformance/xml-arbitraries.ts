/** Generated tables and options, dense in what matters to XML. */
import fc from 'fast-check';
import type { XmlOptions } from '../../src/encoders/xml/xml.ts';
import { type Table, tableOf, textOf } from './value-arbitraries.ts';

/** What the configuration gives when nothing is set. */
export const DEFAULT_XML_OPTIONS: XmlOptions = {
  root: 'rows',
  row: 'row',
  declaration: true,
  names: 'encode',
  nulls: 'include',
  indent: false,
};

/** Every combination of what changes more than a name. */
export const ALL_XML_OPTIONS: readonly XmlOptions[] = [true, false].flatMap(declaration =>
  (['include', 'omit'] as const).flatMap(nulls =>
    [true, false].map(indent => ({ ...DEFAULT_XML_OPTIONS, declaration, nulls, indent })),
  ),
);

const PIECES = [
  ...[
    '&',
    '<',
    '>',
    ']]>',
    '"',
    "'",
    '\r',
    '\n',
    '\r\n',
    '\t',
    ' ',
    '\0',
    '\u0001',
    '\b',
    '\u001f',
    '\u007f',
  ],
  ...[
    '\u0085',
    '\u2028',
    '\ufffd',
    '\ufffe',
    '\uffff',
    '\u{1ffff}',
    '\u{1fffe}',
    '\ufdd0',
    '\ufeff',
    '\uf000',
  ],
  ...['&amp;', '&#13;', '<!--', '<![CDATA[', 'a', 'é', '漢', '😀'],
];
const NAMES = [
  ...[
    'a',
    'A',
    'a b',
    '_x',
    '_x0020_',
    'a_x0020_b',
    '_X',
    'xml',
    'XmlNS',
    '1',
    '-a',
    '.',
    'a-b.c',
    'é',
    '漢字',
  ],
  ...[
    '😀',
    'a:b',
    ':',
    '\u00b7',
    'a\u00b7',
    '\u0300',
    'a\u0300',
    '\u00d7',
    '\u00aa',
    '\u2028',
    '\uffff',
    '&',
    '_',
  ],
];

export const xmlText = (): fc.Arbitrary<string> => textOf(PIECES);

export const xmlColumnName = (): fc.Arbitrary<string> =>
  fc.oneof(fc.constantFrom(...NAMES), textOf([...PIECES, ...NAMES])).filter(name => name !== '');

export interface XmlTable extends Table {
  readonly options: XmlOptions;
}

/** No two columns share a name: the mapping sees to that. */
export function xmlTable(): fc.Arbitrary<XmlTable> {
  const elementName = fc.constantFrom('rows', 'row', 'r', 'é', '漢字', '_', 'a-b', 'xml');
  return fc
    .record({
      table: tableOf({ text: xmlText(), name: xmlColumnName() }),
      options: fc.constantFrom(...ALL_XML_OPTIONS),
      root: elementName,
      row: elementName,
    })
    .filter(({ table: { columns } }) => new Set(columns.map(({ name }) => name)).size === columns.length)
    .map(({ table, options, root, row }) => ({ ...table, options: { ...options, root, row } }));
}
