import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CsvEncoder, type CsvOptions } from '../../../src/encoders/csv/csv.ts';
import { csvRowBound } from '../../../src/encoders/csv/csv-options.ts';
import type { Column, ColumnKind } from '../../../src/row-batch.ts';
import { csvTable, DEFAULT_CSV_OPTIONS } from '../../conformance/csv-arbitraries.ts';
import { batchOf, column, encodePart, type FieldValue, outputOf } from '../../conformance/encoding.ts';

/** The rows of a file without a header, as text. */
function write(
  kinds: readonly ColumnKind[],
  rows: readonly (readonly FieldValue[])[],
  options: Partial<CsvOptions> = {},
): string {
  const columns = kinds.map((kind, index) => column(`c${index}`, kind));
  const encoder = new CsvEncoder(columns, { ...DEFAULT_CSV_OPTIONS, header: false, ...options });
  return encodePart(encoder, [batchOf(rows)]).toString();
}

/** One value beside a column of another kind, so that the file is not of one column. */
function cell(value: FieldValue, options: Partial<CsvOptions> = {}, kind: ColumnKind = 'text'): string {
  const delimiter = options.delimiter ?? ',';
  const line = write([kind, 'int32'], [[value, null]], { ...options, nullText: options.nullText ?? '' });
  const end = `${delimiter}${options.nullText ?? ''}${options.lineEnding === 'crlf' ? '\r\n' : '\n'}`;
  assert.ok(line.endsWith(end), line);
  return line.slice(0, -end.length);
}

function head(columns: readonly Column[], options: Partial<CsvOptions> = {}): string {
  return encodePart(new CsvEncoder(columns, { ...DEFAULT_CSV_OPTIONS, ...options }), []).toString();
}

test('tells NULL, the empty text and the NULL text apart', () => {
  assert.equal(write(['text', 'text'], [[null, '']]), ',""\n');
  assert.equal(
    write(['text', 'text', 'text'], [[null, '', 'NULL']], { nullText: 'NULL' }),
    'NULL,"","NULL"\n',
  );
  assert.equal(write(['text', 'text'], [[null, '']], { quote: 'always' }), ',""\n');
  assert.equal(write(['text', 'text'], [[null, 'x']], { quote: 'always', nullText: '-' }), '-,"x"\n');
  for (const [kind, value] of [
    ['float64', 'NaN'],
    ['float64', '-Infinity'],
    ['numeric', '0'],
    ['int64', '-1'],
    ['date', 'infinity'],
    ['uuid', '00000000-0000-0000-0000-000000000000'],
    ['timestamptz', '-infinity'],
  ] as const) {
    assert.equal(cell(value, { nullText: value }, kind), `"${value}"`);
  }
  assert.equal(cell('t', { nullText: 'true' }, 'boolean'), '"true"');
  assert.equal(
    cell('2020-01-01 00:00:00', { nullText: '2020-01-01T00:00:00' }, 'timestamp'),
    '"2020-01-01T00:00:00"',
  );
  assert.equal(
    cell('2020-01-01 00:00:00', { nullText: '2020-01-01 00:00:00' }, 'timestamp'),
    '2020-01-01T00:00:00',
  );
});

test('a NULL alone in its line is an empty line and an empty text is not', () => {
  assert.equal(write(['text'], [[null], [''], [null]]), '\n""\n\n');
});

test('quotes what a reader would take for something else, and nothing more', () => {
  for (const value of ['a,b', 'a"b', 'a\nb', 'a\rb', '\n', '\r', ',', '"']) {
    assert.equal(cell(value), `"${value.replaceAll('"', '""')}"`);
  }
  for (const value of [' ', ' a ', 'é', '\u0001', '\u0000', "'", '\\', 'a;b', '\u2028', '#', '\ufeff']) {
    assert.equal(cell(value), value);
  }
  assert.equal(cell('a;b,c', { delimiter: ';' }), '"a;b,c"');
  assert.equal(cell('a,b', { delimiter: ';' }), 'a,b');
  assert.equal(cell('a\tb', { delimiter: '\t' }), '"a\tb"');
  assert.equal(cell('it"s', { quoteChar: "'", escapeChar: "'" }), 'it"s');
  assert.equal(cell("it's", { quoteChar: "'", escapeChar: "'" }), "'it''s'");
  assert.equal(cell('a\\"b', { escapeChar: '\\' }), '"a\\\\\\"b"');
  assert.equal(cell('a\\b', { escapeChar: '\\' }), '"a\\\\b"');
});

