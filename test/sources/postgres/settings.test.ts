import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { getPostgres, type TestDatabase, type TestPostgres } from '../../support/postgres.ts';
import { createSource, poll, readAll, rejectsWith } from './support.ts';

let postgres: TestPostgres;
let db: TestDatabase;
before(async () => {
  postgres = await getPostgres();
  db = await postgres.createDatabase();
});
after(() => db.drop());

/** Values whose text depends on settings of the session. */
const SENSITIVE = `select timestamptz '2025-02-01 00:00:00.123456Z' as a, date '2025-12-31' as b,
  interval '1 year 2 days 03:04:05.6' as c, 0.1::float8 + 0.2::float8 as d, 0.1::real as e,
  '\\xdeadbeef'::bytea as f, 'žluťoučký 🙂' as g, timestamp '0044-03-15 BC' as h, timetz '10:00+02' as i,
  tstzrange('2025-02-01 00:00Z', null) as j, array[date '2025-12-31'] as k, 'pg_catalog.pg_class'::regclass as l`;

test('hostile defaults of a database change neither bytes nor types', async () => {
  const hostile = await postgres.createDatabase({
    settings: {
      DateStyle: 'SQL, DMY',
      TimeZone: 'Asia/Kathmandu',
      IntervalStyle: 'sql_standard',
      extra_float_digits: '-15',
      bytea_output: 'escape',
      client_encoding: 'LATIN1',
      row_security: 'on',
      default_transaction_read_only: 'off',
      default_transaction_isolation: 'read committed',
      search_path: 'nowhere, public',
      quote_all_identifiers: 'on',
      synchronize_seqscans: 'on',
      idle_in_transaction_session_timeout: '1',
      xmloption: 'document',
    },
  });
  try {
    const usual = await readAll(db.url, SENSITIVE);
    const other = await readAll(hostile.url, SENSITIVE);
    assert.deepEqual(other, usual);
    assert.deepEqual(usual.rows[0]!.slice(0, 8), [
      '2025-02-01 00:00:00.123456+00',
      '2025-12-31',
      '1 year 2 days 03:04:05.6',
      '0.30000000000000004',
      '0.1',
      '\\xdeadbeef',
      'žluťoučký 🙂',
      '0044-03-15 00:00:00 BC',
    ]);
  } finally {
    await hostile.drop();
  }
});

test('a model may rely on the search_path of its database', async () => {
  await db.sql(`create schema own; create table own.things as select 7 as id`);
  await db.sql(`alter database ${db.name} set search_path = own, public`);
  assert.deepEqual((await readAll(db.url, 'select id from things')).rows, [['7']]);
  await db.sql(`alter database ${db.name} reset search_path`);
});

test('a policy that would hide rows is an error, never fewer rows', async () => {
  await db.sql(`create table secrets as select 1 as id; alter table secrets enable row level security;
    create policy none on secrets using (false); create role watched_${db.name} login;
    grant select on secrets to watched_${db.name}`);
  const url = new URL(db.url);
  url.username = `watched_${db.name}`;
  try {
    const error = await rejectsWith(readAll(url.href, 'select id from secrets'), 'SOURCE_PERMISSION');
    assert.match(error.message, /row-level security policy for table "secrets"/);
    assert.match(error.hint, /rowSecurity: apply/);
    await db.sql(`drop policy none on secrets; create policy first on secrets using (id = 1);
      insert into secrets values (2)`);
    const applied = await readAll(url.href, 'select id from secrets', { rowSecurity: 'apply' });
    assert.deepEqual(applied.rows, [['1']]);
  } finally {
    await db.sql(`drop table secrets; drop role watched_${db.name}`);
  }
});

