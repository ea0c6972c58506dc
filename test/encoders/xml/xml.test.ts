import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { XmlEncoder, type XmlOptions } from '../../../src/encoders/xml/xml.ts';
import type { ColumnKind } from '../../../src/row-batch.ts';
import {
  allRows,
  batchOf,
  column,
  encodePart,
  type FieldValue,
  outputOf,
} from '../../conformance/encoding.ts';
import { asXmlHolds, decodeName, readXml, type XmlField } from '../../conformance/read-xml.ts';
import { DEFAULT_XML_OPTIONS, xmlColumnName, xmlTable } from '../../conformance/xml-arbitraries.ts';

const BARE: XmlOptions = { ...DEFAULT_XML_OPTIONS, declaration: false, nulls: 'omit' };

/** What stands between the tags of the value. */
function value(kind: ColumnKind, field: FieldValue): string {
  const file = encodePart(new XmlEncoder([column('a', kind)], BARE), [batchOf([[field]])]).toString();
  const [start, end] = ['<rows>\n<row><a>', '</a></row>\n</rows>\n'];
  assert.ok(file.startsWith(start) && file.endsWith(end), file);
  return file.slice(start.length, -end.length);
}

function nameOf(name: string, names: 'encode' | 'strict' = 'encode'): string {
  const encoder = new XmlEncoder([column(name)], { ...BARE, names });
  return readXml(encodePart(encoder, [batchOf([['']])])).rows[0]!.fields[0]!.name;
}

test('writes rows and columns as elements, with and without indentation', () => {
  const columns = [column('a', 'int32'), column('b')];
  const write = (options: Partial<XmlOptions>, ...rows: FieldValue[][]): string =>
    encodePart(new XmlEncoder(columns, { ...DEFAULT_XML_OPTIONS, ...options }), [batchOf(rows)]).toString();
  const declaration = '<?xml version="1.0" encoding="UTF-8"?>\n';
  const root = '<rows xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">';
  assert.equal(write({}), `${declaration}${root}</rows>\n`);
  assert.equal(
    write({}, ['1', null], ['2', '']),
    `${declaration}${root}\n<row><a>1</a><b xsi:nil="true"/></row>\n<row><a>2</a><b></b></row>\n</rows>\n`,
  );
  assert.equal(write({ indent: true, nulls: 'omit', declaration: false }), '<rows></rows>\n');
  assert.equal(
    write(
      { indent: true, nulls: 'omit', declaration: false, root: 'r', row: 'é' },
      ['1', null],
      [null, null],
    ),
    '<r>\n  <é>\n    <a>1</a>\n  </é>\n  <é></é>\n</r>\n',
  );
});

test('gives every kind its form', () => {
  assert.equal(value('boolean', 't'), 'true');
  assert.equal(value('boolean', 'f'), 'false');
  assert.equal(value('numeric', '-0.10'), '-0.10');
  assert.equal(value('float64', '-Infinity'), '-Infinity');
  assert.equal(value('timestamptz', '2020-01-01 00:00:00.5+00'), '2020-01-01T00:00:00.5Z');
  assert.equal(value('timestamp', '0044-03-15 12:00:00 BC'), '0044-03-15T12:00:00 BC');
  assert.equal(value('date', 'infinity'), 'infinity');
  assert.equal(value('bytes', '\\x00ff'), '\\x00ff');
  assert.equal(value('json', '{"a":\n"<&>"}'), '{"a":\n"&lt;&amp;&gt;"}');
});

test('escapes what has to be escaped and keeps all other characters that XML holds', () => {
  assert.equal(value('text', 'a&b<c>d]]>'), 'a&amp;b&lt;c&gt;d]]&gt;');
  assert.equal(value('text', '\r\n\r'), '&#13;\n&#13;');
  for (const text of [
    '\t\n ',
    '"',
    "'",
    '\u007f',
    '\u0085',
    'é',
    '漢字',
    '😀',
    '\u2028',
    '\ufeff',
    '\ufffd',
    '\uf000',
  ]) {
    assert.equal(value('text', text), text);
  }
});

test('puts U+FFFD in the place of what XML cannot hold, and counts the values', () => {
  for (const code of [0, 1, 8, 0x0b, 0x0c, 0x0e, 0x1f, 0xfffe, 0xffff]) {
    const character = String.fromCharCode(code);
    assert.equal(value('text', character), '\ufffd');
    assert.equal(value('text', `é${character}${character}&`), 'é\ufffd\ufffd&amp;');
  }
  const columns = [column('a'), column('b', 'json'), column('c')];
  const encoder = new XmlEncoder(columns, BARE);
  assert.equal(encoder.coerced.size, 0);
  const batch = batchOf([
    ['\0\0\uffff', '"\uffff"', '\ufffd'],
    ['', '""', '\uf000\r'],
    ['a\u0001', null, '<'],
  ]);
  encodePart(encoder, [batch], { roomBytes: 1 });
  assert.deepEqual(
    [...encoder.coerced],
    [
      [columns[0], 2],
      [columns[1], 1],
    ],
  );
});

test('counts a coerced value once, however often its row did not fit', () => {
  const encoder = new XmlEncoder([column('a')], BARE);
  const batch = batchOf([['\0']]);
  const bytes = Buffer.byteLength('\n<row><a>\ufffd</a></row>');
  for (const room of [0, 10, bytes - 1]) {
    assert.equal(encoder.encode(batch, allRows(batch), 0, 1, outputOf(room)), 0);
  }
  assert.equal(encoder.encode(batch, allRows(batch), 0, 1, outputOf(bytes)), 1);
  assert.deepEqual([...encoder.coerced.values()], [1]);
});