test('quotes a value whose end would run into a delimiter of several characters', () => {
  assert.equal(cell('a:', { delimiter: '::' }), '"a:"');
  assert.equal(cell('a:b', { delimiter: '::' }), 'a:b');
  assert.equal(cell(':a', { delimiter: '::' }), ':a');
  assert.equal(cell('a::b', { delimiter: '::' }), '"a::b"');
  assert.equal(cell('xab', { delimiter: 'aba' }), '"xab"');
  assert.equal(cell('xa', { delimiter: 'aba' }), 'xa');
  assert.equal(cell('xa', { delimiter: 'ab' }), 'xa');
  assert.equal(head([column('a|'), column('b')], { delimiter: '||' }), '"a|"||b\n');
});

test('knows characters of several bytes by all their bytes', () => {
  const euro = { delimiter: '€' };
  assert.equal(cell('a€b', euro), '"a€b"');
  assert.equal(cell('‚₭', euro), '‚₭');
  const guillemets = { quoteChar: '«', escapeChar: '»' };
  assert.equal(cell('a«b»c', guillemets), '«a»«b»»c«');
  assert.equal(cell('ªº', guillemets), 'ªº');
  assert.equal(cell('😀,😁', { quoteChar: '😀', escapeChar: '😁' }), '😀😁😀,😁😁😀');
});

test('quotes the line that would end a COPY FROM', () => {
  assert.equal(write(['text'], [['\\.'], ['\\..'], ['.'], ['\\']]), '"\\."\n\\..\n.\n\\\n');
  assert.equal(write(['text'], [['\\.']], { delimiter: '||' }), '"\\."\n');
  assert.equal(write(['text', 'text'], [['\\.', '\\.']]), '\\.,\\.\n');
  assert.equal(head([column('\\.')]), '"\\."\n');
});

test('writes timestamps as ISO 8601 where they have such a form', () => {
  const zoned = (value: string): string => cell(value, {}, 'timestamptz');
  const local = (value: string): string => cell(value, {}, 'timestamp');
  assert.equal(zoned('2020-01-01 00:00:00.000001+00'), '2020-01-01T00:00:00.000001Z');
  assert.equal(zoned('294276-12-31 23:59:59.999999+00'), '294276-12-31T23:59:59.999999Z');
  assert.equal(zoned('4714-11-24 00:00:00+00 BC'), '4714-11-24T00:00:00Z BC');
  assert.equal(zoned('infinity'), 'infinity');
  assert.equal(zoned('-infinity'), '-infinity');
  assert.equal(local('2020-01-01 00:00:00'), '2020-01-01T00:00:00');
  assert.equal(local('4714-11-24 00:00:00 BC'), '4714-11-24T00:00:00 BC');
  assert.equal(cell('0044-03-15 BC', {}, 'date'), '0044-03-15 BC');
  assert.equal(
    cell('2020-01-01 00:00:00+00', { timestampFormat: 'postgres' }, 'timestamptz'),
    '2020-01-01 00:00:00+00',
  );
  assert.equal(cell('2020-01-01 00:00:00+00', { delimiter: 'T' }, 'timestamptz'), '"2020-01-01T00:00:00Z"');
  assert.equal(cell('2020-01-01 00:00:00+00', { delimiter: ' ' }, 'timestamptz'), '2020-01-01T00:00:00Z');
  assert.equal(
    cell('0044-03-15 00:00:00+00 BC', { delimiter: ' ' }, 'timestamptz'),
    '"0044-03-15T00:00:00Z BC"',
  );
});

