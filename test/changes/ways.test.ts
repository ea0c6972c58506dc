/**
 * Ways in which rows of a table change, or are read otherwise: a run finds by xmin what
 * has changed, or compares all rows and says why.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { getPostgres, type TestDatabase } from '../support/postgres.ts';
import { withRuns } from './stories.ts';
import { COLUMNS } from './table-runs.ts';

interface Way {
  readonly name: string;
  /** In the place of a table of five rows; `$` is the name of the table. */
  readonly create?: string;
  /** Statements, each of which is a transaction of its own unless it begins one. */
  readonly event: string;
  /** How many rows come, where they are found by xmin; else why all are compared. */
  readonly found: number | RegExp;
  readonly where?: string;
}

const FILL = `create table $ (id int primary key, v text, n int); insert into $ select i, 'v' || i, i from generate_series(1, 5) i`;
const LISTED = `create table $ (id int, v text, n int, primary key (id, n)) partition by list (n);
  create table $_1 partition of $ for values in (1); create table $_2 partition of $ for values in (2);
  insert into $ select i, 'v' || i, 1 + i % 2 from generate_series(1, 5) i`;
const REWRITTEN = /created anew or rewritten/;
const COLUMNS_CHANGED = /^columns of the table have changed$/;

const WAYS: readonly Way[] = [
  {
    name: 'frozen after it was written',
    event: `update $ set v = 'a' where id = 1; vacuum (freeze) $`,
    found: 1,
  },
  { name: 'frozen alone', event: 'vacuum (freeze) $', found: 0 },
  { name: 'locked alone', event: 'select * from $ for update', found: 0 },
  { name: 'written as it was', event: 'update $ set v = v', found: 5 },
  {
    name: 'copied frozen into an emptied table',
    event: `begin; truncate $; insert into $ values (1, 'v1', 1); copy $ from program 'printf "7\\tv7\\t7\\n"' (freeze); commit`,
    found: REWRITTEN,
  },
  {
    name: 'written by a subtransaction whose parent goes on, and undone by another',
    event: `do 'begin begin update $ set v = ''a'' where id = 1; raise ''no''; exception when others then null; end;
      begin update $ set v = ''b'' where id = 2; exception when others then null; end; end'`,
    found: 1,
  },
  {
    name: 'merged into',
    event: `insert into $ values (1, 'x', 1), (9, 'y', 9) on conflict (id) do update set v = excluded.v`,
    found: 2,
  },
  { name: 'given another key', event: 'update $ set id = id + 10 where id > 3', found: 2 },
  {
    name: 'taken away and brought back',
    event: `begin; create temp table kept as select * from $; delete from $; insert into $ select * from kept; drop table kept; commit`,
    found: 5,
  },
  {
    name: 'left out by the filter from now on, while another comes in',
    where: 'n < 4',
    event: `update $ set n = 9 where id = 1; update $ set n = 0 where id = 5`,
    found: 1,
  },
  {
    name: 'of another type, converted',
    event: `alter table $ alter v type text using v || '!'`,
    found: REWRITTEN,
  },
  {
    name: 'of a wider type, as they are',
    create: `create table $ (id int primary key, v varchar(9), n int); insert into $ values (1, 'a', 1)`,
    event: 'alter table $ alter v type varchar(20)',
    found: COLUMNS_CHANGED,
  },
  {
    name: 'of a domain',
    event: 'create domain $_text as text; alter table $ alter v type $_text',
    found: COLUMNS_CHANGED,
  },
  {
    name: 'compared by another collation',
    where: `v < 'V3'`,
    event: `alter table $ alter v type text collate "C"`,
    found: COLUMNS_CHANGED,
  },
  {
    name: 'given a column with a default',
    event: 'alter table $ add extra int default 7',
    found: COLUMNS_CHANGED,
  },
  {
    name: 'given a default for later ones',
    event: `alter table $ alter n set default 8; insert into $ (id) values (6)`,
    found: 1,
  },
  {
    name: 'with a generated column whose function changes, and which stays',
    create: `create function $_twice(int) returns int immutable language sql as 'select 2 * $1';
      create table $ (id int primary key, v text, n int generated always as ($_twice(id)) stored); insert into $ (id, v) values (1, 'a'), (2, 'b')`,
    event: `create or replace function $_twice(int) returns int immutable language sql as 'select 3 * $1'; update $ set v = 'c' where id = 1`,
    found: 1,
  },
  { name: 'rewritten in the order of an index', event: 'cluster $ using $_pkey', found: REWRITTEN },
  { name: 'rewritten without gaps', event: 'vacuum (full) $', found: REWRITTEN },
  { name: 'unlogged', event: 'alter table $ set unlogged', found: REWRITTEN },
  {
    name: 'moved to another schema and back',
    event: 'create schema $_other; alter table $ set schema $_other; alter table $_other.$ set schema public',
    found: 0,
  },
  {
    name: 'inherited from by another table',
    event: `create table $_child () inherits ($); insert into $_child select 7, 'v', 7`,
    found: /other tables inherit from/,
  },
  {
    name: 'moved between partitions',
    create: LISTED,
    event: 'update $ set n = 3 - n where id = 1',
    found: 1,
  },
  {
    name: 'in a partition that goes and comes back',
    create: LISTED,
    event: `alter table $ detach partition $_2; update $_2 set v = 'apart'; alter table $ attach partition $_2 for values in (2)`,
    found: 3,
  },
  {
    name: 'in a partition that was a table before',
    create: `${LISTED}; create table $_3 (like $ including all); insert into $_3 values (8, 'before', 3)`,
    event: 'alter table $ attach partition $_3 for values in (3)',
    found: /has other partitions/,
  },
  { name: 'in a partition that is emptied', create: LISTED, event: 'truncate $_2', found: REWRITTEN },
  {
    name: 'in a partition that is dropped',
    create: LISTED,
    event: 'drop table $_2',
    found: /has other partitions/,
  },
  {
    name: 'put out of the sight of the role',
    event: 'alter table $ enable row level security; alter table $ force row level security',
    found: 0, // a superuser sees them all the same
  },
];