describe('timeouts', () => {
  test('statementTimeoutMs and lockTimeoutMs hold', async () => {
    const slow = readAll(db.url, 'select pg_sleep(30)::text as id', { statementTimeoutMs: 500 });
    const error = await rejectsWith(slow, 'SOURCE_QUERY_CANCELLED');
    assert.match(error.message, /statement timeout/);

    await db.sql('create table held (id int)');
    const holder = await db.connect();
    await holder.query('begin; lock table held');
    const locked = await rejectsWith(
      readAll(db.url, 'select id from held', { lockTimeoutMs: 200 }),
      'SOURCE_QUERY_CANCELLED',
    );
    assert.match(locked.message, /lock timeout/);
    for (const [limited, key] of [
      [error, /statementTimeout: none/],
      [locked, /lockTimeout: none/],
    ] as const) {
      assert.deepEqual([limited.retryable, limited.exitCode], [false, 1]);
      assert.match(limited.hint, key);
    }
    await holder.end();
  });

  test('0 keeps what the role has set, another number goes before it', async () => {
    const role = `hasty_${db.name}`;
    await db.sql(`create role ${role} login; alter role ${role} set statement_timeout = '700ms'`);
    const url = new URL(db.url);
    url.username = role;
    try {
      const sql = `select current_setting('statement_timeout') as setting`;
      assert.deepEqual((await readAll(url.href, sql)).rows, [['700ms']]);
      assert.deepEqual((await readAll(url.href, sql, { statementTimeoutMs: 90_000 })).rows, [['90s']]);
      const none = { statementTimeoutMs: 'none', lockTimeoutMs: 'none' } as const;
      assert.deepEqual((await readAll(url.href, sql, none)).rows, [['0']]);
      await rejectsWith(readAll(url.href, 'select pg_sleep(30)::text as id'), 'SOURCE_QUERY_CANCELLED');
    } finally {
      await db.sql(`drop role ${role}`);
    }
  });
});

test('a server of another language says what cancelled a query', async () => {
  // Catches what the server reports and says it in German; the rest of the error is the
  // server's.
  await db.sql(`create function sleep_in_german() returns text language plpgsql as $$ begin
    perform pg_sleep(30); return '';
    exception when query_canceled then raise exception using errcode = 'query_canceled',
      message = 'storniere Anfrage wegen Zeitüberschreitung der Anfrage'; end $$`);
  const sql = 'select sleep_in_german() as id';
  const limited = new URL(db.url);
  limited.searchParams.set('options', '-c statement_timeout=300ms');
  for (const [url, options] of [
    [db.url, { statementTimeoutMs: 300 }],
    [limited.href.replaceAll('+', '%20'), {}],
    [db.url, { statementTimeoutMs: 300, fetchSize: 1 }],
  ] as const) {
    const error = await rejectsWith(readAll(url, sql, options), 'SOURCE_QUERY_CANCELLED');
    assert.match(error.hint, /statementTimeout: none/);
    assert.deepEqual([error.retryable, error.exitCode], [false, 1]);
  }

  const reading = readAll(db.url, sql, { statementTimeoutMs: 60_000 });
  await poll(
    db,
    'the query to be cancelled',
    `exists (select from pg_stat_activity
      where case when wait_event = 'PgSleep' and datname = current_database() then pg_cancel_backend(pid) end)`,
  );
  const cancelled = await rejectsWith(reading, 'SOURCE_QUERY_CANCELLED');
  assert.match(cancelled.hint, /^somebody cancelled/);
  assert.equal(cancelled.retryable, true);
  await db.sql('drop function sleep_in_german');
});

test('a limit on temporary files is no passing fault', async () => {
  const url = new URL(db.url);
  url.searchParams.set('options', '-c temp_file_limit=64kB -c work_mem=64kB');
  const sql = 'select id::text || repeat($$x$$, 100) as id from generate_series(1, 50000) id order by 1 desc';
  const error = await rejectsWith(readAll(url.href.replaceAll('+', '%20'), sql), 'SOURCE_RATE_LIMIT');
  assert.match(error.message, /temporary file size exceeds temp_file_limit/);
  assert.deepEqual([error.retryable, error.exitCode], [false, 1]);
  assert.match(error.hint, /alter role … set temp_file_limit/);
});

test('takes the host whose session is of the wanted kind', async () => {
  const { port } = new URL(db.url);
  const at = (hosts: string, query: string): string => `postgres://postgres@${hosts}/${db.name}?${query}`;
  const one = async (url: string): Promise<unknown> => (await readAll(url, 'select 1 as id')).rows[0]?.[0];
  assert.equal(await one(at(`127.0.0.1:1,127.0.0.1:${port}`, 'target_session_attrs=read-write')), '1');
  assert.equal(await one(at(`127.0.0.1:${port}`, 'target_session_attrs=prefer-standby')), '1');
  assert.equal(await one(at(`127.0.0.1:${port},127.0.0.1:1`, 'target_session_attrs=primary')), '1');
  const readOnly = '&options=-c%20default_transaction_read_only%3Don';
  assert.equal(await one(at(`127.0.0.1:${port}`, `target_session_attrs=read-only${readOnly}`)), '1');
  const refused = readAll(at(`127.0.0.1:${port}`, 'target_session_attrs=standby'), 'select 1 as id');
  assert.match(
    (await rejectsWith(refused, 'SOURCE_CONNECT_FAILED')).message,
    /target_session_attrs is standby, and the session is a primary/,
  );
  const all = readAll(at('127.0.0.1:1,localhost:1', ''), 'select 1 as id');
  assert.match(
    (await rejectsWith(all, 'SOURCE_CONNECT_FAILED')).message,
    /^connecting to source warehouse: 127\.0\.0\.1:1: .*; localhost:1: /,
  );
});

