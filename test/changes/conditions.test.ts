/** Each condition has a history that goes wrong without it. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { CONDITIONS, obstacleBetween } from '../../src/sources/postgres/changes/conditions.ts';
import type { SnapshotMark } from '../../src/sources/source.ts';
import { getPostgres } from '../support/postgres.ts';
import { FILL, playStory, type Story, withRuns, writtenBy } from './stories.ts';

interface Play {
  sql(text: string): Promise<void>;
}

interface DatabaseStory extends Omit<Story, 'url' | 'event'> {
  readonly name: string;
  readonly create?: string;
  readonly event: (play: Play) => ReturnType<Story['event']>;
}

const STORIES: readonly DatabaseStory[] = [
  {
    name: 'a column that is dropped and added again with a default, which writes no row',
    without: ['columns'],
    event: async ({ sql }) =>
      void (await sql('alter table t drop column n; alter table t add column n int default 42')),
    written: [1, 2, 3, 4, 5],
  },
  {
    name: 'another table under the same name, which was written before',
    without: ['table'],
    create: `${FILL}; create table other (like t including all); insert into other select id, 'other', n from t`,
    event: async ({ sql }) => void (await sql('alter table t rename to old; alter table other rename to t')),
    written: [1, 2, 3, 4, 5],
  },
  {
    name: 'a partition that is attached while as many rows go',
    without: ['table', 'columns', 'query'],
    create: `create table t (id int, v text, n int, primary key (id)) partition by range (id);
      create table low partition of t for values from (0) to (10); insert into t select i, 'v', i from generate_series(1, 5) i;
      create table high (like t including all); insert into high values (11, 'high', 1)`,
    event: async ({ sql }) =>
      void (await sql(
        'alter table t attach partition high for values from (10) to (20); delete from t where id = 1',
      )),
    written: [11],
    removed: 1,
  },
  {
    name: 'another filter, which as many rows pass',
    without: ['query'],
    first: { where: 'n = 3' },
    event: async () => ({ where: 'n = 4' }),
    written: [4],
    removed: 1,
  },
  {
    name: 'a setting under which a constant of equal text is another day',
    without: ['settings'],
    create: `create table t (id int primary key, v text, n int, day date);
      insert into t values (1, 'february', 1, '2024-02-01'), (2, 'january', 2, '2024-01-02');
      do $$ begin execute format('alter database %I set datestyle = ''SQL, MDY''', current_database()); end $$`,
    first: { where: `day = '01/02/2024'` },
    event: async ({ sql }) => {
      await sql(
        `do $$ begin execute format('alter database %I set datestyle = ''SQL, DMY''', current_database()); end $$`,
      );
      return { where: `day = '01/02/2024'` };
    },
    written: [1],
    removed: 1,
  },
  {
    name: 'a label of an enum that is renamed',
    without: ['labels'],
    create: `create type mood as enum ('sad', 'happy'); create table t (id int primary key, v mood, n int);
      insert into t values (1, 'sad', 1), (2, 'happy', 2)`,
    event: async ({ sql }) => void (await sql(`alter type mood rename value 'sad' to 'blue'`)),
    written: [1],
  },
  {
    name: 'a type that reads the same bytes as another number, for which no row is written',
    without: ['columns'],
    create: `create table t (id int primary key, v text, n int); insert into t values (1, 'a', 5), (2, 'b', -1)`,
    event: async ({ sql }) => void (await sql('alter table t alter column n type oid')),
    written: [2],
  },
  {
    name: 'columns that change their names',
    without: ['columns'],
    create: `create table t (id int primary key, v text, n text); insert into t values (1, 'a', 'b'), (2, 'c', 'c')`,
    event: async ({ sql }) =>
      void (await sql(
        'alter table t rename v to x; alter table t rename n to v; alter table t rename x to n',
      )),
    written: [1],
  },
];

for (const { name, create = FILL, event, ...story } of STORIES) {
  test(`${name}: all rows are compared, and it goes wrong without the check`, async () => {
    const postgres = await getPostgres();
    const database = await postgres.createDatabase();
    try {
      await database.sql(create);
      const sql = async (text: string): Promise<void> => void (await database.sql(text));
      await playStory({ ...story, url: database.url, event: () => event({ sql }) });
    } finally {
      await database.drop();
    }
  });
}

for (const isChecked of [true, false]) {
  const name = isChecked ? 'are found' : 'are missed where the newest transaction is taken for the horizon';
  test(`a transaction and a subtransaction that were under way at the last success ${name}`, async () => {
    const postgres = await getPostgres();
    const database = await postgres.createDatabase();
    const writer = await database.connect();
    try {
      await database.sql(FILL);
      const { url } = database;
      const forge = isChecked ? undefined : (mark: SnapshotMark) => ({ ...mark, horizon: mark.next });
      await withRuns({ url, forge }, async runs => {
        await runs.run();
        await writer.query(`begin; update t set v = 'late' where id = 1; savepoint inner_one`);
        await writer.query(`update t set v = 'later' where id = 2; release savepoint inner_one`);
        await database.sql(`update t set v = 'soon' where id = 3`);
        assert.deepEqual(writtenBy(await runs.run()), [3]);
        await database.sql('select pg_current_xact_id()');
        await writer.query('commit');
        const found = await runs.run();
        assert.equal(found.mode, 'xmin');
        assert.deepEqual(writtenBy(found), isChecked ? [1, 2] : []);
      });
    } finally {
      await writer.end();
      await database.drop();
    }
  });
}

const ATTACH = 'alter table t attach partition high for values from (10) to (20)';
const MEANWHILE = {
  'a partition that is attached': ATTACH,
  'a label that is renamed': `alter type mood rename value 'sad' to 'blue'`,
};
for (const [what, event] of Object.entries(MEANWHILE)) {
  test(`${what} while rows are read ends the run, and the next one compares all rows`, async () => {
    const postgres = await getPostgres();
    const database = await postgres.createDatabase();
    try {
      await database.sql(`create type mood as enum ('sad', 'happy');
        create table t (id int primary key, v mood, n int) partition by range (id);
        create table low partition of t for values from (0) to (10); insert into t select i, 'sad', i from generate_series(1, 5) i;
        create table high (like t including all); insert into high values (11, 'sad', 1)`);
      const play = (text: string) => () => database.sql(text);
      await withRuns({ url: database.url }, async runs => {
        await runs.run();
        const isTransient = { code: 'SOURCE_TRANSIENT', message: /changed while it was read/ };
        await assert.rejects(runs.run({ beforeRows: play(event) }), isTransient);
        const next = await runs.run();
        assert.deepEqual([next.mode, writtenBy(next)], ['full', event === ATTACH ? [11] : [1, 2, 3, 4, 5]]);
        assert.equal((await runs.run()).mode, 'xmin');
        if (event !== ATTACH) await assert.rejects(runs.run({ afterSnapshot: play(ATTACH) }), isTransient);
      });
    } finally {
      await database.drop();
    }
  });
}

test('numbers of transactions are not compared across half of their circle, or backwards', () => {
  const conditions = Object.fromEntries(Object.keys(CONDITIONS).map(name => [name, 'same']));
  const at = (next: bigint): SnapshotMark => ({
    horizon: String(next - 10n),
    next: String(next),
    conditions,
  });
  const before = at(2n ** 33n);
  assert.equal(obstacleBetween(before, at(2n ** 33n + 2n ** 30n)), undefined);
  assert.match(obstacleBetween(before, at(2n ** 33n + 2n ** 31n))!, /2147483658 transactions have begun/);
  // In 32 bits this one is 5 transactions later.
  assert.match(obstacleBetween(before, at(2n ** 33n + 2n ** 32n + 5n))!, /transactions have begun/);
  assert.match(obstacleBetween(before, at(2n ** 32n))!, /fewer transactions/);
  const { database, ...others } = conditions;
  assert.match(obstacleBetween({ ...before, conditions: others }, before)!, /another database/);
});
