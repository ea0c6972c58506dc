import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { JsonEncoder, type JsonOptions } from '../../../src/encoders/json/json.ts';
import type { ColumnKind } from '../../../src/row-batch.ts';
import {
  allRows,
  batchOf,
  column,
  encodePart,
  type FieldValue,
  outputOf,
} from '../../conformance/encoding.ts';
import { ALL_JSON_OPTIONS, DEFAULT_JSON_OPTIONS, jsonTable } from '../../conformance/json-arbitraries.ts';

/** The rows of a file of lines. */
function write(
  kinds: readonly ColumnKind[],
  rows: readonly (readonly FieldValue[])[],
  options: Partial<JsonOptions> = {},
): string {
  const columns = kinds.map((kind, index) => column(`c${index}`, kind));
  const encoder = new JsonEncoder(columns, { ...DEFAULT_JSON_OPTIONS, layout: 'lines', ...options });
  return encodePart(encoder, [batchOf(rows)]).toString();
}

function value(kind: ColumnKind, field: FieldValue, options: Partial<JsonOptions> = {}): string {
  const line = write([kind], [[field]], options);
  assert.ok(line.startsWith('{"c0":') && line.endsWith('}\n'), line);
  return line.slice('{"c0":'.length, -'}\n'.length);
}

test('writes an array of one object a line, and of none', () => {
  const columns = [column('a', 'int32'), column('b')];
  const part = (...rows: FieldValue[][]): string =>
    encodePart(new JsonEncoder(columns, DEFAULT_JSON_OPTIONS), [batchOf(rows)], { roomBytes: 1 }).toString();
  assert.equal(part(), '[]\n');
  assert.equal(part(['1', 'x']), '[\n{"a":1,"b":"x"}\n]\n');
  assert.equal(part(['1', 'x'], ['2', null]), '[\n{"a":1,"b":"x"},\n{"a":2,"b":null}\n]\n');
});

test('puts a comma between the objects of two batches', () => {
  const encoder = new JsonEncoder([column('a', 'int32')], DEFAULT_JSON_OPTIONS);
  const part = encodePart(encoder, [batchOf([]), batchOf([['1']]), batchOf([]), batchOf([['2']])]);
  assert.equal(part.toString(), '[\n{"a":1},\n{"a":2}\n]\n');
});

test('leaves NULL out without a stray comma', () => {
  const kinds = ['text', 'int32', 'text'] as const;
  const rows = [
    [null, '1', null],
    ['x', null, 'y'],
    [null, null, null],
    [null, null, ''],
  ];
  assert.equal(write(kinds, rows, { nulls: 'omit' }), '{"c1":1}\n{"c0":"x","c2":"y"}\n{}\n{"c2":""}\n');
  assert.equal(write(['int64'], [[null]], { numbers: 'string' }), '{"c0":null}\n');
});

test('gives every kind its form', () => {
  assert.equal(value('boolean', 't'), 'true');
  assert.equal(value('boolean', 'f'), 'false');
  assert.equal(value('int16', '-32768'), '-32768');
  assert.equal(value('int64', '9223372036854775807'), '9223372036854775807');
  assert.equal(value('int64', '9223372036854775807', { numbers: 'string' }), '"9223372036854775807"');
  assert.equal(value('numeric', '-0.10'), '-0.10');
  assert.equal(value('numeric', '1.50', { numbers: 'string' }), '"1.50"');
  assert.equal(value('int32', '1', { numbers: 'string' }), '1');
  assert.equal(value('float64', '1e-05', { numbers: 'string' }), '1e-05');
  assert.equal(value('float32', '-0'), '-0');
  assert.equal(value('date', '0044-03-15 BC'), '"0044-03-15 BC"');
  assert.equal(value('time', '24:00:00'), '"24:00:00"');
  assert.equal(value('timestamp', '2020-01-01 00:00:00.5'), '"2020-01-01T00:00:00.5"');
  assert.equal(value('timestamptz', '0044-03-15 12:00:00+00 BC'), '"0044-03-15T12:00:00Z BC"');
  assert.equal(value('timestamptz', '-infinity'), '"-infinity"');
  assert.equal(value('bytes', '\\x00ff'), '"\\\\x00ff"');
  assert.equal(value('json', ' {"a": 1}'), ' {"a": 1}');
});