describe('only reads', () => {
  before(() =>
    db.sql(`create table stock as select 1 as id; create sequence numbers;
      create function writes() returns int language sql volatile as 'insert into public.stock values (2) returning id';
      create function unlocks() returns text language plpgsql as $$
        begin set transaction read write; insert into stock values (3); return 'written'; end $$`),
  );

  const refused: readonly (readonly [string, string])[] = [
    ['insert returning', 'insert into stock values (9) returning id'],
    ['update returning', 'update stock set id = 9 returning id'],
    ['delete', 'delete from stock'],
    ['a delete in with', 'with gone as (delete from stock returning id) select id from gone'],
    ['a function that writes', 'select writes() as id'],
    ['a function that makes the transaction writable', 'select unlocks() as id'],
    ['nextval', `select nextval('numbers') as id`],
    ['setval', `select setval('numbers', 5) as id`],
    ['for update', 'select id from stock for update'],
    ['select into', 'select id into copy from stock'],
    ['create table as', 'create table copy as select 1 as id'],
    ['drop table', 'drop table stock'],
    ['commit', 'commit'],
    ['copy', 'copy stock to stdout'],
    ['a block', 'do $$ begin delete from stock; end $$'],
    ['explain', 'explain select id from stock'],
    ['explain analyze of a write', 'explain analyze insert into stock values (9)'],
    ['show', 'show server_version'],
    ['nothing', ''],
    ['only a comment', '-- nothing'],
    ['two statements', 'select 1 as id; select 2 as id'],
    ['a write behind a read', 'select 1 as id; delete from stock'],
    ['a commit before a write', 'commit; delete from stock'],
  ];
  for (const [what, sql] of refused) {
    test(`refuses ${what}`, async () => {
      const error = await rejectsWith(readAll(db.url, sql), 'SOURCE_NOT_READ_ONLY');
      assert.equal(error.category, 'configuration');
      assert.equal(error.retryable, false);
    });
  }

  test('refuses statements that hide in the filter', async () => {
    const filters = [
      ['true); delete from stock; select (1', 'SOURCE_NOT_READ_ONLY'],
      ['true); commit; delete from stock; select (1', 'SOURCE_NOT_READ_ONLY'],
      ['true); delete from stock; --', 'SOURCE_QUERY_INVALID'],
      ['writes() > 0', 'SOURCE_NOT_READ_ONLY'],
      ['id in (delete from stock returning id)', 'SOURCE_QUERY_INVALID'],
    ] as const;
    for (const [where, code] of filters) {
      const error = await rejectsWith(readAll(db.url, 'select id from stock', { where }), code);
      assert.equal(error.retryable, false);
    }
  });

  test('has let nothing be written', async () => {
    const sql = `select array(select id from stock)::text as stock, (select is_called from numbers) as called,
      to_regclass('copy') is null as absent`;
    assert.deepEqual(await db.sql(sql), [{ stock: '{1}', called: false, absent: true }]);
  });

  test('a parameter in a model is an error of the query, and not worth a retry', async () => {
    for (const where of [undefined, 'id = $1']) {
      const model = where === undefined ? 'select id from stock where id = $1' : 'select id from stock';
      const error = await rejectsWith(readAll(db.url, model, { where }), 'SOURCE_QUERY_INVALID');
      assert.match(error.message, /parameter/);
      assert.equal(error.retryable, false);
    }
  });

  test('the transaction is read only and repeatable, under the name of the application', async () => {
    const sql = `select current_setting('transaction_read_only') as a, current_setting('transaction_isolation') as b,
      current_setting('application_name') as c`;
    const { rows } = await readAll(db.url, sql, { applicationName: 'sluice nightly' });
    assert.deepEqual(rows, [['on', 'repeatable read', 'sluice nightly']]);
  });

  test('a closed source leaves no transaction behind', async () => {
    const applicationName = 'sluice leaves';
    const source = createSource(db.url, 'select id from stock', { applicationName });
    await source.describe();
    await source.close();
    const sql = `select count(*)::int as n from pg_stat_activity where application_name = $1`;
    for (let tries = 0; tries < 200; tries += 1) {
      const [row] = await db.sql<{ n: number }>(sql, [applicationName]);
      if (row!.n === 0) return;
    }
    assert.fail('the session is still there');
  });
});