test('encodes names that are no XML names as SQL/XML does', () => {
  assert.equal(nameOf('a b'), 'a_x0020_b');
  assert.equal(nameOf('_x0020_'), '_x005F_x0020_');
  assert.equal(nameOf('x_x'), 'x_x005F_x');
  assert.equal(nameOf('_X_y'), '_X_y');
  assert.equal(nameOf('1a'), '_x0031_a');
  assert.equal(nameOf('a:b'), 'a_x003A_b');
  assert.equal(nameOf('xml'), '_x0078_ml');
  assert.equal(nameOf('XmlNs'), '_x0058_mlNs');
  assert.equal(nameOf('axml'), 'axml');
  assert.equal(nameOf('😀'), '_x01F600_');
  assert.equal(nameOf('\u0000\uffff'), '_x0000__xFFFF_');
  assert.equal(nameOf('\u00b5m²'), '_x00B5_m_x00B2_');
  assert.equal(nameOf('Größe'), 'Größe');
});

test('encodes names so that they can be decoded, whatever they hold', () => {
  fc.assert(
    fc.property(xmlColumnName(), name => {
      assert.equal(decodeName(nameOf(name)), name);
    }),
    { numRuns: 1000 },
  );
});

test('refuses names that are no XML names where it may not encode them', () => {
  for (const name of ['a', '_x0020_', 'xml_data', 'é', 'a-b.c', '漢字'])
    assert.equal(nameOf(name, 'strict'), name);
  for (const name of ['', 'a b', '1', 'a:b', '-', '\u00b5', '😀', 'a\u0001']) {
    assert.throws(() => nameOf(name, 'strict'), {
      code: 'CONFIG_INVALID',
      message: /column .* is no XML name/,
    });
  }
  assert.throws(() => nameOf(''), { code: 'CONFIG_INVALID' });
  for (const key of ['root', 'row'] as const) {
    for (const name of ['', 'a b', '\u00b5', '\u00b2', 'a:b', '1']) {
      assert.throws(() => new XmlEncoder([column('a')], { ...BARE, [key]: name }), {
        code: 'CONFIG_INVALID',
        message: new RegExp(`^${key} `),
      });
    }
  }
});

test('refuses bytes that are not UTF-8, by column and by row of the file', () => {
  for (const kind of ['text', 'json'] as const) {
    for (const bytes of [Buffer.of(0xff), Buffer.from([0x61, 0xef, 0xbf]), Buffer.from([0xed, 0xa0, 0x80])]) {
      const encoder = new XmlEncoder([column('a'), column('b', kind)], BARE);
      const rows = [
        ['1', '2'],
        ['é', '\uffff'],
        ['3', bytes],
      ];
      assert.throws(() => encodePart(encoder, [batchOf(rows)]), {
        code: 'VALUE_NOT_EXPRESSIBLE',
        message: /^column "b" holds bytes that are not UTF-8 in row 3 of its file/,
      });
    }
  }
});

test('writes the selected rows, and the columns it was given, not the key columns behind them', () => {
  const batch = batchOf([
    ['0', 'k'],
    ['1', null],
    ['2', 'k'],
  ]);
  const encoder = new XmlEncoder([column('a', 'int32')], BARE);
  const out = outputOf(100);
  assert.equal(encoder.encode(batch, Int32Array.of(9, 2, 1, 9), 1, 3, out), 3);
  assert.equal(out.written().toString(), '\n<row><a>2</a></row>\n<row><a>1</a></row>');
});

test('the bound of a row is what it takes, to the byte, and the room is never overrun', () => {
  const property = fc.property(
    xmlTable(),
    fc.integer({ min: 0, max: 300 }),
    ({ columns, rows, options }, roomBytes) => {
      const batch = batchOf(rows);
      const whole = encodePart(new XmlEncoder(columns, options), [batch], { roomBytes: 1 << 20 });
      for (const room of [roomBytes, 1]) {
        assert.deepEqual(encodePart(new XmlEncoder(columns, options), [batch], { roomBytes: room }), whole);
      }
      const encoder = new XmlEncoder(columns, options);
      for (let row = 0; row < batch.rowCount; row++) {
        const bound = encoder.rowBytesBound(batch, row);
        assert.equal(encoder.encode(batch, Int32Array.of(row), 0, 1, outputOf(bound - 1)), 0);
        const out = outputOf(bound);
        assert.equal(encoder.encode(batch, Int32Array.of(row), 0, 1, out), 1);
        assert.equal(out.written().length, bound);
      }
    },
  );
  fc.assert(property, { numRuns: 500, includeErrorInReport: true });
});

test('saxes gives back what was generated', () => {
  const property = fc.property(xmlTable(), ({ columns, rows, options }) => {
    const document = readXml(encodePart(new XmlEncoder(columns, options), [batchOf(rows)]));
    assert.equal(document.root, options.root);
    assert.equal(document.rows.length, rows.length);
    document.rows.forEach(({ name: rowName, fields }, row) => {
      assert.equal(rowName, options.row);
      const expected = columns.flatMap(({ name, kind }, index): XmlField[] => {
        const field = rows[row]![index]!;
        if (field === null) return options.nulls === 'include' ? [{ name, text: null }] : [];
        if (kind === 'boolean') return [{ name, text: field === 't' ? 'true' : 'false' }];
        const isTimestamp = kind === 'timestamp' || kind === 'timestamptz';
        const text = isTimestamp ? field.replace(' ', 'T').replace('+00', 'Z') : asXmlHolds(field);
        return [{ name, text }];
      });
      assert.deepEqual(
        fields.map(({ name, text }) => ({ name: decodeName(name), text })),
        expected,
      );
    });
  });
  fc.assert(property, { numRuns: 500, includeErrorInReport: true });
});
