/**
 * Generated columns and rows, with the texts that PostgreSQL writes for values of each
 * kind.
 */
import fc from 'fast-check';
import type { Column, ColumnKind } from '../../src/row-batch.ts';
import { column } from './encoding.ts';

const FINITE_LENGTH = { minLength: 1, maxLength: 30 };

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
/**
 * As PostgreSQL writes it: the exponent has two digits at least, and minus zero its sign.
 */
const float = fc
  .double({ noNaN: true, noDefaultInfinity: true })
  .map(value => (Object.is(value, -0) ? '-0' : String(value)).replace(/e([+-])(\d)$/, 'e$10$2'));

/** As the type json keeps it: with its whitespace, its escapes and its digits. */
const document = fc
  .record({
    value: fc.oneof(
      fc.jsonValue(),
      fc
        .constantFrom('"', '\\', '\n', '\u0085', 'é', 'a" :[{ ,', '\\"', '\ud800')
        .map(text => ({ [text]: [text] })),
    ),
    indent: fc.constantFrom('', '', ' ', '\t'),
    lineEnding: fc.constantFrom('\n', '\r\n', '\r', ' '),
    around: fc.constantFrom('', '', ' ', '\n', '\r'),
  })
  .map(({ value, indent, lineEnding, around }) => {
    const text = JSON.stringify(value, null, indent).replaceAll('\n', lineEnding);
    return `${around}${text}${around}`;
  });

const VALUES: Readonly<Record<Exclude<ColumnKind, 'text'>, fc.Arbitrary<string>>> = {
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
        .map(([sign, whole, part]) => {
          const fraction = part === undefined ? '' : `.${part}`;
          return `${sign}${whole.replace(/^0+(?=\d)/, '')}${fraction}`;
        }),
    },
    notANumber,
  ),
  date: fc.oneof({ weight: 6, arbitrary: fc.tuple(date, era).map(parts => parts.join('')) }, infinite),
  time,
  timestamp: moment(''),
  timestamptz: moment('+00'),
  uuid: fc.uuid(),
  json: document,
  bytes: fc.uint8Array({ maxLength: 8 }).map(bytes => `\\x${Buffer.from(bytes).toString('hex')}`),
};
const KINDS = Object.keys(VALUES) as (keyof typeof VALUES)[];

export interface Table {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly (string | null)[])[];
}

export interface TableArbitraries {
  /** Values of text columns. */
  readonly text: fc.Arbitrary<string>;
  /** Column names; any text where it is left out. */
  readonly name?: fc.Arbitrary<string>;
}

export function tableOf({ text, name = text }: TableArbitraries): fc.Arbitrary<Table> {
  const kind = fc.oneof(fc.constant('text' as const), fc.constantFrom(...KINDS));
  const columnOf = fc.tuple(name, kind).map(([called, of]) => column(called, of));
  return fc.array(columnOf, { minLength: 1, maxLength: 6 }).chain(columns => {
    const row = fc.tuple(
      ...columns.map(({ kind: of }) => fc.option(of === 'text' ? text : VALUES[of], { freq: 6 })),
    );
    return fc.record({ columns: fc.constant(columns), rows: fc.array(row, { maxLength: 8 }) });
  });
}

/** Texts of pieces that matter to a format, among characters that do not. */
export function textOf(pieces: readonly string[]): fc.Arbitrary<string> {
  const piece = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...pieces) },
    fc.string({ unit: 'binary', maxLength: 3 }),
  );
  return fc.array(piece, { maxLength: 6 }).map(parts => parts.join(''));
}
