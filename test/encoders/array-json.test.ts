import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ArrayJson } from '../../src/encoders/array-json.ts';
import { arrayJson } from '../../src/encoders/parquet/library/parquet-array-json.ts';
import type { ColumnKind, ElementFacts } from '../../src/row-batch.ts';

const of = (kind: ColumnKind, delimiter = ',', element?: ElementFacts): ElementFacts => ({
  kind,
  delimiter,
  ...(element && { element }),
});
const TEXT = of('text');

/** Between other bytes, and into as much room as is promised to be enough. */
function fast(text: string, element: ElementFacts): string | undefined {
  const field = Buffer.from(text);
  const from = Buffer.concat([Buffer.from('"}\\'), field, Buffer.from('{"')]);
  const room = ArrayJson.bytesBound(field.length);
  const to = Buffer.alloc(room + 8, 0xa7);
  const end = ArrayJson.of(element).write(from, 3, 3 + field.length, to, 4);
  assert.ok(
    to.subarray(0, 4).every(byte => byte === 0xa7) && to.subarray(4 + room).every(byte => byte === 0xa7),
  );
  return end < 0 ? undefined : to.toString('utf8', 4, end);
}

const CASES: readonly (readonly [string, ElementFacts, string | undefined])[] = [
  ['{}', of('int32'), '[]'],
  ['{1,NULL,-2}', of('int32'), '[1,null,-2]'],
  ['{NULL}', TEXT, '[null]'],
  ['{"NULL",null,"a b"}', TEXT, '["NULL","null","a b"]'],
  ['{{1,2},{3,4}}', of('int64'), '[[1,2],[3,4]]'],
  ['[0:1]={1,2}', of('int16'), '[1,2]'],
  ['[2:3][-1:0]={{1,2},{3,4}}', of('int32'), '[[1,2],[3,4]]'],
  ['{t,f,NULL}', of('boolean'), '[true,false,null]'],
  ['{0.1,NaN,-Infinity,1e+300}', of('float64'), '[0.1,"NaN","-Infinity",1e+300]'],
  ['{1.50,NaN}', of('numeric'), '[1.50,"NaN"]'],
  ['{"{\\"a\\": \\"x\\\\\\\\y\\"}",1}', of('json'), '[{"a": "x\\\\y"},1]'],
  ['{"a\\"b\\\\c","\n\t\u0001"}', TEXT, '["a\\"b\\\\c","\\n\\t\\u0001"]'],
  ['{(1,2),(3,4);(5,6),(7,8)}', of('text', ';'), '["(1,2),(3,4)","(5,6),(7,8)"]'],
  ['{""}', TEXT, '[""]'],
  ['{2020-01-01,infinity}', of('date'), '["2020-01-01","infinity"]'],
  ['{1|2,5|NULL}', of('text', '|'), '["1","2,5",null]'],
  ['{"{1,2}",NULL,"[0:0]={3}","{}"}', of('text', ',', of('int32')), '[[1,2],null,[3],[]]'],
  ['{"{a"}', of('text', ',', TEXT), undefined],
  ['', TEXT, undefined],
  ['{', TEXT, undefined],
  ['}', TEXT, undefined],
  ['{"a', TEXT, undefined],
  ['a', TEXT, undefined],
  ['[0:1', TEXT, undefined],
  ['{a}}', TEXT, undefined],
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
    assert.deepEqual(JSON.parse(fast(text, TEXT)!), elements);
    assert.equal(arrayJson(text, TEXT), fast(text, TEXT));
  });
  fc.assert(property, { numRuns: 500 });
});