test('quotes all but numbers, all, or what needs it', () => {
  const kinds = ['text', 'int64', 'boolean', 'numeric', 'float64', 'date', 'uuid', 'json'] as const;
  const row = ['a', '1', 't', '-1.50', 'NaN', '2020-01-01', '0-0', '{}'];
  assert.equal(write(kinds, [row]), 'a,1,true,-1.50,NaN,2020-01-01,0-0,{}\n');
  assert.equal(
    write(kinds, [row], { quote: 'always' }),
    '"a","1","true","-1.50","NaN","2020-01-01","0-0","{}"\n',
  );
  assert.equal(
    write(kinds, [row], { quote: 'nonNumeric' }),
    '"a",1,"true",-1.50,NaN,"2020-01-01","0-0","{}"\n',
  );
  assert.equal(cell('-1.50', { quote: 'nonNumeric', delimiter: '.' }, 'numeric'), '"-1.50"');
  const names = [column('n', 'int32'), column('t')];
  assert.equal(head(names, { quote: 'nonNumeric' }), '"n","t"\n');
  assert.equal(head(names), 'n,t\n');
});

test('quotes numbers, dates and booleans that meet the delimiter, the quote or the escape character', () => {
  assert.equal(cell('-5', { delimiter: '-' }, 'int32'), '"-5"');
  assert.equal(cell('1e+20', { quoteChar: 'e', escapeChar: 'e' }, 'float64'), 'e1ee+20e');
  assert.equal(cell('12:00:00', { delimiter: ':' }, 'time'), '"12:00:00"');
  assert.equal(cell('100', { escapeChar: '0' }, 'int32'), '"10000"');
  assert.equal(cell('f', { booleans: ['yes, sir', 'no "way"'] }, 'boolean'), '"no ""way"""');
  assert.equal(cell('t', { booleans: ['', '0'] }, 'boolean'), '""');
});

test('puts an apostrophe before formulas in text columns only', () => {
  const starts = ['=', '+', '-', '@', '\t', '＝', '＋', '－', '＠'];
  for (const start of starts) assert.equal(cell(`${start}1`, { escapeFormulas: true }), `'${start}1`);
  assert.equal(cell('\n=1', { escapeFormulas: true }), '"\'\n=1"');
  assert.equal(cell('\r=1', { escapeFormulas: true }), '"\'\r=1"');
  assert.equal(cell('a=1', { escapeFormulas: true }), 'a=1');
  assert.equal(cell('-1', { escapeFormulas: true }, 'int32'), '-1');
  assert.equal(cell('-infinity', { escapeFormulas: true }, 'date'), '-infinity');
  assert.equal(cell('＂', { escapeFormulas: true }), '＂');
  assert.equal(cell('=1', { escapeFormulas: true, quoteChar: "'", escapeChar: "'" }), "'''=1'");
  assert.equal(cell('', { escapeFormulas: true }), '""');
});

test('an interval is no formula, though it begins with a sign, and whatever a type is called', () => {
  const options = { ...DEFAULT_CSV_OPTIONS, header: false, escapeFormulas: true };
  const interval = { ...column('a'), sourceType: 'interval(3)', isQuantity: true } as const;
  const write = (of: Column): string =>
    encodePart(new CsvEncoder([of], options), [batchOf([['-1 days']])]).toString();
  assert.equal(write(interval), '-1 days\n');
  assert.equal(write({ ...column('a'), sourceType: 'interval' }), "'-1 days\n");
});

test('writes the byte order mark and the header once, before all rows', () => {
  const columns = [column('a'), column('b,"c"'), column('')];
  const encoder = new CsvEncoder(columns, { ...DEFAULT_CSV_OPTIONS, bom: true, lineEnding: 'crlf' });
  const part = encodePart(encoder, [batchOf([['1', '2', '3']]), batchOf([['4', null, '']])]);
  assert.equal(part.toString(), '\ufeffa,"b,""c""",""\r\n1,2,3\r\n4,,""\r\n');
  assert.equal(head(columns, { header: false }), '');
  assert.equal(head([column('NULL'), column('b')], { nullText: 'NULL' }), '"NULL",b\n');
});

test('writes the columns it was given and not the key columns behind them', () => {
  assert.equal(write(['text', 'int32'], [['a', '1', 'key', null, '9']]), 'a,1\n');
});

