import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { arrayJson } from '../../../src/encoders/library/parquet-array-json.ts';
import { ArrayJson } from '../../../src/encoders/parquet/array-json.ts';

/** Between other bytes, and into as much room as is promised to be enough. */
function fast(text: string, elementType: string): string | undefined {
  const field = Buffer.from(text);
  const from = Buffer.concat([Buffer.from('"}\\'), field, Buffer.from('{"')]);
  const room = ArrayJson.bytesBound(field.length);
  const to = Buffer.alloc(room + 8, 0xa7);
  const end = ArrayJson.of(elementType).write(from, 3, 3 + field.length, to, 4);
  assert.ok(
    to.subarray(0, 4).every(byte => byte === 0xa7) && to.subarray(4 + room).every(byte => byte === 0xa7),
  );
  return end < 0 ? undefined : to.toString('utf8', 4, end);
}

const CASES: readonly (readonly [string, string, string | undefined])[] = [
  ['{}', 'integer', '[]'],
  ['{1,NULL,-2}', 'integer', '[1,null,-2]'],
  ['{NULL}', 'text', '[null]'],
  ['{"NULL",null,"a b"}', 'text', '["NULL","null","a b"]'],
  ['{{1,2},{3,4}}', 'bigint', '[[1,2],[3,4]]'],
  ['[0:1]={1,2}', 'smallint', '[1,2]'],
  ['[2:3][-1:0]={{1,2},{3,4}}', 'integer', '[[1,2],[3,4]]'],
  ['{t,f,NULL}', 'boolean', '[true,false,null]'],
  ['{0.1,NaN,-Infinity,1e+300}', 'double precision', '[0.1,"NaN","-Infinity",1e+300]'],
  ['{1.50,NaN}', 'numeric(5,2)', '[1.50,"NaN"]'],
  ['{"{\\"a\\": \\"x\\\\\\\\y\\"}",1}', 'jsonb', '[{"a": "x\\\\y"},1]'],
  ['{"a\\"b\\\\c","\n\t\u0001"}', 'text', '["a\\"b\\\\c","\\n\\t\\u0001"]'],
  ['{(1,2),(3,4);(5,6),(7,8)}', 'box', '["(1,2),(3,4)","(5,6),(7,8)"]'],
  ['{""}', 'text', '[""]'],
  ['{2020-01-01,infinity}', 'date', '["2020-01-01","infinity"]'],
  ['', 'text', undefined],
  ['{', 'text', undefined],
  ['}', 'text', undefined],
  ['{"a', 'text', undefined],
  ['a', 'text', undefined],
  ['[0:1', 'text', undefined],
  ['{a}}', 'text', undefined],
];

test('turns the text of an array into JSON, with either engine', () => {
  for (const [text, type, expected] of CASES) {
    assert.equal(fast(text, type), expected, `fast: ${text}`);
    assert.equal(arrayJson(text, type), expected, `library: ${text}`);
  }
});

test('gives back the elements of any array of texts', () => {
  const element = fc.option(fc.string({ unit: 'binary', maxLength: 10 }));
  const property = fc.property(fc.array(element, { maxLength: 6 }), elements => {
    const quoted = elements.map(text => (text === null ? 'NULL' : `"${text.replace(/["\\]/g, '\\$&')}"`));
    const text = `{${quoted.join(',')}}`;
    assert.deepEqual(JSON.parse(fast(text, 'text')!), elements);
    assert.equal(arrayJson(text, 'text'), fast(text, 'text'));
  });
  fc.assert(property, { numRuns: 500 });
});
