import assert from 'node:assert/strict';
import test from 'node:test';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { CsvEncoder } from '../../../src/encoders/csv/csv.ts';
import { batchOf, column, encodePart } from '../../conformance/encoding.ts';
import { engines, type Keys, type Rows, written } from './engines.ts';

const BYTEA = [column('b', 'bytes')];
const BYTES: Rows = [['\\x616263'], [null], ['\\x'], ['\\xfbff']];

test('bytea is written as digits or in base64, in every text format, and NULL stays NULL', () => {
  assert.equal(written('csv', { binary: 'hex' }, BYTEA, BYTES), 'b\n616263\n\n""\nfbff\n');
  assert.equal(written('csv', { binary: 'base64' }, BYTEA, BYTES), 'b\nYWJj\n\n""\n+/8=\n');
  assert.equal(written('csv', {}, BYTEA, BYTES), 'b\n\\x616263\n\n\\x\n\\xfbff\n');
  const values = (keys: Keys): unknown[] =>
    written('json', keys, BYTEA, BYTES)
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line).b);
  assert.deepEqual(values({ binary: 'hex' }), ['616263', null, '', 'fbff']);
  assert.deepEqual(values({ binary: 'base64' }), ['YWJj', null, '', '+/8=']);
  assert.match(written('xml', { binary: 'base64' }, BYTEA, BYTES), /<b>YWJj<\/b>.*<b>\+\/8=<\/b>/s);
});

test('base64 is no formula, though it may begin like one', () => {
  const keys = { binary: 'base64', escapeFormulas: true };
  assert.equal(written('csv', keys, BYTEA, [['\\xfbff']]), 'b\n+/8=\n');
});

const NUMBERS = [column('n', 'numeric'), column('f', 'float64'), column('i', 'int32')];
const ROWS: Rows = [
  ['1.50', '-2.5', '7'],
  [null, 'NaN', '-1'],
  ['12345678901234567890.123456789', '1e+20', null],
];

test('decimal numbers have a comma, and are quoted where it is the delimiter', () => {
  assert.equal(
    written('csv', { decimalSeparator: ',', delimiter: ';' }, NUMBERS, ROWS),
    'n;f;i\n1,50;-2,5;7\n;NaN;-1\n12345678901234567890,123456789;1e+20;\n',
  );
  assert.equal(
    written('csv', { decimalSeparator: ',' }, NUMBERS, ROWS),
    'n,f,i\n"1,50","-2,5",7\n,NaN,-1\n"12345678901234567890,123456789",1e+20,\n',
  );
  assert.equal(
    written('csv', { decimalSeparator: ',', delimiter: ';', quote: 'nonNumeric' }, NUMBERS, ROWS),
    '"n";"f";"i"\n1,50;-2,5;7\n;NaN;-1\n12345678901234567890,123456789;1e+20;\n',
  );
  assert.equal(
    written('csv', { decimalSeparator: ',', delimiter: ';', quote: 'always' }, NUMBERS.slice(0, 1), [
      ['1.5'],
    ]),
    '"n"\n"1,5"\n',
  );
});

test('a decimal number that equals nullText is quoted', () => {
  const keys = { decimalSeparator: ',', delimiter: ';', nullText: '0,0' };
  assert.equal(written('csv', keys, NUMBERS.slice(0, 1), [['0.0'], [null]]), 'n\n"0,0"\n0,0\n');
});

const TEXTS = [column('a\r\nb'), column('j', 'json'), column('n', 'int32')];

test('line breaks within fields and names are spaces, one for each, and values with any are counted', () => {
  const rows: Rows = [
    ['one\r\ntwo\nthree\rfour', '{\n"x": 1}', '1'],
    ['plain', null, '2'],
    ['\n', '1', '3'],
  ];
  const keys = { lineBreaks: 'space' };
  assert.equal(
    written('csv', keys, TEXTS, rows),
    'a b,j,n\none two three four,"{ ""x"": 1}",1\nplain,,2\n ,1,3\n',
  );
  for (const encoder of engines('csv', keys, TEXTS)) {
    // Rows that do not fit at first are tried again, and others are of another file.
    encodePart(encoder, [batchOf(rows), batchOf(rows)], { roomBytes: 8, rows: Int32Array.of(0, 1) });
    const counts = Array.from(encoder.coerced ?? [], ([{ name }, count]) => [name, count]);
    assert.deepEqual(counts, [
      ['a\r\nb', 2],
      ['j', 2],
    ]);
  }
});

