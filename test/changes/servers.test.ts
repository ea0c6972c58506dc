/** What servers do to the numbers of transactions, on servers of the tests' own. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chown, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { onServer } from '../support/postgres.ts';
import { PostgresServer } from '../support/postgres-server.ts';
import { FILL, type Forge, playStory, withRuns, writtenBy } from './stories.ts';

const copy = promisify(execFile);
const REPLICATED = {
  wal_level: 'replica',
  max_wal_senders: '4',
  hot_standby: 'on',
  max_prepared_transactions: '4',
  // A commit is in the log, which a standby is waited for to have read, when it returns.
  synchronous_commit: 'on',
};
const CHANGE = `update t set v = 'changed' where id = 1`;

const sql = async (url: string, text: string): Promise<void> =>
  void (await onServer(url, client => client.query(text)));

const ask = async (url: string, expression: string): Promise<string> =>
  onServer(url, async client => (await client.query(`select (${expression})::text as found`)).rows[0].found);

/** So many transactions begin and end. */
const burn = (url: string, count: number): Promise<void> =>
  sql(url, `do $$ begin for i in 1..${count} loop perform pg_current_xact_id(); commit; end loop; end $$`);

/** A server of the test's own, with a table. */
async function withServer(
  options: Parameters<typeof PostgresServer.start>[0],
  act: (server: PostgresServer) => Promise<void>,
): Promise<void> {
  const server = await PostgresServer.start(options);
  try {
    await sql(server.url, FILL);
    await act(server);
  } finally {
    await server.dispose();
  }
}

test('a copy of the database in its place: all rows are compared, and it goes wrong without the check', () =>
  withServer({}, async ({ url }) => {
    const of = (database: string): string => url.replace(/\/postgres$/, `/${database}`);
    await sql(url, 'create database first');
    await sql(of('first'), FILL);
    await sql(url, 'create database second template first');
    await sql(of('first'), CHANGE);
    const event = async () => ({ url: of('second') });
    await playStory({ url: of('first'), without: ['database'], event, written: [1] });
  }));

test("an earlier copy of the server's files in their place: all rows are compared, and it goes wrong without the check", () =>
  withServer({}, async server => {
    const { dataFolder: data, url } = server;
    await server.stop();
    await copy('cp', ['-a', data, `${data}.kept`]);
    await server.start();
    await sql(url, CHANGE);
    const event = async (): Promise<undefined> => {
      await server.stop();
      await copy('rm', ['-r', data]);
      await copy('mv', [`${data}.kept`, data]);
      await server.start();
      await sql(url, `update t set v = 'other' where id = 2`);
      await burn(url, 20);
    };
    await playStory({ url, without: ['start'], event, written: [1, 2] });
  }));

test('a crash that loses a commit that was seen: all rows are compared, and it goes wrong without the check', () =>
  withServer({ settings: { synchronous_commit: 'off', wal_writer_delay: '10s' } }, async ({ url }) => {
    await sql(url, 'checkpoint');
    await sql(url, `update t set v = 'lost' where id = 1`);
    const event = async (): Promise<undefined> => {
      const writer = `select pid from pg_stat_activity where backend_type = 'background writer'`;
      process.kill(Number(await ask(url, writer)), 'SIGKILL');
      await untilRecovered(url);
      await burn(url, 20);
    };
    await playStory({ url, without: ['recovery'], event, written: [1] });
  }));

test('another server with the same table: all rows are compared, and it goes wrong without the check', () =>
  withServer({ ownIdentity: true }, ({ url }) =>
    withServer({ ownIdentity: true }, async other => {
      await sql(url, CHANGE);
      const event = async () => {
        await burn(other.url, 20);
        return { url: other.url };
      };
      const beside = ['start', 'recovery'] as const;
      await playStory({ url, without: ['system'], beside, event, written: [1] });
    }),
  ));

test('a row that was written three quarters of the circle ago: all rows are compared, and it goes wrong without the check', t =>
  withServer({}, async server => {
    const { url } = server;
    const begin = BigInt(await ask(url, 'pg_current_xact_id()')) + 100n;
    if (!(await server.runProgram('pg_resetwal', ['--version'])))
      return t.skip('the binaries have no pg_resetwal');
    const event = async (): Promise<undefined> => {
      for (const quarter of [1n, 2n, 3n, 4n]) {
        await moveTo(server, begin + quarter * 2n ** 30n);
        if (quarter === 3n) await sql(url, CHANGE);
      }
    };
    // As if numbers were of 32 bits.
    const forge = { forge: oneCircleLater, reason: /transactions have begun since the oldest/ };
    const beside = ['start', 'recovery'] as const;
    await playStory({ url, without: forge, beside, event, written: [1] });
  }));