test('escapes what has to be escaped, and U+007F to U+009F, and nothing more', () => {
  for (let code = 0; code < 0x180; code++) {
    const character = String.fromCharCode(code);
    const isControl = code >= 0x7f && code <= 0x9f;
    const expected = isControl ? `"\\u00${code.toString(16)}"` : JSON.stringify(character);
    assert.equal(value('text', character), expected);
    assert.equal(value('text', `é${character}é`), `"é${expected.slice(1, -1)}é"`);
  }
  for (const text of ['/', '\u2028', '漢字', '😀', '\ufeff', '\uffff', '\\u0041']) {
    assert.equal(value('text', text), JSON.stringify(text));
  }
});

test('takes line breaks out of documents in lines only, and no whitespace out of strings', () => {
  const document = ' {\r\n\t"a b\\" " : [ 1, "\\\\" ] }\n';
  assert.equal(value('json', document), '{"a b\\" ":[1,"\\\\"]}');
  const array = new JsonEncoder([column('a', 'json')], DEFAULT_JSON_OPTIONS);
  assert.equal(encodePart(array, [batchOf([[document]])]).toString(), `[\n{"a":${document}}\n]\n`);
});

test('refuses bytes that are not UTF-8, by column and by row of the file', () => {
  const bad = [
    Buffer.of(0xff),
    Buffer.from('aé').subarray(0, 2),
    Buffer.from([0xed, 0xa0, 0x80]),
    Buffer.of(0xc2),
  ];
  for (const kind of ['text', 'json'] as const) {
    for (const bytes of bad) {
      for (const roomBytes of [1, 1 << 16]) {
        const encoder = new JsonEncoder([column('a'), column('b', kind)], DEFAULT_JSON_OPTIONS);
        const rows = [
          ['1', '2'],
          ['é', '1'],
          ['3', bytes],
          ['', null],
        ];
        assert.throws(() => encodePart(encoder, [batchOf([['0', '0']]), batchOf(rows)], { roomBytes }), {
          code: 'VALUE_NOT_EXPRESSIBLE',
          message: /^column "b" holds bytes that are not UTF-8 in row 4 of its file/,
        });
      }
    }
  }
});

test('does not take a sequence that the next field completes for UTF-8', () => {
  const encoder = new JsonEncoder([column('a')], DEFAULT_JSON_OPTIONS);
  const batch = batchOf([[Buffer.of(0xc3)]]);
  batch.bytes.fill(0xa9, batch.rowBounds[1]);
  assert.throws(
    () => encodePart(encoder, [{ ...batch, bytes: Buffer.concat([batch.bytes, Buffer.of(0xa9)]) }]),
    {
      code: 'VALUE_NOT_EXPRESSIBLE',
    },
  );
});

test('counts a coerced value once, however often its row did not fit', () => {
  const encoder = new JsonEncoder([column('a', 'float64'), column('b', 'float64')], DEFAULT_JSON_OPTIONS);
  const batch = batchOf([
    ['NaN', '1'],
    ['Infinity', '2'],
  ]);
  assert.equal(encoder.coerced.size, 0);
  const row = '\n{"a":"NaN","b":1}';
  for (const room of [0, 10, row.length - 1]) {
    assert.equal(encoder.encode(batch, allRows(batch), 0, 2, outputOf(room)), 0);
  }
  assert.equal(encoder.encode(batch, allRows(batch), 0, 2, outputOf(row.length)), 1);
  assert.equal(encoder.encode(batch, allRows(batch), 1, 2, outputOf(10)), 1);
  assert.equal(encoder.encode(batch, allRows(batch), 1, 2, outputOf(100)), 2);
  assert.deepEqual([...encoder.coerced.values()], [2]);
});

