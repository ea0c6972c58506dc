/**
 * Each condition has a history that goes wrong without it: what was noted with the
 * baseline is replaced by what holds now, as if nobody compared the two.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { type CONDITIONS, obstacleBetween } from '../../src/sources/postgres/changes/conditions.ts';
import type { SnapshotMark } from '../../src/sources/source.ts';
import { getPostgres, onServer } from '../support/postgres.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { type TableRun, TableRuns } from './table-runs.ts';

type Condition = keyof typeof CONDITIONS;

const FILL = `create table t (id int primary key, v text, n int);
  insert into t select i, 'v' || i, i from generate_series(1, 5) i`;

interface Play {
  sql(text: string): Promise<void>;
}

interface Story {
  readonly name: string;
  /** What is not compared. */
  readonly without: readonly Condition[];
  readonly create?: string;
  /** Between the runs; gives what is different in the second one. */
  readonly event: (play: Play) => Promise<Parameters<TableRuns['run']>[0]>;
  readonly first?: Parameters<TableRuns['run']>[0];
  /**
   * Keys of rows that the second run has to write as added or updated, and how many it
   * removes.
   */
  readonly written: readonly number[];
  readonly removed?: number;
  readonly reason: RegExp;
}

const STORIES: readonly Story[] = [
  {
    name: 'a column that is dropped and added again with a default, which writes no row',
    without: ['columns'],
    event: async ({ sql }) =>
      void (await sql('alter table t drop column n; alter table t add column n int default 42')),
    written: [1, 2, 3, 4, 5],
    reason: /^columns of the table have changed$/,
  },
  {
    name: 'another table under the same name, which was written before',
    without: ['table'],
    create: `${FILL}; create table other (like t including all); insert into other select id, 'other', n from t`,
    event: async ({ sql }) => void (await sql('alter table t rename to old; alter table other rename to t')),
    written: [1, 2, 3, 4, 5],
    reason: /created anew or rewritten/,
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
    reason: /other partitions/,
  },
  {
    name: 'another filter, which as many rows pass',
    without: ['query'],
    first: { where: 'n = 3' },
    event: async () => ({ where: 'n = 4' }),
    written: [4],
    removed: 1,
    reason: /the query is another one/,
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
    reason: /settings that constants of the query are read by/,
  },
  {
    name: 'a label of an enum that is renamed',
    without: ['labels'],
    create: `create type mood as enum ('sad', 'happy'); create table t (id int primary key, v mood, n int);
      insert into t values (1, 'sad', 1), (2, 'happy', 2)`,
    event: async ({ sql }) => void (await sql(`alter type mood rename value 'sad' to 'blue'`)),
    written: [1],
    reason: /labels of an enum/,
  },
];

/** Replaces what was noted of these conditions by what holds now. */
function forging(without: readonly Condition[]): (before: SnapshotMark, now: SnapshotMark) => SnapshotMark {
  return (before, now) => ({
    ...before,
    conditions: {
      ...before.conditions,
      ...Object.fromEntries(without.map(name => [name, now.conditions[name]!])),
    },
  });
}

const writtenBy = ({ added, updated }: TableRun): number[] =>
  [...added, ...updated].map(row => Number(JSON.parse(row)[0])).sort((a, b) => a - b);

async function withRuns<T>(
  options: Pick<Parameters<typeof TableRuns.open>[0], 'url' | 'forge'>,
  act: (runs: TableRuns) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-conditions-'));
  const runs = await TableRuns.open({ table: 't', syncMode: 'difference', folder, ...options });
  try {
    return await act(runs);
  } finally {
    await runs.close();
    await rm(folder, { recursive: true, force: true });
  }
}