type Texts = Map<string, string>;

async function rowsOf(
  database: TestDatabase,
  { table, where = 'true', key }: { table: string; where?: string | undefined; key: readonly number[] },
): Promise<Texts> {
  const rows = await database.sql(`select ${COLUMNS.join()} from ${table} where ${where}`);
  const texts = rows.map(row => COLUMNS.map(name => (row[name] === null ? null : String(row[name]))));
  return new Map(texts.map(row => [key.map(place => row[place]).join(), JSON.stringify(row)]));
}

test('rows that change in any way are found by xmin, or all of them are compared', async t => {
  const postgres = await getPostgres();
  const database = await postgres.createDatabase();
  try {
    for (const [index, { name, create = FILL, event, found, where }] of WAYS.entries()) {
      const table = `w${index}`;
      const key = create.startsWith(LISTED) ? [0, 2] : [0];
      const play = async (statements: string): Promise<void> => {
        const client = await database.connect();
        try {
          const parts = statements.startsWith('do ') ? [statements] : statements.split(';');
          for (const part of parts) await client.query(part.replaceAll(/\$(?!\d)/g, table));
        } finally {
          await client.end();
        }
      };
      await t.test(name, async () => {
        await play(create);
        await withRuns({ url: database.url, table, where }, async runs => {
          await runs.run();
          const before = await rowsOf(database, { table, where, key });
          await play(event);
          const now = await rowsOf(database, { table, where, key });
          const run = await runs.run();
          if (typeof found === 'number') assert.deepEqual([run.mode, run.candidates], ['xmin', found]);
          else assert.match(run.reason ?? run.mode, found);
          const rows = (kept: (key: string) => boolean, of: Texts): string[] =>
            [...of].flatMap(([key, row]) => (kept(key) ? [row] : [])).sort();
          assert.deepEqual(
            run.added,
            rows(key => !before.has(key), now),
          );
          assert.deepEqual(
            run.updated,
            rows(key => before.has(key) && before.get(key) !== now.get(key), now),
          );
          assert.deepEqual(
            run.removed,
            rows(key => !now.has(key), before),
          );
        });
      });
    }
  } finally {
    await database.drop();
  }
});
