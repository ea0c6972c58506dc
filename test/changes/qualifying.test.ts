import assert from 'node:assert/strict';
import test from 'node:test';
import { validateActivation } from '../../src/run/validation/validate.ts';
import { type Exporter, withExporter } from '../support/exporter.ts';

const { signal } = new AbortController();
const CREATE = `
  create type pair as (a int, b int);
  create table t (id int primary key, code int unique not null, v text, short varchar(20), n int, price numeric(10, 2), at timestamptz,
    day date, tags text[], ok boolean, amount money, kind regclass, twin pair, u uuid);
  create table free (id int not null, v text); create view w as select * from t;
  create materialized view m as select id from t; create unique index on m (id);
  create table parent (id int primary key); create table child () inherits (parent);
  create table bare (id int primary key) partition by list (id);
  create table parts (id int primary key) partition by list (id); create table part partition of parts for values in (1, 2);
  create function own(int) returns int immutable language plpgsql as 'begin return $1; end';
  create function same(int, int) returns boolean immutable language plpgsql as 'begin return $1 = $2; end';
  create operator === (leftarg = int, rightarg = int, function = same);
  create function as_uuid(int) returns uuid immutable language plpgsql as 'begin return md5($1::text)::uuid; end';
  create cast (int as uuid) with function as_uuid(int);
  create table keys (a int not null, b int unique, c int not null, d int not null, e int not null);
  create unique index on keys (a) include (e); create unique index on keys (c) where c > 0; create unique index on keys (d, abs(e));
  create access method other type table handler heap_tableam_handler; create table kept (id int primary key) using other;`;

/** What `validate` says of the activation, with `auto`. */
async function verdict(exporter: Exporter, model: Record<string, unknown>, more = {}): Promise<string> {
  const activation = exporter.activation({
    runType: 'full_then_delta',
    syncMode: 'upsert',
    changeDetection: 'auto',
    mapping: ['id'],
    model: { table: 'public.t', ...model },
    ...more,
  });
  const { checks } = await validateActivation({ activation, offline: false, signal });
  const found = checks.find(({ check }) => check === 'changes');
  assert.equal(found?.outcome, 'passed', JSON.stringify(checks));
  return found.outcome === 'passed' ? found.message : '';
}

test('a filter qualifies where it is proven to look at the row alone, else validate says which part is in the way', () =>
  withExporter(async exporter => {
    await exporter.database.sql(CREATE);
    const good = [
      `v = 'FR'`,
      `v in ('FR', 'DE') and not ok`,
      `short like 'a%' or n is null`,
      `n % 2 = 0 and price > 1.5`,
      `lower(v) = 'x' and length(short) < 5`,
      `at >= '2024-01-01' and day < '2024-02-01'`,
      `ok is not true and n between -5 and 5`,
      `n <> all (array[1, 2]) and u = '00000000-0000-0000-0000-000000000000'`,
      '1 = 0',
      // A number to the server, which another table of the name does not have.
      `kind = 't'::regclass`,
      `v = 'it''s a "\\quote"' -- and a remark`,
    ];
    for (const where of good) assert.match(await verdict(exporter, { where }), /^found by xmin/, where);
    const bad: [where: string, part: RegExp][] = [
      ['at > now()', /`\(t\.at > now\(\)\)`/],
      ['day = current_date', /CURRENT_DATE/],
      ['at > day', /t\.at > t\.day/],
      ['own(n) = 1', /own\(t\.n\)/],
      ['n === 1', /===/],
      [`n::uuid = '00000000-0000-0000-0000-000000000000'`, /uuid/],
      ['random() < 0.5', /random/],
      [`at::date = '2024-01-01'`, /date/],
      [`day::text = '2024-01-01'`, /text/],
      ['exists (select from free)', /subquery|what its plan calls|rows that are not/],
      ['id in (select id from free)', /a join|a subquery/],
      [`v = current_user`, /CURRENT_USER/],
      [`v = current_setting('timezone')`, /current_setting/],
      [`to_tsvector('simple', v) @@ 'x'`, /to_tsvector/],
      [`ts_lexize('simple', v) is null`, /ts_lexize/],
      [`timezone('Europe/Paris', at) > '2024-01-01'`, /timezone/],
      [`ctid = '(0,1)'`, /ctid/],
      [`t is null`, /t/],
    ];
    for (const [where, part] of bad) {
      const message = await verdict(exporter, { where });
      assert.match(message, /^every run reads and compares all rows: /, where);
      assert.match(message, part, where);
    }
  }));

