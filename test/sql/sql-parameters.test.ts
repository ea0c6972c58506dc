import assert from 'node:assert/strict';
import test from 'node:test';
import { findParameters, numberParameters } from '../../src/sql/sql-parameters.ts';

const STANDARD = { standardStrings: true };
const names = (sql: string, settings = STANDARD): string[] =>
  findParameters(sql, settings).map(({ name }) => name);

const CASES: readonly (readonly [sql: string, names: readonly string[]])[] = [
  ['select * from t where day = :day and brand=:brand', ['day', 'brand']],
  ["select ':a', ':b'':c' || :d", ['d']],
  [String.raw`select e'\':a' || :b`, ['b']],
  ['select ":a", u&":b", :c', ['c']],
  ['select $$ :a $$, $x$ :b $$ :c $x$, :d', ['d']],
  ['select 1 -- :a\n, :b /* :c /* :d */ :e */, :f', ['b', 'f']],
  ['select x::date, x :: date, :a::date, (:b)::text', ['a', 'b']],
  ['select a[1:n], a[:n], a[b[1:c]:d], :e', ['e']],
  ['select array[:a, :b], array [[:c], [:d]], (array[:e])[:f]', ['a', 'b', 'c', 'd', 'e']],
  ['select f(x := :a, y => :b), :c_1', ['a', 'b', 'c_1']],
  ['select :a-:b, -:a', ['a', 'b', 'a']],
  ['select : a, :1, a:b', ['b']],
  ['', []],
];

for (const [sql, expected] of CASES)
  test(`parameters of ${JSON.stringify(sql)}`, () => assert.deepEqual(names(sql), expected));

test('with a backslash that escapes in every string, the string ends later', () => {
  const sql = String.raw`select 'it\' :a', :b`;
  assert.deepEqual(names(sql, { standardStrings: false }), ['b']);
});

test('numbers follow the names in order, repeat for a name, and keep the places of what follows', () => {
  const sql = "select :day, ':day', :brand::text, :day from t";
  const { text, names } = numberParameters(sql, STANDARD, ['before']);
  assert.equal(text, "select $2  , ':day', $3    ::text, $2   from t");
  assert.deepEqual(names, ['before', 'day', 'brand']);
  assert.equal(text.length, sql.length);
});