test('without options values pass as they came, through the encoder itself', () => {
  const [fast] = engines('csv', {}, TEXTS);
  assert.equal(fast!.constructor, CsvEncoder);
  const [kept] = engines('csv', { lineBreaks: 'keep', decimalSeparator: '.', binary: 'postgres' }, TEXTS);
  assert.equal(kept!.constructor, CsvEncoder);
});

test('both engines agree on generated values, and every other value reads back as it was', () => {
  const columns = [column('t'), column('b', 'bytes'), column('n', 'numeric'), column('key')];
  const field = (value: fc.Arbitrary<string>): fc.Arbitrary<string | null> => fc.option(value);
  const row = fc.tuple(
    field(fc.string({ unit: fc.constantFrom('a', '\r', '\n', '"', ',', ';', ' ', 'é', '=') })),
    field(fc.uint8Array({ maxLength: 40 }).map(bytes => `\\x${Buffer.from(bytes).toString('hex')}`)),
    field(fc.integer().map(value => (value / 100).toFixed(2))),
    fc.string({ unit: 'grapheme-ascii' }),
  );
  const options = fc.record({
    delimiter: fc.constantFrom(',', ';'),
    quote: fc.constantFrom('needed', 'always', 'nonNumeric'),
    lineBreaks: fc.constantFrom('keep', 'space'),
    decimalSeparator: fc.constantFrom('.', ','),
    binary: fc.constantFrom('postgres', 'hex', 'base64'),
    nullText: fc.constant('NULL'),
  });
  fc.assert(
    fc.property(fc.array(row, { maxLength: 8 }), options, (rows, keys) => {
      const text = written('csv', keys, columns, rows);
      const read: string[][] = parse(text, { delimiter: keys.delimiter, from_line: 1 }).slice(1);
      const expected = rows.map(([t, b, n, key]) => {
        const digits = b?.slice(2) ?? '';
        const bytes = { postgres: b, hex: digits, base64: Buffer.from(digits, 'hex').toString('base64') };
        return [
          t === null ? 'NULL' : keys.lineBreaks === 'space' ? t.replace(/\r\n|[\r\n]/g, ' ') : t,
          b === null ? 'NULL' : bytes[keys.binary as keyof typeof bytes],
          n === null ? 'NULL' : n.replace('.', keys.decimalSeparator),
          key,
        ];
      });
      assert.deepEqual(read, expected);
    }),
    { numRuns: 300 },
  );
});

const ENCODED = [column('t'), column('n', 'int32')];
const TEXT_ROWS: Rows = [
  ['Žluťoučký', '1'],
  ['é € ü', '2'],
  [null, '3'],
];

/** What both engines write in another encoding, through rooms of some size. */
function encoded(keys: Keys, rows: Rows, roomBytes: number): Buffer {
  const [fast, library] = engines('csv', keys, ENCODED).map(encoder =>
    encodePart(encoder, [batchOf(rows), batchOf(rows)], { roomBytes }),
  );
  assert.deepEqual(library, fast);
  return fast!;
}

test('a file is written in the encoding that is asked for, whatever the room', () => {
  const rows = TEXT_ROWS.slice(1);
  const expected = `t,n\n${'é € ü,2\n,3\n'.repeat(2)}`;
  for (const roomBytes of [1, 30, 64 * 1024, 512 * 1024]) {
    const utf16 = encoded({ encoding: 'utf-16le', bom: true }, TEXT_ROWS, roomBytes);
    assert.equal(utf16.toString('utf16le'), `\ufefft,n\n${'Žluťoučký,1\né € ü,2\n,3\n'.repeat(2)}`);
    const windows = encoded({ encoding: 'windows-1252' }, rows, roomBytes);
    assert.equal(windows.toString('latin1'), expected.replaceAll('€', '\x80'));
    const latin = encoded({ encoding: 'iso-8859-1' }, [['é ü', '2']], roomBytes);
    assert.equal(latin.toString('latin1'), `t,n\n${'é ü,2\n'.repeat(2)}`);
  }
});

test('rows that take more than a chunk are encoded alone', () => {
  const long = 'ü'.repeat(200_000);
  const written = encoded(
    { encoding: 'iso-8859-1' },
    [
      ['a', '1'],
      [long, '2'],
      ['b', '3'],
    ],
    1024 * 1024,
  );
  assert.equal(written.toString('latin1'), `t,n\n${`a,1\n${long},2\nb,3\n`.repeat(2)}`);
});