test('tables, keys and columns qualify where rows of them are told apart, and change only by being written', () =>
  withExporter(async exporter => {
    await exporter.database.sql(CREATE);
    const says = async (model: Record<string, unknown>, expected: RegExp, more = {}): Promise<void> =>
      assert.match(await verdict(exporter, model, more), expected, JSON.stringify(model));
    const all = { mapping: undefined };
    await says({ columns: ['id', 'v', 'short', 'price', 'at', 'day', 'tags', 'u'] }, /^found by xmin/, all);
    await says({ columns: ['id', 'code'], primaryKey: ['code', 'id'] }, /^found by xmin/, all);
    await says({ columns: ['id', 'amount'] }, /column amount is money, which depends on a currency/, all);
    await says(
      { columns: ['id', 'kind'] },
      /column kind is regclass, which depends on names of objects/,
      all,
    );
    await says(
      { columns: ['id', 'twin'] },
      /column twin is pair, which depends on the columns of a composite/,
      all,
    );
    await says({ primaryKey: ['n'] }, /the key \(n\) has no unique index of columns that are not null/);
    await says({ table: 'public.free', primaryKey: ['id'] }, /has no unique index/);
    const byKey = (key: string, expected: RegExp): Promise<void> =>
      says({ table: 'public.keys', primaryKey: [key] }, expected, { mapping: ['a', 'b', 'c', 'd'] });
    // A column that an index has beside its key.
    await byKey('a', /^found by xmin/);
    // One that can be null; one of some rows; one beside an expression.
    for (const key of ['b', 'c', 'd']) await byKey(key, /has no unique index of columns that are not null/);
    await says({ table: 'public.kept' }, /public\.kept is kept by the access method other/);
    await says({ table: 'public.bare' }, /^found by xmin/);
    await says({ table: 'public.parts', where: 'id = 9' }, /^found by xmin/);
    await says({ table: 'public.parts', where: 'id < 5' }, /^found by xmin/);
    await says({ table: 'public.parts', where: 'id < extract(year from now())' }, /now\(\)|when it begins/);
    await says({ table: 'public.w', primaryKey: ['id'] }, /public\.w is a view/);
    await says({ table: 'public.m', primaryKey: ['id'] }, /public\.m is a materialized view/);
    await says({ table: 'public.parent' }, /other tables inherit from public\.parent/);
    await says({ table: 'pg_catalog.pg_class', primaryKey: ['oid'] }, /pg_class is a table of the system/, {
      mapping: ['oid'],
    });
  }));

test('xmin is refused where it can never be, by validate and by a run', () =>
  withExporter(async exporter => {
    await exporter.database.sql(CREATE);
    const activation = exporter.activation({
      runType: 'full_then_delta',
      syncMode: 'upsert',
      changeDetection: 'xmin',
      mapping: ['id'],
      model: { table: 'public.t', where: 'at < now()' },
    });
    const { checks } = await validateActivation({ activation, offline: false, signal });
    assert.equal(checks.find(({ check }) => check === 'changes')?.outcome, 'failed');
    const { record } = await exporter.run(activation);
    assert.equal(record.error?.code, 'SOURCE_QUERY_INVALID');
    assert.match(record.error!.message, /changes of exported cannot be found by xmin: .*now\(\)/);
  }));
