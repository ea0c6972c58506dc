import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ForgetfulPooler, startForgetfulPooler } from '../../support/forgetful-pooler.ts';
import { getPostgres, type TestDatabase } from '../../support/postgres.ts';
import { createSource, gone, poll, readAll, rejectsWith, startFlow } from './support.ts';

let db: TestDatabase;
let pooler: ForgetfulPooler;
before(async () => {
  db = await (await getPostgres()).createDatabase();
  pooler = await startForgetfulPooler(db.url);
});
after(async () => {
  await pooler.close();
  await db.drop();
});

/** No row before a minute of work. */
const LONG_SORT = `select sum(a.id) over (order by md5(a.id::text || b.id)) as id
  from generate_series(1, 20000) a(id), generate_series(1, 20000) b(id)`;

const sorting = (applicationName: string): string =>
  `exists (select from pg_stat_activity where application_name = '${applicationName}'
    and state = 'active' and wait_event is distinct from 'ClientRead' and query like '%over (order by%')`;

test('a run that is cancelled behind a pooler leaves no query running', async () => {
  const reading = await startFlow(pooler.through(db.url), { open: true, sql: LONG_SORT });
  await poll(db, 'the sort running', sorting(reading.applicationName));
  reading.abort.abort();
  await assert.rejects(reading.flowing, { name: 'AbortError' });
  await reading.source.close();
  await poll(db, 'the sort ended', `not ${sorting(reading.applicationName)}`);
  assert.deepEqual(pooler.cancellations, { passed: 1, dropped: 0 });
});

test('a query that sends nothing for too long is ended behind a pooler too', async () => {
  const reading = await startFlow(pooler.through(db.url), {
    open: true,
    sql: LONG_SORT,
    inactivityTimeoutMs: 300,
  });
  await rejectsWith(reading.flowing, 'SOURCE_TIMEOUT');
  await reading.source.close();
  await poll(db, 'the sort ended', `not ${sorting(reading.applicationName)}`);
});

test('the server looks whether a client that was killed is still there', async () => {
  const [version] = await db.sql<{ number: number }>(
    `select current_setting('server_version_num')::int as number`,
  );
  const sql = `select coalesce(current_setting('client_connection_check_interval', true), '-') as interval`;
  const { rows } = await readAll(db.url, sql);
  assert.deepEqual(rows, [[version!.number >= 140_000 ? '2s' : '-']]);
});

test('a connection that closes while it is cancelled is closed once', async () => {
  const reading = await startFlow(db.url, { open: true, sql: LONG_SORT });
  await poll(db, 'the sort running', sorting(reading.applicationName));
  reading.abort.abort();
  await Promise.all([reading.source.close(), reading.source.close()]);
  await assert.rejects(reading.flowing);
  await gone(db, reading.applicationName);
});

test('what a session is connected to is told', async () => {
  const source = createSource(db.url, 'select 1 as id');
  const { connection } = await source.describe();
  await source.close();
  assert.match(connection ?? '', /^127\.0\.0\.1:\d+, not encrypted$/);
});