for (const story of STORIES) {
  for (const isChecked of [true, false]) {
    test(`${story.name}: ${isChecked ? 'all rows are compared' : 'goes wrong without the check'}`, async () => {
      const postgres = await getPostgres();
      const database = await postgres.createDatabase();
      try {
        const { url } = database;
        await database.sql(story.create ?? FILL);
        const play = { sql: async (text: string) => void (await database.sql(text)) };
        const forge = isChecked ? undefined : forging(story.without);
        await withRuns({ url, forge }, async runs => {
          await runs.run(story.first);
          const changed = await story.event(play);
          const found = await runs.run(changed).catch((error: Error) => error);
          if (isChecked) {
            assert.ok(!(found instanceof Error), String(found));
            assert.equal(found.mode, 'full');
            assert.match(found.reason!, story.reason);
            assert.deepEqual(writtenBy(found), story.written);
            assert.equal(found.counts.removed, story.removed ?? 0);
          } else if (!(found instanceof Error)) {
            assert.equal(found.mode, 'xmin');
            assert.notDeepEqual(
              [writtenBy(found), found.counts.removed],
              [story.written, story.removed ?? 0],
            );
          }
        });
      } finally {
        await database.drop();
      }
    });
  }
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

test('numbers of transactions are not compared across half of their circle, or backwards', () => {
  const conditions = Object.fromEntries(
    [
      'system',
      'timeline',
      'standby',
      'start',
      'recovery',
      'database',
      'table',
      'columns',
      'query',
      'settings',
      'labels',
    ].map(name => [name, 'same']),
  );
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

/** A server of the test's own, with a table. */
async function withServer(
  settings: Record<string, string>,
  act: (server: PostgresServer) => Promise<void>,
): Promise<void> {
  const server = await PostgresServer.start({ settings });
  try {
    await onServer(server.url, client => client.query(FILL));
    await act(server);
  } finally {
    await server.dispose();
  }
}

for (const isChecked of [true, false]) {
  const what = isChecked ? 'is noticed' : 'goes wrong without the check';
  const forge = (...without: Condition[]) => (isChecked ? undefined : forging(without));
  const check = (found: TableRun, written: readonly number[], reason: RegExp): void => {
    assert.equal(found.mode, isChecked ? 'full' : 'xmin');
    if (isChecked) assert.match(found.reason!, reason);
    assert.deepEqual(writtenBy(found), isChecked ? written : []);
  };

  test(`a copy of the database in its place ${what}`, () =>
    withServer({}, async ({ url }) => {
      const of = (database: string): string => url.replace(/\/postgres$/, `/${database}`);
      await onServer(url, client => client.query('create database first'));
      await onServer(of('first'), client => client.query(FILL));
      await onServer(url, client => client.query('create database second template first'));
      await onServer(of('first'), client => client.query(`update t set v = 'changed' where id = 1`));
      await withRuns({ url: of('first'), forge: forge('database') }, async runs => {
        await runs.run();
        check(await runs.run({ url: of('second') }), [1], /another database/);
      });
    }));
}

/** Several conditions notice these, so leaving out one of them changes nothing. */
function checkNoticed(found: TableRun, reason: RegExp): void {
  assert.equal(found.mode, 'full');
  assert.match(found.reason!, reason);
  assert.deepEqual(writtenBy(found), [1]);
}

test("an earlier copy of the server's files in their place is noticed", () =>
  withServer({}, async server => {
    const copy = promisify(execFile);
    const { rows } = await onServer(server.url, client => client.query('show data_directory'));
    const data: string = rows[0].data_directory;
    await server.stop('fast');
    await copy('cp', ['-a', data, `${data}.kept`]);
    await server.start();
    await withRuns({ url: server.url }, async runs => {
      await onServer(server.url, client => client.query(`update t set v = 'changed' where id = 1`));
      await runs.run();
      await server.stop('fast');
      await copy('rm', ['-r', data]);
      await copy('mv', [`${data}.kept`, data]);
      await server.start();
      checkNoticed(await runs.run(), /started again/);
    });
  }));

test('a crash that loses a commit that was seen is noticed', () =>
  withServer({ synchronous_commit: 'off', wal_writer_delay: '10s' }, async server => {
    await withRuns({ url: server.url }, async runs => {
      await onServer(server.url, client => client.query('checkpoint'));
      await onServer(server.url, client => client.query(`update t set v = 'lost' where id = 1`));
      await runs.run();
      const { rows } = await onServer(server.url, client =>
        client.query(`select pid from pg_stat_activity where backend_type = 'background writer'`),
      );
      process.kill(rows[0].pid, 'SIGKILL');
      await untilRecovered(server.url);
      checkNoticed(await runs.run(), /recovered from a crash/);
    });
  }));

/** The postmaster stays; it ends all sessions, and starts again. */
async function untilRecovered(url: string): Promise<void> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; ) {
    const kept = await onServer(url, async client => {
      const { rows } = await client.query(`select v from t where id = 1`);
      return rows[0].v as string;
    }).catch(() => 'lost');
    if (kept !== 'lost') return;
  }
  throw new Error('the commit was not lost');
}
