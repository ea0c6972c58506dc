/**
 * Generated combinations of the options of text formats, by both engines, read by readers
 * that share no code with them.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { batchOf, column, encodePart } from '../../conformance/encoding.ts';
import { asXmlHolds, readXml } from '../../conformance/read-xml.ts';
import { someOf } from '../../support/all-cases.ts';
import { engines, type Keys, type Rows, type TextType } from './engines.ts';

const COLUMNS = [
  column('t'),
  column('b', 'bytes'),
  column('n', 'numeric'),
  column('f', 'float64'),
  { ...column('a'), element: { kind: 'int64', delimiter: ',' } },
  column('w', 'boolean'),
] as const;

interface Row {
  readonly t: string | null;
  readonly b: string | null;
  readonly n: string | null;
  readonly f: string | null;
  readonly a: readonly (string | null)[] | null;
  readonly w: boolean | null;
}

const PIECES = [
  'a',
  '\r',
  '\n',
  '"',
  "'",
  ',',
  ';',
  '|',
  '\t',
  ' ',
  '=',
  '-',
  'é',
  '€',
  'ř',
  '😀',
  'NULL',
  '#N/A',
];

const rows: fc.Arbitrary<Row[]> = fc.array(
  fc.record({
    t: fc.option(fc.array(fc.constantFrom(...PIECES), { maxLength: 6 }).map(pieces => pieces.join(''))),
    b: fc.option(fc.uint8Array({ maxLength: 9 }).map(bytes => Buffer.from(bytes).toString('hex'))),
    n: fc.option(fc.integer({ min: -1e6, max: 1e6 }).map(value => (value / 100).toFixed(2))),
    f: fc.option(fc.constantFrom('1.5', '-0', '1e+20', 'NaN', 'Infinity', '-Infinity')),
    a: fc.option(fc.array(fc.option(fc.integer().map(String)), { maxLength: 3 })),
    w: fc.option(fc.boolean()),
  }),
  { maxLength: 6 },
);

/** As PostgreSQL sends them. */
function sent(table: readonly Row[]): Rows {
  return table.map(({ t, b, n, f, a, w }) => [
    t,
    b === null ? null : `\\x${b}`,
    n,
    f,
    a === null ? null : `{${a.map(value => value ?? 'NULL').join()}}`,
    w === null ? null : w ? 't' : 'f',
  ]);
}

/** What both engines write, which is the same, whatever the room. */
function written(type: TextType, keys: Keys, table: readonly Row[]): Buffer {
  const batch = batchOf(sent(table));
  const [fast, library] = engines(type, keys, COLUMNS).map(encoder =>
    encodePart(encoder, [batch], { roomBytes: 64 }),
  );
  assert.deepEqual(library, fast);
  return fast!;
}

function binaryText(hex: string, binary: string | undefined): string {
  if (binary === 'base64') return Buffer.from(hex, 'hex').toString('base64');
  return binary === 'hex' ? hex : `\\x${hex}`;
}

const ENCODINGS = {
  'utf-8': { misfit: /(?!)/u, decode: (bytes: Buffer) => bytes.toString() },
  'utf-16le': { misfit: /(?!)/u, decode: (bytes: Buffer) => bytes.toString('utf16le') },
  'windows-1252': {
    misfit: /[ř😀]/gu,
    decode: (bytes: Buffer) => bytes.toString('latin1').replaceAll('\x80', '€'),
  },
  'iso-8859-1': { misfit: /[€ř😀]/gu, decode: (bytes: Buffer) => bytes.toString('latin1') },
} as const;

const optional = <T>(...values: readonly T[]): fc.Arbitrary<T | undefined> =>
  fc.option(fc.constantFrom(...values), { nil: undefined });

const binary = optional('postgres', 'hex', 'base64');
const arrays = optional('postgres', 'json');

const csvKeys = fc
  .record({
    delimiter: fc.constantFrom(',', ';', '\t', '|', ';;'),
    quote: fc.constantFrom('needed', 'always', 'nonNumeric'),
    quoteChar: fc.constantFrom('"', "'"),
    isBackslash: fc.boolean(),
    header: fc.boolean(),
    lineEnding: fc.constantFrom('lf', 'crlf'),
    nullText: fc.constantFrom('', 'NULL', '#N/A'),
    escapeFormulas: fc.boolean(),
    booleans: fc.constantFrom(['true', 'false'] as const, ['1', '0'] as const),
    lineBreaks: optional('keep', 'space'),
    decimalSeparator: optional('.', ','),
    encoding: fc.constantFrom(...(Object.keys(ENCODINGS) as (keyof typeof ENCODINGS)[])),
    onUnrepresentable: fc.constantFrom('null', 'replace'),
    binary,
    arrays,
  })
  .map(({ isBackslash, ...keys }) => ({
    ...keys,
    escapeChar: isBackslash ? '\\' : keys.quoteChar,
    bom: keys.encoding === 'utf-16le',
  }));

type CsvKeys = typeof csvKeys extends fc.Arbitrary<infer T> ? T : never;

