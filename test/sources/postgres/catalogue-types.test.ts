import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { ElementFacts } from '../../../src/row-batch.ts';
import { planMapping } from '../../../src/transforms/map-columns.ts';
import { getPostgres, type TestDatabase, type TestPostgres } from '../../support/postgres.ts';
import { createSource, readAll } from './support.ts';

let postgres: TestPostgres;
let db: TestDatabase;
before(async () => {
  postgres = await getPostgres();
  // So that nothing comes as the text that it is to have.
  const settings = { TimeZone: 'Asia/Kathmandu', DateStyle: 'German', bytea_output: 'escape' };
  db = await postgres.createDatabase({ settings });
});
after(() => db.drop());

test('money is a decimal of its least unit, whatever the settings', async () => {
  const values = ['0', '-0.05', '1234.5', '-92233720368547758.08', '92233720368547758.07'];
  const model = `select ${values.map((value, index) => `'${value}'::numeric::money as v${index}`).join()},
    array[1234.5, null]::numeric[]::money[] as list, row('1'::money, 2) as inner`;
  const { rows, columns } = await readAll(db.url, model);
  assert.deepEqual(rows, [
    [
      '0.00',
      '-0.05',
      '1234.50',
      '-92233720368547758.08',
      '92233720368547758.07',
      '{1234.50,NULL}',
      '(1.00,2)',
    ],
  ]);
  const { kind, precision, scale } = columns[0]!;
  assert.deepEqual([kind, precision, scale], ['numeric', 19, 2]);
  assert.equal(columns[5]!.element?.kind, 'numeric');
});

test('objects are named with their schema, whatever the search path', async () => {
  await db.sql(`create schema "Own"; create table "Own"."the t" (id int); create type "Own".mood as enum ('x');
    create function "Own".twice(int) returns int language sql as 'select $1 * 2'`);
  const model = `select '"Own"."the t"'::regclass as a, 'pg_catalog.pg_class'::regclass as b, '"Own".mood'::regtype as c,
    '"Own".twice(int)'::regprocedure as d, 'pg_catalog.now'::regproc as e, 0::regclass as f, 4294967295::regclass as g,
    array['"Own"."the t"'::regclass, null] as h, row('"Own".mood'::regtype) as i, '"Own"'::regnamespace as j`;
  const expected = [
    '"Own"."the t"',
    'pg_class',
    '"Own".mood',
    '"Own".twice(integer)',
    'now',
    '-',
    '4294967295',
    '{"\\"Own\\".\\"the t\\"",NULL}',
    '("""Own"".mood")',
    '"Own"',
  ];
  for (const path of ['public', '"Own", public', 'nowhere']) {
    await db.sql(`alter database ${db.name} set search_path = ${path}`);
    assert.deepEqual((await readAll(db.url, model)).rows, [expected], path);
  }
  await db.sql(`alter database ${db.name} set quote_all_identifiers = on`);
  assert.deepEqual((await readAll(db.url, model)).rows, [expected]);
  await db.sql(`alter database ${db.name} reset search_path`);
  await db.sql(`alter database ${db.name} reset quote_all_identifiers`);
});

test('what an array holds is in the catalogue, and not in the name of its type', async () => {
  await db.sql(`create schema odd;
    create type odd.int4 as enum ('one', 'two'); create type odd."integer" as enum ('one', 'two');
    create type odd."timestamp with time zone[]" as enum ('a');
    create domain odd.positive as int check (value > 0); create domain odd.small as odd.positive;
    create domain odd.list as int[]; create domain odd.outer_list as odd.list;
    create type odd.piped;
    create function odd.piped_in(cstring) returns odd.piped language internal immutable strict as 'textin';
    create function odd.piped_out(odd.piped) returns cstring language internal immutable strict as 'textout';
    create type odd.piped (input = odd.piped_in, output = odd.piped_out, like = text, delimiter = '|')`);
  const cases: readonly (readonly [sql: string, text: string, element: ElementFacts | undefined])[] = [
    [`array['one']::odd.int4[]`, '{one}', { kind: 'text', delimiter: ',' }],
    [`array['one']::odd."integer"[]`, '{one}', { kind: 'text', delimiter: ',' }],
    [`'a'::odd."timestamp with time zone[]"`, 'a', undefined],
    [`array[1, null]::odd.small[]`, '{1,NULL}', { kind: 'int32', delimiter: ',' }],
    [`array[1]::odd.list`, '{1}', { kind: 'int32', delimiter: ',' }],
    [`array[1]::odd.outer_list`, '{1}', { kind: 'int32', delimiter: ',' }],
    [
      `array[array[1, 2]::odd.list]`,
      '{"{1,2}"}',
      { kind: 'text', delimiter: ',', element: { kind: 'int32', delimiter: ',' } },
    ],
    [`array['a,b', 'c|d']::odd.piped[]`, '{a,b|"c|d"}', { kind: 'text', delimiter: '|' }],
    [`array['((1,2),(3,4))', null]::box[]`, '{(3,4),(1,2);NULL}', { kind: 'text', delimiter: ';' }],
    [`array[1.5]::numeric(5,2)[]`, '{1.50}', { kind: 'numeric', delimiter: ',' }],
    [`'1 2'::int2vector`, '1 2', undefined],
    [`point '(1,2)'`, '(1,2)', undefined],
  ];
  const model = `select ${cases.map(([sql], index) => `${sql} as v${index}`).join()}`;
  const { rows, columns } = await readAll(db.url, model);
  assert.deepEqual(
    rows[0],
    cases.map(([, text]) => text),
  );
  for (const [index, [sql, , element]] of cases.entries()) {
    assert.deepEqual(columns[index]!.element, element, sql);
  }
});

