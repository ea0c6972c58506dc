/** Generated columns, rows and options, dense in what matters to CSV. */
import fc from 'fast-check';
import type { CsvOptions } from '../../src/encoders/csv.ts';
import type { Column, ColumnKind } from '../../src/row-batch.ts';
import { column } from './encoding.ts';

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
const FINITE_LENGTH = { minLength: 1, maxLength: 30 };

/** `wideEscape`: escape characters beyond 16 bits too, which csv-stringify does not take. */
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
  const piece = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...PIECES) },
    fc.string({ unit: 'binary', maxLength: 3 }),
  );
  return fc.oneof(
    { weight: 1, arbitrary: fc.constantFrom('', ...NULL_TEXTS) },
    { weight: 6, arbitrary: fc.array(piece, { maxLength: 6 }).map(pieces => pieces.join('')) },
  );
}

const digits = (length: { minLength: number; maxLength: number }): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...'0123456789'), ...length });
const pad = (max: number, min = 0, width = 2): fc.Arbitrary<string> =>
  fc.integer({ min, max }).map(number => String(number).padStart(width, '0'));
const date = fc
  .tuple(fc.oneof(pad(9999, 1, 4), pad(294276, 10_000, 5)), pad(12, 1), pad(28, 1))
  .map(parts => parts.join('-'));
const time = fc
  .tuple(pad(24), pad(59), pad(59), fc.option(digits({ minLength: 1, maxLength: 6 }), { nil: undefined }))
  .map(([h, m, s, fraction]) => `${h}:${m}:${s}${fraction === undefined ? '' : `.${fraction}`}`);
const infinite = fc.constantFrom('infinity', '-infinity');
const era = fc.constantFrom('', '', '', ' BC');
const moment = (zone: string): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 8, arbitrary: fc.tuple(date, time, era).map(([d, t, bc]) => `${d} ${t}${zone}${bc}`) },
    { weight: 1, arbitrary: infinite },
    { weight: 1, arbitrary: fc.constant(`2020-02-29 23:59:59${zone}`) },
  );
const notANumber = fc.constantFrom('NaN', 'Infinity', '-Infinity');
/** As PostgreSQL writes it: the exponent has two digits at least, and minus zero its sign. */
const float = fc
  .double({ noNaN: true, noDefaultInfinity: true })
  .map(value => (Object.is(value, -0) ? '-0' : String(value)).replace(/e([+-])(\d)$/, 'e$10$2'));

const VALUES: Readonly<Record<ColumnKind, fc.Arbitrary<string>>> = {
  boolean: fc.constantFrom('t', 'f'),
  int16: fc.integer({ min: -32768, max: 32767 }).map(String),
  int32: fc.integer().map(String),
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  float32: fc.oneof({ weight: 6, arbitrary: float }, notANumber),
  float64: fc.oneof({ weight: 6, arbitrary: float }, notANumber),
  numeric: fc.oneof(
    {
      weight: 6,
      arbitrary: fc
        .tuple(
          fc.constantFrom('', '-'),
          digits(FINITE_LENGTH),
          fc.option(digits(FINITE_LENGTH), { nil: undefined }),
        )
        .map(([sign, whole, part]) => `${sign}${whole}${part === undefined ? '' : `.${part}`}`),
    },
    notANumber,
  ),
  date: fc.oneof({ weight: 6, arbitrary: fc.tuple(date, era).map(parts => parts.join('')) }, infinite),
  time,
  timestamp: moment(''),
  timestamptz: moment('+00'),
  uuid: fc.uuid(),
  json: fc.json(),
  bytes: fc.uint8Array({ maxLength: 8 }).map(bytes => `\\x${Buffer.from(bytes).toString('hex')}`),
  text: textValue(),
};
const KINDS = Object.keys(VALUES) as ColumnKind[];

export interface CsvTable {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly (string | null)[])[];
  readonly options: CsvOptions;
}

export function csvTable(settings: { wideEscape?: boolean } = {}): fc.Arbitrary<CsvTable> {
  const kind = fc.oneof(fc.constant('text' as const), fc.constantFrom(...KINDS));
  const columnOf = fc.tuple(textValue(), kind).map(([name, of]) => column(name, of));
  return fc.array(columnOf, { minLength: 1, maxLength: 6 }).chain(columns => {
    const row = fc.tuple(...columns.map(({ kind: of }) => fc.option(VALUES[of], { freq: 6 })));
    return fc.record({
      columns: fc.constant(columns),
      rows: fc.array(row, { maxLength: 8 }),
      options: csvOptions(settings),
    });
  });
}