/** What a reader has to find, by the words of the documentation. */
function inCsv({ t, b, n, f, a, w }: Row, keys: CsvKeys): (string | null)[] {
  const { lineBreaks, encoding, onUnrepresentable, escapeFormulas, decimalSeparator = '.' } = keys;
  const text = (value: string): string | null => {
    const joined = lineBreaks === 'space' ? value.replace(/\r\n|[\r\n]/g, ' ') : value;
    const { misfit } = ENCODINGS[encoding];
    const isMisfit = joined.search(misfit) >= 0;
    if (isMisfit && onUnrepresentable === 'null') return null;
    const held = joined.replace(misfit, '?');
    return escapeFormulas && /^[=+\-@\t\r\n]/.test(held) ? `'${held}` : held;
  };
  const number = (value: string | null): string | null =>
    value === null ? null : value.replace('.', decimalSeparator);
  const array = (values: readonly (string | null)[]): string =>
    keys.arrays === 'json'
      ? `[${values.map(value => value ?? 'null').join()}]`
      : `{${values.map(value => value ?? 'NULL').join()}}`;
  return [
    t === null ? null : text(t),
    b === null ? null : binaryText(b, keys.binary),
    number(n),
    number(f),
    a === null ? null : array(a),
    w === null ? null : w ? keys.booleans[0]! : keys.booleans[1]!,
  ];
}

interface ReadField {
  readonly text: string;
  readonly isQuoted: boolean;
}

function fromCsv(bytes: Buffer, keys: CsvKeys): (string | null)[][] {
  const decoded = ENCODINGS[keys.encoding].decode(bytes);
  assert.equal(decoded.startsWith('\ufeff'), keys.bom);
  const records = parse(keys.bom ? decoded.slice(1) : decoded, {
    delimiter: keys.delimiter,
    quote: keys.quoteChar,
    escape: keys.escapeChar,
    record_delimiter: keys.lineEnding === 'crlf' ? '\r\n' : '\n',
    cast: (text, { quoting }): ReadField => ({ text, isQuoted: quoting }),
  }) as unknown as ReadField[][];
  const values = records.map(record =>
    record.map(({ text, isQuoted }) => (!isQuoted && text === keys.nullText ? null : text)),
  );
  if (keys.header)
    assert.deepEqual(
      values.shift(),
      COLUMNS.map(({ name }) => name),
    );
  return values;
}

test('CSV reads back under generated combinations of all options', () => {
  const property = fc.property(rows, csvKeys, (table, keys) => {
    const defined = Object.fromEntries(Object.entries(keys).filter(([, value]) => value !== undefined));
    assert.deepEqual(
      fromCsv(written('csv', defined, table), keys),
      table.map(row => inCsv(row, keys)),
    );
  });
  fc.assert(property, { numRuns: someOf(1000), includeErrorInReport: true });
});

const jsonKeys = fc.record({
  layout: fc.constantFrom('array', 'lines'),
  numbers: fc.constantFrom('number', 'string'),
  nulls: fc.constantFrom('include', 'omit'),
  onUnrepresentable: optional('null', 'replace'),
  binary,
  arrays,
});

type JsonKeys = typeof jsonKeys extends fc.Arbitrary<infer T> ? T : never;

function inJson({ t, b, n, f, a, w }: Row, keys: JsonKeys): Record<string, unknown> {
  const wide = (value: string): unknown => (keys.numbers === 'string' ? value : Number(value));
  const float = (value: string): unknown => {
    if (Number.isFinite(Number(value))) return Number(value);
    return keys.onUnrepresentable === 'null' ? null : value;
  };
  const array = (values: readonly (string | null)[]): unknown =>
    keys.arrays === 'json'
      ? values.map(value => (value === null ? null : wide(value)))
      : `{${values.map(value => value ?? 'NULL').join()}}`;
  const values = {
    t,
    b: b === null ? null : binaryText(b, keys.binary),
    n: n === null ? null : wide(n),
    f: f === null ? null : float(f),
    a: a === null ? null : array(a),
    w,
  };
  return keys.nulls === 'include'
    ? values
    : Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
}

test('JSON reads back under generated combinations of all options', () => {
  const property = fc.property(rows, jsonKeys, (table, keys) => {
    const defined = Object.fromEntries(Object.entries(keys).filter(([, value]) => value !== undefined));
    const text = written('json', defined, table).toString();
    const lines = text.split('\n').slice(0, -1);
    const read = keys.layout === 'array' ? JSON.parse(text) : lines.map(line => JSON.parse(line));
    assert.deepEqual(
      read,
      table.map(row => inJson(row, keys)),
    );
  });
  fc.assert(property, { numRuns: someOf(1000), includeErrorInReport: true });
});

const xmlKeys = fc.record({
  nulls: fc.constantFrom('nil', 'omit'),
  indent: fc.boolean(),
  declaration: fc.boolean(),
  onUnrepresentable: optional('null', 'replace'),
  binary,
});

test('XML reads back under generated combinations of all options', () => {
  const property = fc.property(rows, xmlKeys, (table, { nulls, ...keys }) => {
    const defined = Object.fromEntries(Object.entries(keys).filter(([, value]) => value !== undefined));
    const control = table.map(row => ({ ...row, t: row.t?.replaceAll('|', '\x01') ?? null }));
    const document = readXml(written('xml', { ...defined, ...(nulls === 'omit' && { nulls }) }, control));
    const expected = control.map(({ t, b, n, f, a, w }) => {
      const isNull = keys.onUnrepresentable === 'null' && t?.includes('\x01');
      const values = {
        t: t === null || isNull ? null : asXmlHolds(t),
        b: b === null ? null : binaryText(b, keys.binary),
        n,
        f,
        a: a === null ? null : `{${a.map(value => value ?? 'NULL').join()}}`,
        w: w === null ? null : String(w),
      };
      const fields = Object.entries(values).map(([name, text]) => ({ name, text }));
      return nulls === 'omit' ? fields.filter(({ text }) => text !== null) : fields;
    });
    assert.deepEqual(
      document.rows.map(({ fields }) => fields),
      expected,
    );
    assert.equal(document.declaration !== undefined, keys.declaration);
  });
  fc.assert(property, { numRuns: someOf(1000), includeErrorInReport: true });
});