const oneCircleLater: Forge = before => ({
  ...before,
  horizon: String(BigInt(before.horizon) + 2n ** 32n),
  next: String(BigInt(before.next) + 2n ** 32n),
});

/** The next transaction has that number; every row is frozen before. */
async function moveTo(server: PostgresServer, next: bigint): Promise<void> {
  const { url, dataFolder } = server;
  await sql(url, 'alter database template0 allow_connections true');
  for (const database of ['template0', 'template1', 'postgres'])
    await sql(url.replace(/\/postgres$/, `/${database}`), 'vacuum (freeze)');
  await server.stop();
  const [epoch, inCircle] = [next >> 32n, BigInt.asUintN(32, next)];
  // A segment of its state has 2^20 transactions of two bits each.
  const name = (inCircle >> 20n).toString(16).toUpperCase().padStart(4, '0');
  const segment = join(dataFolder, 'pg_xact', name);
  await writeFile(segment, Buffer.alloc(2 ** 18), { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const { uid, gid } = await stat(dataFolder);
  await chown(segment, uid, gid);
  await server.runProgram('pg_resetwal', ['-x', String(inCircle), '-e', String(epoch), dataFolder]);
  await server.start();
}

test('on a standby, and when it takes over, a run finds what has changed, or says why it compares all rows', async t => {
  await withServer({ settings: REPLICATED }, async primary => {
    const standby = await primary.startStandby();
    if (standby === undefined) return t.skip('the binaries have no pg_basebackup');
    const { url } = standby;
    const caughtUp = async (): Promise<void> => {
      const at = await ask(primary.url, 'pg_current_wal_lsn()');
      await waitAt(url, `pg_last_wal_replay_lsn() >= '${at}'`);
    };
    try {
      await t.test('what was under way on the primary is found once it has ended', async () => {
        await caughtUp();
        await withRuns({ url }, async runs => {
          assert.equal((await runs.run()).mode, 'full');
          await onServer(primary.url, async writer => {
            await sql(
              primary.url,
              `begin; update t set v = 'prepared' where id = 4; prepare transaction 'two'`,
            );
            await writer.query(`begin; update t set v = 'late' where id = 1`);
            // More than a snapshot holds of one transaction.
            for (let n = 0; n < 70; n++)
              await writer.query(`savepoint s; update t set n = n + 1 where id = 2; release savepoint s`);
            await sql(primary.url, `update t set v = 'soon' where id = 3`);
            await caughtUp();
            const first = await runs.run();
            assert.deepEqual([first.mode, writtenBy(first)], ['xmin', [3]]);
            await burn(primary.url, 5);
            await writer.query('commit');
            await sql(primary.url, `commit prepared 'two'`);
          });
          await caughtUp();
          const second = await runs.run();
          assert.deepEqual([second.mode, writtenBy(second)], ['xmin', [1, 2, 4]]);
        });
      });

      await t.test('one that lags behind the primary of the baseline', () =>
        onServer(primary.url, async writer => {
          await writer.query(`begin; update t set v = 'missing' where id = 1`);
          await sql(primary.url, `update t set v = 'there' where id = 3`);
          await caughtUp();
          await sql(url, 'select pg_wal_replay_pause()');
          await waitAt(url, `pg_get_wal_replay_pause_state() = 'paused'`);
          await writer.query('commit');
          const beside = ['start', 'recovery'] as const;
          const event = async () => ({ url });
          const story = { url: primary.url, without: ['standby'], beside, event, written: [1] } as const;
          await playStory(story).finally(() => sql(url, 'select pg_wal_replay_resume()'));
        }),
      );

      await t.test('one that takes over goes on, after a comparison of all rows', async () => {
        await caughtUp();
        await withRuns({ url }, async runs => {
          await runs.run();
          assert.equal((await runs.run()).mode, 'xmin');
          await sql(url, 'select pg_promote(true)');
          await sql(url, `update t set v = 'since' where id = 5`);
          const first = await runs.run();
          assert.deepEqual([first.mode, writtenBy(first)], ['full', [5]]);
          assert.match(first.reason!, /another timeline|a primary and is a standby/);
          await sql(url, `update t set v = 'later' where id = 5`);
          const second = await runs.run();
          assert.deepEqual([second.mode, writtenBy(second)], ['xmin', [5]]);
        });
      });

      await t.test('one that took over without the last commits', async () => {
        await sql(primary.url, `update t set v = 'never there' where id = 2`);
        const beside = ['start', 'recovery'] as const;
        const event = async () => {
          await burn(url, 20);
          return { url };
        };
        await playStory({ url: primary.url, without: ['timeline'], beside, event, written: [2, 5] });
      });
    } finally {
      await standby.dispose();
    }
  });
});

test('another membership of the role: all rows are compared, and it goes wrong without the check; what it may not do is a reason', () =>
  withServer({}, async ({ url }) => {
    await sql(
      url,
      `alter table t enable row level security; create role reader login; create role more;
       grant select on t to reader;
       create policy few on t to reader using (id < 3); create policy most on t to more using (id = 5)`,
    );
    const reader = url.replace('postgres@', 'reader@');
    const event = async (): Promise<undefined> =>
      void (await sql(url, 'grant more to reader; delete from t where id = 1'));
    const rowSecurity = 'apply';
    await playStory({ url: reader, rowSecurity, without: ['query'], event, written: [5], removed: 1 });

    await sql(url, `alter policy few on t using (id < current_setting('app.first')::int)`);
    await sql(url, `alter role reader set app.first = 3`);
    await withRuns({ url: reader, rowSecurity }, async runs => {
      const { mode, reason } = await runs.run();
      assert.equal(mode, 'full');
      assert.match(reason!, /nothing is known to make .*current_setting/);
    });

    const reasonNow = (): Promise<string | undefined> =>
      withRuns({ url: reader, rowSecurity }, async runs => (await runs.run()).reason);
    await sql(
      url,
      'drop policy few on t; revoke select on t from reader; grant select (id, v, n) on t to reader',
    );
    assert.match((await reasonNow())!, /the table cannot be locked for reading: permission denied/);
    await sql(url, 'grant select on t to reader; revoke execute on function pg_control_system() from public');
    assert.match((await reasonNow())!, /the role may not see which server this is/);
  }));

test('rows that replication applies are found, and a table that moves to another place is compared', () =>
  withServer({ settings: { wal_level: 'logical', max_wal_senders: '4' } }, async ({ url, dataFolder }) => {
    const publisher = url.replace(/\/postgres$/, '/publisher');
    await sql(url, 'create database publisher');
    await sql(publisher, `${FILL}; create publication changes for table t`);
    // A server waits for itself where the subscription makes the slot.
    await sql(publisher, `select pg_create_logical_replication_slot('changes', 'pgoutput')`);
    const from = `host=127.0.0.1 port=${new URL(url).port} user=postgres dbname=publisher`;
    const slot = `create_slot = false, slot_name = changes, copy_data = false`;
    await sql(url, `create subscription changes connection '${from}' publication changes with (${slot})`);
    const place = `${dataFolder}.place`;
    const { uid, gid } = await stat(dataFolder);
    await mkdir(place);
    await chown(place, uid, gid);
    await sql(url, `create tablespace other location '${place}'`);
    await withRuns({ url }, async runs => {
      await runs.run();
      await sql(publisher, `${CHANGE}; update t set n = 0 where id = 2; delete from t where id = 3`);
      await waitAt(url, 'not exists (select from t where id = 3)');
      const applied = await runs.run();
      assert.deepEqual([applied.mode, writtenBy(applied), applied.counts.removed], ['xmin', [1, 2], 1]);
      await sql(url, 'alter table t set tablespace other');
      const moved = await runs.run();
      assert.match(moved.reason!, /rewritten/);
      assert.deepEqual(writtenBy(moved), []);
    });
    await sql(url, 'alter subscription changes disable');
  }));

const waitAt = (url: string, condition: string): Promise<void> =>
  sql(url, `do $$ begin while not ${condition} loop perform pg_sleep(0.01); end loop; end $$`);

/** The postmaster stays; it ends all sessions, and starts again. */
async function untilRecovered(url: string): Promise<void> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline; ) {
    const kept = await ask(url, `select v from t where id = 1`).catch(() => 'lost');
    if (kept !== 'lost') return;
  }
  throw new Error('the commit was not lost');
}
