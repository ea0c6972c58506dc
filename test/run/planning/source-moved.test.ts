import assert from 'node:assert/strict';
import test from 'node:test';
import type { RunRecord } from '../../../src/history/run-record.ts';
import { type Exporter, withExporter } from '../../support/exporter.ts';
import { getPostgres, onServer, startPrivatePostgres } from '../../support/postgres.ts';
import { PostgresServer } from '../../support/postgres-server.ts';

const DELTA = { runType: 'full_then_delta', fileName: '{run}' };
const REPLICATED = { wal_level: 'replica', max_wal_senders: '4', hot_standby: 'on' };

/** The activation with that server as its source. */
function from(
  exporter: Exporter,
  url: string,
  settings: Record<string, unknown>,
): ReturnType<Exporter['activation']> {
  return exporter.activation({ ...DELTA, source: { url }, ...settings });
}

const outcome = ({ state, reason, full, warnings }: RunRecord): unknown[] => [
  state,
  reason,
  full,
  warnings.map(({ code }) => code),
];

test('a standby that lags behind holds the run, until it has caught up; after it has taken over deltas go on', async t => {
  const primary = await PostgresServer.start({ settings: REPLICATED });
  let standby: PostgresServer | undefined;
  try {
    await onServer(primary.url, client =>
      client.query(`create table t (id int primary key, v text);
        insert into t select i, 'a' from generate_series(1, 100) i`),
    );
    standby = await primary.startStandby();
    if (standby === undefined) return t.skip('the binaries have no pg_basebackup');
    const { url } = standby;
    await withExporter(async exporter => {
      const difference = { syncMode: 'difference' };
      const run = async (at: string, settings = {}) => {
        const { record, error } = await exporter.run(from(exporter, at, { ...difference, ...settings }));
        assert.notEqual(record.state, 'failed', String(error));
        return record;
      };
      await onServer(url, client => client.query('select pg_wal_replay_pause()'));
      await onServer(primary.url, client =>
        client.query(
          `insert into t select i, 'b' from generate_series(101, 110) i; update t set v = 'c' where id = 1`,
        ),
      );
      assert.deepEqual(outcome(await run(primary.url)), ['succeeded', undefined, true, []]);

      const behind = await run(url);
      assert.deepEqual(outcome(behind), ['held', 'SOURCE_MOVED', false, ['HELD']]);
      assert.match(behind.warnings[0]!.message, /stands at \S+, behind the baseline, which was read at /);
      assert.match(behind.release!, /once the source has caught up.*`sluice run exported --full`/);
      assert.deepEqual([behind.counts.read, behind.generation], [0, 0]);

      const { rows } = await onServer(primary.url, client =>
        client.query('select pg_current_wal_lsn()::text as at'),
      );
      await onServer(url, async client => {
        await client.query('select pg_wal_replay_resume()');
        // Waits at the server's side, for as long as the standby is behind.
        await client.query(
          `do $$ begin while pg_last_wal_replay_lsn() < '${rows[0].at}' loop perform pg_sleep(0.01); end loop; end $$`,
        );
      });
      const caughtUp = await run(url);
      assert.deepEqual(outcome(caughtUp), ['succeeded', undefined, false, []]);
      assert.equal(caughtUp.counts.written, 0);

      await primary.stop('immediate');
      await onServer(url, client => client.query('select pg_promote(true)'));
      await onServer(url, client => client.query(`delete from t where id = 2`));
      const after = await run(url);
      assert.deepEqual(outcome(after), ['succeeded', undefined, false, ['SOURCE_FAILED_OVER']]);
      assert.deepEqual([after.counts.removed, after.counts.updated], [1, 0]);
      assert.deepEqual(outcome(await run(url)), ['succeeded', undefined, false, []]);
    });
  } finally {
    await standby?.dispose();
    await primary.dispose();
  }
});

test('another server holds the run; a full one then reports what is gone, and insert goes on with its keys', async () => {
  const { url } = await getPostgres();
  const other = await startPrivatePostgres({ ownIdentity: true });
  try {
    await withExporter(async exporter => {
      const fill = `create table t (id int primary key, v text); insert into t select i, 'a' from generate_series(1, 10) i`;
      await exporter.database.sql(fill);
      const database = await other.createDatabase();
      await database.sql(`${fill}; delete from t where id = 1; insert into t values (11, 'new')`);
      assert.notEqual(url, other.url);
      for (const syncMode of ['difference', 'insert']) {
        const settings = { syncMode, name: syncMode };
        await exporter.run(exporter.activation({ ...DELTA, ...settings }));
        const { record: held } = await exporter.run(from(exporter, database.url, settings));
        assert.deepEqual(outcome(held), ['held', 'SOURCE_MOVED', false, ['HELD']]);
        assert.match(held.warnings[0]!.message, /its system identifier is \d+, and was \d+/);
      }
      const { record: full } = await exporter.run(
        from(exporter, database.url, { syncMode: 'difference', name: 'difference' }),
        {
          full: true,
        },
      );
      assert.deepEqual([full.counts.added, full.counts.removed], [10, 1]);
      assert.deepEqual(await exporter.lines(`${full.run}_removed.csv`), ['id,v', '1,a']);
      const insert = from(exporter, database.url, {
        syncMode: 'insert',
        name: 'insert',
        onSourceMoved: 'full',
      });
      const { record } = await exporter.run(insert);
      assert.deepEqual(outcome(record), ['succeeded', undefined, false, ['SOURCE_MOVED']]);
      assert.deepEqual(await exporter.lines(`${record.run}.csv`), ['id,v', '11,new']);

      // A role that may not see where the server stands exports all the same.
      await database.sql(`create role blind login; grant select on t to blind;
        revoke execute on function pg_control_system() from public;
        revoke execute on function pg_current_wal_lsn() from public`);
      const blind = new URL(database.url);
      blind.username = 'blind';
      const { record: unseen } = await exporter.run(
        from(exporter, String(blind), { syncMode: 'insert', name: 'insert' }),
      );
      assert.deepEqual(outcome(unseen), ['succeeded', undefined, false, []]);
      assert.equal((await exporter.manifest('insert'))['position'], undefined);
    });
  } finally {
    await other.dispose();
  }
});
