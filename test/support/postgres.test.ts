import assert from 'node:assert/strict';
import { test } from 'node:test';
import type pg from 'pg';
import { getPostgres, startPrivatePostgres } from './postgres.ts';

test('gives every database a name of its own and drops it with its sessions', async () => {
  const postgres = await getPostgres();
  const [one, two] = await Promise.all([postgres.createDatabase(), postgres.createDatabase()]);
  assert.notEqual(one.name, two.name);
  await one.sql('create table t (a int); insert into t values (1), (2)');
  assert.deepEqual(await one.sql('select a from t where a > $1', [1]), [{ a: 2 }]);
  await assert.rejects(two.sql('select a from t'), { code: '42P01' });

  const session = await one.connect();
  const lost = ended(session);
  await Promise.all([one.drop(), two.drop(), lost]);
  await assert.rejects(one.sql('select 1'), { code: '3D000' });
});

test('statements share a session that is as good as new each time', async () => {
  const postgres = await getPostgres();
  const db = await postgres.createDatabase({ settings: { TimeZone: 'Asia/Kathmandu' } });
  const session = async (): Promise<number> =>
    (await db.sql<{ pid: number }>('select pg_backend_pid() as pid'))[0]!.pid;
  const first = await session();
  await db.sql("set timezone = 'UTC'; create temp table temporary (a int)");
  assert.equal(await session(), first);
  assert.deepEqual(await db.sql('show timezone'), [{ TimeZone: 'Asia/Kathmandu' }]);
  await assert.rejects(db.sql('select from temporary'), { code: '42P01' });

  await db.sql('create table kept (a int)');
  await db.sql('begin; insert into kept values (1)');
  assert.deepEqual(await db.sql('select from kept'), [], 'a transaction that was left open has ended');

  const [one, two] = await Promise.all([session(), session()]);
  assert.notEqual(one, two, 'what runs at the same time has sessions of its own');
  await db.drop();
});

test('sets the session defaults that a test asks for', async () => {
  const postgres = await getPostgres();
  const db = await postgres.createDatabase({
    settings: { TimeZone: 'Asia/Kathmandu', DateStyle: 'SQL, DMY' },
  });
  assert.deepEqual(await db.sql("select timestamptz '2025-02-01 00:00Z'::text as t"), [
    { t: '01/02/2025 05:45:00 +0545' },
  ]);
  await db.drop();
});

test('a private server keeps its data and its URL over a stop, a kill and a restart', async () => {
  const postgres = await startPrivatePostgres({ settings: { max_connections: '7' } });
  const { url } = postgres;
  const db = await postgres.createDatabase();
  await db.sql('create table t as select 1 as a');

  await postgres.stop('fast');
  assert.equal(postgres.running, false);
  await assert.rejects(db.sql('select 1'), { code: 'ECONNREFUSED' });
  await postgres.start();
  assert.deepEqual(await db.sql('select a from t'), [{ a: 1 }]);

  const session = await db.connect();
  const lost = ended(session);
  const sleeping = assert.rejects(session.query('select pg_sleep(600)'));
  await postgres.kill();
  await Promise.all([lost, sleeping]);
  await postgres.start();
  assert.equal(postgres.url, url);
  assert.deepEqual(await db.sql('select a from t'), [{ a: 1 }]);
  assert.deepEqual(await db.sql('show max_connections'), [{ max_connections: '7' }]);
  await postgres.dispose();
  assert.equal(postgres.running, false);
});

test('starts the packaged binaries where no server is installed', async () => {
  const postgres = await startPrivatePostgres({ binaries: 'packaged' });
  const db = await postgres.createDatabase();
  const [row] = await db.sql<{ version: string }>("select current_setting('server_version') as version");
  assert.match(row?.version ?? '', /^18/);
  await postgres.dispose();
});

/** `once(client, 'end')` would reject: a lost session emits an error first. */
function ended(session: pg.Client): Promise<void> {
  return new Promise(resolve => {
    session.on('end', () => resolve());
  });
}