test('writes the selected rows in the order of the selection', () => {
  const batch = batchOf([['0'], ['1'], ['2'], ['3'], ['4']]);
  const encoder = new CsvEncoder([column('a')], { ...DEFAULT_CSV_OPTIONS, header: false });
  const out = outputOf(100);
  assert.equal(encoder.encode(batch, Int32Array.of(9, 4, 0, 2, 9), 1, 4, out), 4);
  assert.equal(out.written().toString(), '4\n0\n2\n');
  assert.equal(encoder.encode(batch, Int32Array.of(1), 1, 1, out), 1);
  assert.equal(out.written().toString(), '4\n0\n2\n');
});

test('passes bytes that are not UTF-8 through untouched', () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte).filter(byte => byte !== 0x22));
  const columns = [column('a'), column('b')];
  for (const options of [
    {},
    { delimiter: '€' },
    { quoteChar: '«', escapeChar: '»' },
    { delimiter: '\xe2|' },
  ]) {
    const encoder = new CsvEncoder(columns, { ...DEFAULT_CSV_OPTIONS, header: false, ...options });
    const quote = Buffer.from(options.quoteChar ?? '"');
    const line = [
      quote,
      bytes,
      quote,
      Buffer.from(options.delimiter ?? ','),
      Buffer.from('\xff\n', 'latin1'),
    ];
    const part = encodePart(encoder, [batchOf([[bytes, Buffer.of(0xff)]])]);
    assert.deepEqual(part, Buffer.concat(line));
  }
});

test('the bound of a row is enough for it and the room is never overrun, whatever the options', () => {
  const property = fc.property(
    csvTable({ wideEscape: true }),
    fc.integer({ min: 0, max: 200 }),
    ({ columns, rows, options }, roomBytes) => {
      const batch = batchOf(rows);
      const whole = encodePart(new CsvEncoder(columns, options), [batch], { roomBytes: 1 << 20 });
      // A room of 1 byte makes each row go through its bound.
      for (const room of [roomBytes, 1]) {
        const encoder = new CsvEncoder(columns, options);
        assert.deepEqual(encodePart(encoder, [batch], { roomBytes: room }), whole);
        for (let row = 0; row < batch.rowCount; row++) {
          const out = outputOf(encoder.rowBytesBound(batch, row));
          assert.equal(encoder.encode(batch, Int32Array.of(row), 0, 1, out), 1);
          out.written();
        }
      }
    },
  );
  fc.assert(property, { numRuns: 500, includeErrorInReport: true });
});

test('the bound of a row is what the values that grow most take, and hardly more', () => {
  for (const quoteChar of ['"', "'", '«', '😀']) {
    for (const escapeChar of ['"', "'", '\\', '»', '😀', '😁']) {
      for (const lineEnding of ['lf', 'crlf'] as const) {
        /**
         * Bytes of the bound that two fields do not take; the last field lacks its
         * delimiter in any case.
         */
        const unused = (kind: ColumnKind, value: FieldValue, more: Partial<CsvOptions> = {}): number => {
          const base = {
            ...DEFAULT_CSV_OPTIONS,
            header: false,
            delimiter: '€;',
            quoteChar,
            escapeChar,
            lineEnding,
          };
          const columns = [column('a', kind), column('b', kind)];
          const encoder = new CsvEncoder(columns, { ...base, ...more });
          const batch = batchOf([[value, value]]);
          const { perByte, perRow } = csvRowBound(columns, { ...base, ...more });
          const bound = (batch.rowBounds[1]! - batch.rowBounds[0]!) * perByte + perRow;
          const part = encodePart(encoder, [batch], { roomBytes: 1 });
          return bound - part.length - Buffer.byteLength(base.delimiter);
        };
        const quotes = 4 * Buffer.byteLength(quoteChar);
        assert.equal(unused('text', ''), 0);
        assert.equal(unused('text', null, { nullText: 'N'.repeat(30) }), quotes);
        assert.ok(unused('boolean', 't', { booleans: [escapeChar.repeat(10), ''] }) >= 0);
        assert.ok(unused('text', `=${quoteChar.repeat(9)}`, { escapeFormulas: true }) >= 0);
        if (quotes > 4) continue;
        assert.equal(unused('text', quoteChar.repeat(9)), 0);
        if (quoteChar !== "'") continue;
        // The apostrophe itself has to be escaped.
        assert.equal(unused('text', "=''", { escapeFormulas: true }), 2 * Buffer.byteLength(escapeChar));
      }
    }
  }
});