test('a value whose binary form is not known is refused by name beside one that needs it, and only then', async () => {
  await db.sql(`create type query as (at timestamptz, text tsquery)`);
  const model = `select 1 as id, row('2025-02-01 00:00+00', 'a & b')::query as q, 'a & b'::tsquery as t`;
  const usual = await postgres.createDatabase({ settings: { TimeZone: 'UTC' } });
  await usual.sql(`create type query as (at timestamptz, text tsquery)`);
  const { rows } = await readAll(usual.url, model);
  await usual.drop();
  assert.deepEqual(rows, [['1', '("2025-02-01 00:00:00+00","\'a\' & \'b\'")', "'a' & 'b'"]]);

  const source = createSource(db.url, model);
  const { columns } = await source.describe();
  const plan = { modelName: 'm', columns, primaryKey: [] };
  assert.throws(
    () => planMapping({ ...plan, mapping: undefined }),
    (error: Error & { hint: string }) =>
      /column "q" holds values whose text depends on DateStyle and TimeZone/.test(error.message) &&
      /::text/.test(error.hint),
  );
  const { written } = planMapping({ ...plan, mapping: [{ from: 't', to: 't' }] });
  assert.equal(written.length, 1);
  await source.close();
});

test('large values come whole, and rows beyond the limit are refused by column, as text', async () => {
  await db.sql(
    'create table blobs as select 1 as id, now() as at, null::bytea as b, null::timestamptz[] as list',
  );
  const big = `select id, at, decode(repeat('5c27ff00', 400000), 'hex') as b,
    (select array_agg(timestamptz '2025-02-01 00:00+00') from generate_series(1, 100000)) as list from blobs`;
  const { rows } = await readAll(db.url, `${big} union all select 2, at, '', '{}' from blobs`);
  assert.equal(rows[0]![2], `\\x${'5c27ff00'.repeat(400_000)}`);
  assert.equal(rows[0]![3], `{${Array(100_000).fill('"2025-02-01 00:00:00+00"').join()}}`);
  assert.deepEqual(rows[1]!.slice(2), ['\\x', '{}']);

  for (const [column, sql] of [
    ['b', `select id, at, decode(repeat('5c', 600000), 'hex') as b from blobs`],
    [
      'list',
      `select id, (select array_agg(timestamptz '2025-02-01') from generate_series(1, 50000)) as list from blobs`,
    ],
  ]) {
    await assert.rejects(
      readAll(db.url, sql!, { maxRowBytes: 1024 * 1024 }),
      (error: Error & { code: string }) =>
        error.code === 'SOURCE_VALUE_TOO_LARGE' && error.message.includes(`column "${column}"`),
    );
  }
});

test('many rows in many batches are converted each, whatever their memory was before', async () => {
  const model = `select i as id, timestamptz '2020-01-01 00:00Z' + i * interval '1 second' as at, repeat('x', i % 300) as filler,
    date '2020-01-01' + i % 1000 as day, null::timestamptz as none from generate_series(1, 60000) i`;
  const [row] = await db.sql<{ all: string }>(
    `set timezone = 'UTC'; set datestyle = 'ISO'; select md5(string_agg(concat_ws('|', id, at, filler, day), ',' order by id)) as all from (${model}) m`,
  );
  const { rows, batches } = await readAll(db.url, model);
  assert.ok(batches > 10);
  const text = rows.map(([id, at, filler, day]) => [id, at, filler, day].join('|')).join(',');
  const { createHash } = await import('node:crypto');
  assert.equal(createHash('md5').update(text).digest('hex'), row!.all);
});

test('a database without an encoding is read as it is, and the hint for what is not UTF-8 works', async () => {
  const name = `${db.name}_ascii`;
  await db.sql(`create database ${name} encoding 'SQL_ASCII' template template0 lc_collate 'C' lc_ctype 'C'`);
  await db.sql(`alter database ${name} set datestyle = 'German'`);
  const url = new URL(db.url);
  url.pathname = `/${name}`;
  try {
    const model = `select 1 as id, E'caf\\xe9' || chr(92) as v, now() as at, row(E'\\xe9', date '2025-01-01') as inner`;
    const source = createSource(url.href, model);
    const { columns } = await source.describe();
    const [batch] = await source.read(columns).toArray();
    assert.ok(batch.bytes.includes(Buffer.from('caf\u00e9\\', 'latin1')));
    assert.ok(batch.bytes.includes(Buffer.from('(\u00e9,2025-01-01)', 'latin1')));
    await source.finish();
    await source.close();

    const { hint } = (await readAll(url.href, `select convert_from('\\xe9', 'UTF8') as v`).catch(e => e)) as {
      hint: string;
    };
    const [expression] = /convert_from\(.*'UTF8'\)/.exec(hint) ?? [];
    const fixed = await readAll(
      url.href,
      `select ${expression!.replace('column', 'v')} as v from (${model}) m`,
    );
    assert.deepEqual(fixed.rows, [['café\\']]);
  } finally {
    await db.sql(`drop database ${name} with (force)`);
  }
});
