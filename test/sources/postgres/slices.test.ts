import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { RowBatch } from '../../../src/row-batch.ts';
import { PostgresSource } from '../../../src/sources/postgres/postgres-source.ts';
import type { PostgresSourceOptions } from '../../../src/sources/postgres/postgres-source-options.ts';
import {
  type PostgresReaderOptions,
  readerSource,
} from '../../../src/sources/postgres/slices/reader-options.ts';
import type { Divided, Slice } from '../../../src/sources/source.ts';
import { getPostgres, type TestDatabase } from '../../support/postgres.ts';
import { fromBatch, textColumns } from '../../support/row-batches.ts';
import { createSource, rejectsWith } from './support.ts';

const ROWS = 15_000;
const COLUMNS = textColumns('id', 'v');
const MIB = 1024 ** 2;

let db: TestDatabase;
before(async () => {
  db = await (await getPostgres()).createDatabase();
  // About 40 MiB, most of them in a column that nobody reads, and dead rows among them.
  await db.sql(`
    create unlogged table t (id int primary key, v text, filler text not null);
    alter table t alter filler set storage plain;
    insert into t select i, 'v' || i, repeat('x', 2300) from generate_series(1, ${ROWS}) i;
    delete from t where id % 10 = 0;
    create table nothing (id int, v text);
    create table parts (id int, v text) partition by range (id);
    create table parent (id int, v text); create table child () inherits (parent);
    create unlogged table documents (id int primary key, v text);
    alter table documents alter v set storage external;
    insert into documents select i, repeat('x', 1024 * 1024) from generate_series(1, 17) i;
    create function stamp() returns text language plpgsql stable as 'begin return now()::text; end';
    create function same(text) returns text language plpgsql immutable as 'begin return $1; end';
    create view seen as select id, v from t;
    create materialized view kept as select id, v from t;`);
});
after(() => db.drop());

type Options = Partial<PostgresSourceOptions>;

async function opened(name: string, options: Options = {}): Promise<PostgresSource> {
  const table = { schema: 'public', name, columns: ['id', 'v'], ...options.table };
  const source = createSource(db.url, '', { divides: true, ...options, table });
  await source.describe();
  return source;
}

async function divided(name: string, options?: Options): Promise<Divided> {
  const source = await opened(name, options);
  const found = await source.slices!.divide(COLUMNS, 2);
  await source.close();
  return found;
}

function readerOf({ readerOptions }: Divided & { readonly readerOptions?: unknown }): PostgresSource {
  return new PostgresSource(readerSource(readerOptions as PostgresReaderOptions));
}

async function idsOf(reader: PostgresSource, slice: Slice): Promise<number[]> {
  const ids: number[] = [];
  for await (const batch of reader.readSlice(COLUMNS, slice))
    ids.push(...fromBatch(batch as RowBatch, 2).map(([id]) => Number(id)));
  return ids;
}

test('slices hold the rows of the snapshot once, whatever is written while they are read', async () => {
  const source = await opened('t');
  const found = await source.slices!.divide(COLUMNS, 2);
  assert.ok(found.unfit === undefined);
  const { slices, sliceBytes } = found;
  assert.ok(slices.length >= 3 && sliceBytes >= 4 * MIB && sliceBytes <= 8 * MIB);

  await db.sql(`update t set v = 'later' where id % 2 = 0; delete from t where id % 3 = 0`);
  await db.sql(`insert into t select i, 'new', repeat('x', 2300) from generate_series(100001, 104000) i`);
  await db.sql('vacuum t');
  const readers = [readerOf(found), readerOf(found)];
  const ids: number[] = [];
  try {
    for (const reader of readers) await reader.describe();
    for (const [index, slice] of slices.entries()) ids.push(...(await idsOf(readers[index % 2]!, slice)));
    const ends = await Promise.all(readers.map(reader => reader.finish()));
    assert.equal(ends[0]!.rows + ends[1]!.rows, ids.length);
    assert.deepEqual(await source.finish(), { rows: 0 });
  } finally {
    await Promise.all([source, ...readers].map(open => open.close()));
  }
  const expected = Array.from({ length: ROWS }, (_, index) => index + 1).filter(id => id % 10 !== 0);
  assert.deepEqual(ids, expected);
});

test('slices become smaller towards the end, so that readers end at about the same time', async () => {
  const source = await opened('t');
  const found = await source.slices!.divide(COLUMNS, 4);
  await source.close();
  assert.ok(found.unfit === undefined);
  const { slices } = found;
  const pages = slices.map(({ from, to }) => (to === undefined ? 0 : to - from));
  assert.ok(slices.every(({ from }, index) => index === 0 || slices[index - 1]!.to === from));
  assert.equal(slices.at(-1)!.to, undefined);
  assert.ok(pages.every((count, index) => index === 0 || count <= pages[index - 1]!));
  assert.ok(pages.at(-2)! * 8192 <= 1.1 * MIB, 'the last ones are small');
  assert.ok(pages[0]! * 8192 < found.sliceBytes * 1.1);
});

async function unfit(name: string, options?: Options): Promise<string | undefined> {
  return (await divided(name, options)).unfit;
}

function where(condition: string): Options {
  return { table: { schema: 'public', name: 't', where: condition } };
}

test('a table that one reader reads otherwise, or that has no pages, is not divided', async () => {
  assert.equal(await unfit('parts'), 'the table is partitioned');
  assert.equal(await unfit('seen'), 'the table is a view');
  assert.equal(await unfit('parent'), 'other tables inherit from the table');
  assert.match((await unfit('t', where('id = 5')))!, /^the server finds its rows by what its plan calls \w+/);
  const subquery = await unfit('t', where('v = (select max(v) from nothing)'));
  assert.equal(subquery, 'the condition has a subquery');
  assert.equal(await unfit('t', where("v like '%1'")), undefined);
  assert.equal(await unfit('t', { where: "v like '%1'" }), undefined);
});

test('a table whose large values are beside its only page is not divided', async () => {
  assert.equal(await unfit('documents'), 'all rows of the table are on one page');
});

test('a condition that depends on the time is not divided: each reader has its own', async () => {
  const times = ['now()', 'CURRENT_DATE', 'localtimestamp', "timestamptz 'today'", "date ' Yesterday'"];
  for (const time of times)
    assert.match((await unfit('t', where(`v < (${time})::text`)))!, /^the condition depends on the time, /);
  assert.match((await unfit('t', { where: 'v < statement_timestamp()::text' }))!, /depends on the time, /);
  const own = 'the condition calls a function of the database, which may depend on the time';
  assert.equal(await unfit('t', where('v < stamp()')), own);
  assert.equal(
    await unfit('t', where("same(v) <> 'x' and v not like '%now() today' and length(v) > 0")),
    undefined,
  );
});

test('a small or empty table is one slice, a materialized view is divided as a table', async () => {
  for (const name of ['nothing', 'kept']) {
    const found = await divided(name);
    assert.ok(found.unfit === undefined);
    assert.deepEqual(found.slices, [{ from: 0 }]);
  }
});

test('a reader that comes when the snapshot is gone says so, and can be tried again', async () => {
  const reader = readerOf(await divided('t'));
  const error = await rejectsWith(reader.describe(), 'SOURCE_TRANSIENT');
  assert.match(error.hint, /parallel: 1/);
  await reader.close();
});
