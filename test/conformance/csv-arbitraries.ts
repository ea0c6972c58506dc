/** Generated columns, rows and options, dense in what matters to CSV. */
import fc from 'fast-check';
import type { CsvOptions } from '../../src/encoders/csv/csv.ts';
import { type Table, tableOf, textOf } from './value-arbitraries.ts';

/** What the configuration gives when nothing is set. */
export const DEFAULT_CSV_OPTIONS: CsvOptions = {
  delimiter: ',',
  header: true,
  quote: 'needed',
  quoteChar: '"',
  escapeChar: '"',
  lineEnding: 'lf',
  nullText: '',
  bom: false,
  escapeFormulas: false,
  timestampFormat: 'iso8601',
  booleans: ['true', 'false'],
};

const DELIMITERS = [
  ',',
  ';',
  '\t',
  '|',
  ':',
  '||',
  '::',
  'aba',
  ', ',
  ' ',
  'T',
  '-',
  '0',
  '.',
  '€',
  '😀',
  '\\',
  '\u0001',
];
const QUOTES = ['"', "'", '|', '«', '😀', '0', 'e', '\\'];
const ESCAPES = ['"', "'", '\\', '»', '0', '|', '!'];
const NULL_TEXTS = [
  '',
  'NULL',
  '\\N',
  'NaN',
  '0',
  '-',
  'infinity',
  'true',
  '\\.',
  "'=1",
  '2020-02-29T23:59:59Z',
  ' ',
];
const BOOLEANS: readonly (readonly [string, string])[] = [
  ['true', 'false'],
  ['1', '0'],
  ['', 'no'],
  ['yes, "sir"', '\n'],
  ['=1', 'NULL'],
];
/** What only a text can be, or begin or end with. */
const PIECES = [
  ...DELIMITERS,
  ...QUOTES,
  ...ESCAPES,
  ...NULL_TEXTS.filter(text => text !== ''),
  ...[
    '\r',
    '\n',
    '\r\n',
    '=',
    '+',
    '-',
    '@',
    '＝',
    '＋',
    '－',
    '＠',
    '\ufeff',
    'a',
    'ab',
    'é',
    '漢',
    '\u2028',
  ],
];

/**
 * `wideEscape`: escape characters beyond 16 bits too, which csv-stringify does not take.
 */
export function csvOptions({ wideEscape = false } = {}): fc.Arbitrary<CsvOptions> {
  return fc
    .record({
      delimiter: fc.constantFrom(...DELIMITERS),
      header: fc.boolean(),
      quote: fc.constantFrom('needed' as const, 'always' as const, 'nonNumeric' as const),
      quoteChar: fc.oneof(fc.constant('"'), fc.constantFrom(...QUOTES)),
      escapeChar: fc.oneof(
        fc.constant(undefined),
        fc.constantFrom(...ESCAPES, ...(wideEscape ? ['😁'] : [])),
      ),
      lineEnding: fc.constantFrom('lf' as const, 'crlf' as const),
      nullText: fc.oneof(fc.constant(''), fc.constantFrom(...NULL_TEXTS)),
      bom: fc.boolean(),
      escapeFormulas: fc.boolean(),
      timestampFormat: fc.constantFrom('iso8601' as const, 'postgres' as const),
      booleans: fc.constantFrom(...BOOLEANS),
    })
    .map(options => ({ ...options, escapeChar: options.escapeChar ?? options.quoteChar }))
    .filter(({ escapeChar }) => wideEscape || escapeChar.length === 1)
    .filter(({ delimiter, quoteChar, nullText }) => {
      const clear = (nullText + delimiter).indexOf(delimiter) === nullText.length;
      return clear && !delimiter.includes(quoteChar) && !nullText.includes(quoteChar);
    });
}

export function textValue(): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 1, arbitrary: fc.constantFrom('', ...NULL_TEXTS) },
    { weight: 6, arbitrary: textOf(PIECES) },
  );
}

export interface CsvTable extends Table {
  readonly options: CsvOptions;
}

export function csvTable(settings: { wideEscape?: boolean } = {}): fc.Arbitrary<CsvTable> {
  return fc
    .tuple(tableOf({ text: textValue() }), csvOptions(settings))
    .map(([table, options]) => ({ ...table, options }));
}