test('writes the columns it was given and not the key columns behind them', () => {
  assert.equal(write(['text', 'int32'], [['a', '1', 'key', null, '9']]), '{"c0":"a","c1":1}\n');
});

test('writes the selected rows in the order of the selection', () => {
  const batch = batchOf([['0'], ['1'], ['2'], ['3'], ['4']]);
  const encoder = new JsonEncoder([column('a', 'int32')], DEFAULT_JSON_OPTIONS);
  const out = outputOf(100);
  assert.equal(encoder.encode(batch, Int32Array.of(9, 4, 0, 2, 9), 1, 4, out), 4);
  assert.equal(out.written().toString(), '\n{"a":4},\n{"a":0},\n{"a":2}');
});

test('the bound of a row is what it takes, to the byte, and the room is never overrun', () => {
  const property = fc.property(
    jsonTable(),
    fc.integer({ min: 0, max: 200 }),
    ({ columns, rows, options }, roomBytes) => {
      const batch = batchOf(rows);
      const whole = encodePart(new JsonEncoder(columns, options), [batch], { roomBytes: 1 << 20 });
      for (const room of [roomBytes, 1]) {
        assert.deepEqual(encodePart(new JsonEncoder(columns, options), [batch], { roomBytes: room }), whole);
      }
      const encoder = new JsonEncoder(columns, options);
      for (let row = 0; row < batch.rowCount; row++) {
        const bound = encoder.rowBytesBound(batch, row);
        const out = outputOf(bound);
        assert.equal(encoder.encode(batch, Int32Array.of(row), 0, 1, out), 1);
        // The first object of an array has no comma before it.
        const comma = row === 0 && options.layout === 'array' ? 1 : 0;
        assert.equal(out.written().length, bound - comma);
        assert.equal(encoder.encode(batch, Int32Array.of(row), 0, 1, outputOf(bound - 1)), 0);
      }
    },
  );
  fc.assert(property, { numRuns: 500, includeErrorInReport: true });
});

test('JSON.parse gives back what was generated', () => {
  const property = fc.property(jsonTable(), ({ columns, rows, options }) => {
    const part = encodePart(new JsonEncoder(columns, options), [batchOf(rows)]).toString();
    const lines = part.split('\n').slice(0, -1);
    const objects: Record<string, unknown>[] =
      options.layout === 'array' ? JSON.parse(part) : lines.map(line => JSON.parse(line));
    assert.equal(objects.length, rows.length);
    objects.forEach((object, row) => {
      columns.forEach(({ name, kind }, index) => {
        const field = rows[row]![index]!;
        const member = Object.getOwnPropertyDescriptor(object, name)?.value;
        if (field === null) assert.equal(member, options.nulls === 'include' ? null : undefined);
        else if (kind === 'boolean') assert.equal(member, field === 't');
        else if (kind === 'json') assert.deepEqual(member, JSON.parse(field));
        else if (/^(int|float|numeric)/.test(kind)) assert.equal(Number(member), Number(field));
        else if (kind === 'timestamp' || kind === 'timestamptz') {
          assert.equal(member, field.replace(' ', 'T').replace('+00', 'Z'));
        } else assert.equal(member, field);
      });
    });
  });
  fc.assert(property, { numRuns: 500, includeErrorInReport: true });
});

test('says how much room begin and end take', () => {
  for (const options of ALL_JSON_OPTIONS) {
    const encoder = new JsonEncoder([column('a')], options);
    const isArray = options.layout === 'array';
    assert.equal(encoder.beginBytes, isArray ? 1 : 0);
    assert.equal(encoder.endBytes, isArray ? 3 : 0);
  }
});
