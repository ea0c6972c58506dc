import assert from 'node:assert/strict';
import test from 'node:test';
import type { Column } from '../../src/row-batch.ts';
import {
  describeChanges,
  hasSameColumns,
  hasSameKey,
  identityOf,
  parseIdentity,
  placesOfRetained,
  serializeIdentity,
} from '../../src/transforms/baseline-identity.ts';
import { planMapping } from '../../src/transforms/map-columns.ts';

type Described = readonly [name: string, kind: Column['kind'], sourceType: string, scale?: number];

function identity(...described: Described[]) {
  const columns = described.map(([name, kind, sourceType, scale]) => {
    return { name, source: name, kind, sourceType, ...(scale !== undefined && { scale }) };
  });
  return identityOf(planMapping({ modelName: 'm', columns, mapping: undefined, primaryKey: ['k'] }), false);
}

test('what is kept of an identity is all of it', () => {
  const one = identity(['k', 'int32', 'integer'], ['n', 'numeric', 'numeric(10,2)', 2]);
  assert.deepEqual(parseIdentity(serializeIdentity(one)), one);
  assert.equal(parseIdentity('{'), undefined);
  assert.equal(parseIdentity('null'), undefined);
  assert.equal(parseIdentity('{"columns":[null],"key":[]}'), undefined);
  assert.equal(parseIdentity('{"columns":[["a",1,"text"]],"key":[]}'), undefined);
});

/** As earlier versions kept it: the name of each type, and the version of the server. */
const KEPT_BEFORE = JSON.stringify({
  columns: [
    ['k', 'k', 'integer'],
    ['v', 'v', 'character varying(50)'],
    ['mood', 'mood', 'public.mood'],
    ['d', 'd', 'numeric(10,2)'],
    ['f', 'f', 'double precision'],
    ['at', 'at', 'timestamp(3) without time zone'],
    ['tz', 'tz', 'timestamp with time zone'],
    ['b', 'b', 'boolean'],
    ['j', 'j', 'jsonb'],
    ['x', 'x', 'bytea'],
    ['u', 'u', 'uuid'],
  ],
  written: 11,
  key: [0],
  keysOnly: false,
  retained: 'row',
  dialect: 'postgres 15, settings 1',
});
const NOW: readonly Described[] = [
  ['k', 'int64', 'bigint'],
  ['v', 'text', 'text'],
  ['mood', 'text', 'other.feeling'],
  ['d', 'numeric', 'numeric(12,2)', 2],
  ['f', 'float64', 'double precision'],
  ['at', 'timestamp', 'timestamp without time zone'],
  ['tz', 'timestamptz', 'timestamp with time zone'],
  ['b', 'boolean', 'boolean'],
  ['j', 'json', 'json'],
  ['x', 'bytes', 'bytea'],
  ['u', 'uuid', 'uuid'],
];

test('an identity that an earlier version kept is compared by what consumers see', () => {
  const before = parseIdentity(KEPT_BEFORE)!;
  assert.ok(hasSameColumns(before, identity(...NOW)));
  assert.ok(hasSameKey(before, identity(...NOW)));
  for (const [index, [name, , sourceType]] of NOW.entries()) {
    const kind = sourceType === 'boolean' ? 'date' : 'boolean';
    const other = identity(
      ...NOW.map((column, at): Described => (at === index ? [name, kind, kind] : column)),
    );
    assert.ok(!hasSameColumns(before, other), name);
    assert.match(describeChanges(before, other), new RegExp(`column "${name}" is ${kind} and was `));
  }
});

test('a key is the same where its texts are', () => {
  const key = (kind: Column['kind'], sourceType: string, scale?: number) =>
    identity(['k', kind, sourceType, scale] as Described);
  const int = key('int32', 'integer');
  for (const same of [key('int64', 'bigint'), key('text', 'text'), key('numeric', 'numeric(9,0)', 0)])
    assert.ok(hasSameKey(int, same));
  for (const other of [key('numeric', 'numeric(9,2)', 2), key('float64', 'double precision')])
    assert.ok(!hasSameKey(int, other));
  assert.ok(!hasSameKey(key('numeric', 'numeric(9,2)', 2), key('numeric', 'numeric(9,4)', 4)));
  assert.ok(!hasSameKey(key('text', 'character(3)'), key('text', 'character(4)')));
  assert.ok(hasSameKey(key('text', 'character varying(3)'), key('text', 'text')));
});

test('last values are left out where the present type may not hold them', () => {
  const before = identity(['k', 'int32', 'integer'], ['v', 'numeric', 'numeric(10,2)', 2]);
  const places = (...v: Described) =>
    placesOfRetained(before, identity(v, ['k', 'int32', 'integer']), { retained: 'row', wanted: 'row' });
  assert.deepEqual(places('v', 'numeric', 'numeric(12,4)', 4), [1, 0]);
  assert.deepEqual(places('v', 'numeric', 'numeric'), [1, 0]);
  assert.deepEqual(places('v', 'text', 'text'), [1, 0]);
  assert.deepEqual(places('v', 'numeric', 'numeric(10,4)', 4), [undefined, 0]);
  assert.deepEqual(places('v', 'int64', 'bigint'), [undefined, 0]);
  assert.deepEqual(places('w', 'text', 'text'), [undefined, 0]);
});