test('a character that the encoding does not have is refused by row and column, unless it is to be replaced or null', () => {
  for (const encoder of engines('csv', { encoding: 'windows-1252' }, ENCODED)) {
    assert.throws(
      () => encodePart(encoder, [batchOf(TEXT_ROWS.slice(1)), batchOf(TEXT_ROWS)]),
      /column "t" holds the character "ť" \(U\+0165\), which windows-1252 does not have, in row 3 of its file/,
    );
  }
  const text = (onUnrepresentable: string): string =>
    encoded({ encoding: 'iso-8859-1', onUnrepresentable }, TEXT_ROWS, 64).toString('latin1');
  assert.equal(text('replace'), `t,n\n${'?lu?ou?ký,1\né ? ü,2\n,3\n'.repeat(2)}`);
  assert.equal(text('null'), `t,n\n${',1\n,2\n,3\n'.repeat(2)}`);
  const [counted] = engines('csv', { encoding: 'iso-8859-1', onUnrepresentable: 'null' }, ENCODED);
  encodePart(counted!, [batchOf(TEXT_ROWS)], { roomBytes: 8 });
  assert.deepEqual([...counted!.coerced!.values()], [2]);
});

test('rows that are not written are not looked at', () => {
  for (const encoder of engines('csv', { encoding: 'iso-8859-1' }, ENCODED)) {
    const written = encodePart(encoder, [batchOf(TEXT_ROWS)], { rows: Int32Array.of(2) });
    assert.equal(written.toString(), 't,n\n,3\n');
  }
});

test('the name of a column that the encoding does not have is refused', () => {
  assert.throws(() => engines('csv', { encoding: 'iso-8859-1' }, [column('€')]), /column "€" .*U\+20AC/);
});

test('bytes that are not UTF-8 are refused where the file is in another encoding', () => {
  const [fast] = engines('csv', { encoding: 'utf-16le', bom: true }, ENCODED);
  assert.throws(() => encodePart(fast!, [batchOf([[Buffer.of(0xff), '1']])]), /bytes that are not UTF-8/);
});

/** Made with iconv(1). */
const WINDOWS_1252 = Buffer.from('80828384858687888a8c8e9192939495969798999a9b9c9e9fa0e9ff', 'hex');

test('the characters that only Windows-1252 has are the bytes that iconv makes of them', () => {
  const text = '€‚ƒ„…†‡ˆŠŒŽ‘’“”•–—˜™š›œžŸ\u00a0éÿ';
  const made = encoded({ encoding: 'windows-1252', header: false }, [[text, '1']], 1024);
  const line = Buffer.concat([WINDOWS_1252, Buffer.from(',1\n')]);
  assert.deepEqual(made, Buffer.concat([line, line]));
});

const ARRAYS = [
  { ...column('i'), element: { kind: 'int64', delimiter: ',' } },
  { ...column('t'), element: { kind: 'text', delimiter: ',' } },
] as const;
const ARRAY_ROWS: Rows = [
  ['{1,NULL,9007199254740993}', '{"a,b",NULL,"NULL","\u0001"}'],
  [null, '{}'],
  ['[0:1]={1,2}', '{{a,b},{c,d}}'],
];

test('arrays are arrays of JSON, and JSON text in CSV, digit for digit', () => {
  assert.equal(
    written('json', { arrays: 'json' }, ARRAYS, ARRAY_ROWS),
    [
      '{"i":[1,null,9007199254740993],"t":["a,b",null,"NULL","\\u0001"]}',
      '{"i":null,"t":[]}',
      '{"i":[1,2],"t":[["a","b"],["c","d"]]}\n',
    ].join('\n'),
  );
  assert.equal(
    written('csv', { arrays: 'json' }, ARRAYS, ARRAY_ROWS),
    [
      'i,t',
      '"[1,null,9007199254740993]","[""a,b"",null,""NULL"",""\\u0001""]"',
      ',[]',
      '"[1,2]","[[""a"",""b""],[""c"",""d""]]"\n',
    ].join('\n'),
  );
  assert.match(
    written('json', { arrays: 'json', numbers: 'string' }, ARRAYS, ARRAY_ROWS),
    /^\{"i":\["1",null,"9007199254740993"\]/,
  );
  assert.match(written('json', {}, ARRAYS, ARRAY_ROWS), /^\{"i":"\{1,NULL,9007199254740993\}"/);
});

test('an array that becomes six times as long is written', () => {
  const text = '\u0001'.repeat(50_000);
  const [fast, library] = engines('json', { arrays: 'json' }, ARRAYS).map(encoder =>
    encodePart(encoder, [batchOf([...ARRAY_ROWS, [null, `{${text}}`], ...ARRAY_ROWS])]).toString(),
  );
  assert.equal(fast, library);
  const lines = fast!.trimEnd().split('\n');
  assert.deepEqual(lines.slice(0, 3), lines.slice(4));
  assert.deepEqual(JSON.parse(lines[3]!), { i: null, t: [text] });
});
