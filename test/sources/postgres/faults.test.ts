import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { ErrorCode } from '../../../src/errors.ts';
import { everyNth } from '../../support/all-cases.ts';
import {
  getPostgres,
  type PrivatePostgres,
  startPrivatePostgres,
  type TestDatabase,
} from '../../support/postgres.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import {
  backPressured,
  createSource,
  pidOf,
  poll,
  type Reading,
  readAll,
  rejectsWith,
  startFlow,
  startReading,
} from './support.ts';

let db: TestDatabase;
before(async () => {
  db = await (await getPostgres()).createDatabase();
});
after(() => db.drop());

/** Fails with division by zero at row `n`; about 100 bytes a row. */
const failingAt = (n: number): string =>
  `select 1 / (${n} - id) as id, repeat('x', 90) as filler from (select generate_series(1, 2000000) as id) rows`;

for (const fetchSize of [0, 7, 1000]) {
  for (const n of fetchSize === 7 ? [1, 2, 50] : [1, 2, 50, 200_000]) {
    test(`an error at row ${n} fails the flow, fetchSize ${fetchSize}`, async () => {
      const reading = await startFlow(db.url, { open: true, sql: failingAt(n), fetchSize });
      const error = await rejectsWith(reading.flowing, 'SOURCE_QUERY_FAILED');
      assert.match(error.message, /^reading model customers: division by zero \(SQLSTATE 22012\)/);
      assert.equal(error.retryable, false);
      assert.ok(reading.gate.rows < n);
      await reading.source.close();
    });
  }

  test(`an error after megabytes fails a flow that was back-pressured, fetchSize ${fetchSize}`, async () => {
    const reading = await startReading(db.url, {
      open: false,
      sql: failingAt(fetchSize === 7 ? 10_000 : 100_000),
      fetchSize,
    });
    reading.gate.open();
    await rejectsWith(reading.flowing, 'SOURCE_QUERY_FAILED');
    await reading.source.close();
  });
}

test('an error that arrived before a consumer attached is told to the consumer', async () => {
  // The planner calls it at bind, and it fails as soon as somebody holds the lock.
  await db.sql(`create function trap() returns int immutable language plpgsql as $$ begin
    if exists (select from pg_locks where locktype = 'advisory' and objid = 4711) then raise 'sprung'; end if;
    return 1; end $$`);
  const applicationName = 'sluice trapped';
  const source = createSource(db.url, 'select trap() as id', { applicationName });
  const { columns } = await source.describe();
  const holder = await db.connect();
  await holder.query('select pg_advisory_lock(4711)');
  const stream = source.read(columns);
  const aborted = `exists (select from pg_stat_activity where application_name = '${applicationName}'
    and state = 'idle in transaction (aborted)')`;
  await poll(db, 'the transaction aborted', aborted);
  const error = await rejectsWith(stream.toArray(), 'SOURCE_QUERY_FAILED');
  assert.match(error.message, /^reading model customers: sprung \(SQLSTATE P0001\)/);
  await source.close();
  await holder.end();
});

test('a connection lost before a consumer attached is told to the consumer', async () => {
  const proxy = await startTcpProxy(db.url);
  const source = createSource(proxy.through(db.url), 'select 1 as id');
  const { columns } = await source.describe();
  const stream = source.read(columns);
  proxy.cut();
  await proxy.idle();
  await db.sql('select 1');
  await rejectsWith(stream.toArray(), 'SOURCE_CONNECTION_LOST');
  await source.close();
  await proxy.close();
});

test('a session ended between describe and read is told with its reason', async () => {
  const reading = { applicationName: 'sluice idle' };
  const source = createSource(db.url, 'select 1 as id', reading);
  const { columns } = await source.describe();
  await db.sql('select pg_terminate_backend($1)', [await pidOf(db, reading)]);
  const error = await rejectsWith(source.read(columns).toArray(), 'SOURCE_CONNECTION_LOST');
  assert.match(error.message, /administrator command|lost|closed|terminated/);
  await source.close();
});

for (const open of [true, false]) {
  const state = open ? 'while reading' : 'while back-pressured';

  const strike = async (
    fault: (reading: Reading) => Promise<unknown>,
    code: ErrorCode,
    options: Parameters<typeof startReading>[1] = { open },
    { url = db.url, retryable = true } = {},
  ): Promise<void> => {
    const reading = await startReading(url, options);
    if (!open) await backPressured(db, reading);
    await fault(reading);
    reading.gate.open();
    const error = await rejectsWith(reading.flowing, code);
    assert.equal(error.retryable, retryable);
    await reading.source.close();
  };

  test(`pg_terminate_backend ${state}`, () =>
    strike(
      async reading => db.sql('select pg_terminate_backend($1)', [await pidOf(db, reading)]),
      'SOURCE_CONNECTION_LOST',
    ));

  test(`pg_cancel_backend ${state}`, () =>
    strike(
      async reading => db.sql('select pg_cancel_backend($1)', [await pidOf(db, reading)]),
      'SOURCE_QUERY_CANCELLED',
    ));

  test(`pg_terminate_backend ${state}, with a fetch size`, () =>
    strike(
      async reading => db.sql('select pg_terminate_backend($1)', [await pidOf(db, reading)]),
      'SOURCE_CONNECTION_LOST',
      { open, fetchSize: 50_000 },
    ));

  test(`statement_timeout ${state}`, () =>
    strike(
      () => db.sql('select pg_sleep(0.6)'),
      'SOURCE_QUERY_CANCELLED',
      { open, statementTimeoutMs: 500 },
      { retryable: false },
    ));

  test(`the connection cut ${state}`, async () => {
    const proxy = await startTcpProxy(db.url);
    await strike(async () => proxy.cut(), 'SOURCE_CONNECTION_LOST', { open }, { url: proxy.through(db.url) });
    await proxy.close();
  });

  test(`a network that swallows everything ${state}`, async () => {
    const proxy = await startTcpProxy(db.url);
    const options = { open, inactivityTimeoutMs: 500, connectTimeoutMs: 2_000 };
    await strike(async () => proxy.blackHole(), 'SOURCE_TIMEOUT', options, { url: proxy.through(db.url) });
    await proxy.close();
  });
}

test('a sink that stops for longer than the inactivity timeout does not fail the flow', async () => {
  const sql = `select generate_series(1, 40000) as id, repeat('x', 500) as filler`;
  const reading = await startReading(db.url, { open: false, sql, inactivityTimeoutMs: 500 });
  await backPressured(db, reading);
  await db.sql('select pg_sleep(1)');
  reading.gate.open();
  assert.deepEqual(await reading.flowing, { rows: 40_000 });
  assert.equal(reading.gate.rows, 40_000);
  await reading.source.close();
});

test('a server that computes for longer than the inactivity timeout fails the flow', async () => {
  const sql = 'select pg_sleep(30)::text as id';
  const reading = await startFlow(db.url, { open: true, sql, inactivityTimeoutMs: 500 });
  const error = await rejectsWith(reading.flowing, 'SOURCE_TIMEOUT');
  assert.match(error.message, /^reading model customers: the source sent nothing for 0\.5 s after 0 rows$/);
  await reading.source.close();
});

test('a stopped or killed server fails the flows that read and those that are back-pressured', async () => {
  const server: PrivatePostgres = await startPrivatePostgres();
  try {
    const own = await server.createDatabase();
    for (const how of ['fast', 'immediate', 'kill'] as const) {
      const reading = await startReading(own.url, { open: true });
      const stalled = await startReading(own.url, { open: false });
      await backPressured(own, stalled);
      const stopped = how === 'kill' ? server.kill() : server.stop(how);
      await rejectsWith(reading.flowing, 'SOURCE_CONNECTION_LOST');
      stalled.gate.open();
      await rejectsWith(stalled.flowing, 'SOURCE_CONNECTION_LOST');
      await stopped;
      await Promise.all([reading.source.close(), stalled.source.close()]);
      const refused = readAll(own.url, 'select 1 as id');
      const error = await rejectsWith(refused, 'SOURCE_CONNECT_FAILED');
      assert.match(error.message, /ECONNREFUSED/);
      await server.start();
    }
    assert.deepEqual((await readAll(own.url, 'select 1 as id')).rows, [['1']]);
  } finally {
    await server.dispose();
  }
});

describe('between the last row and the commit', () => {
  const readToEnd = async (url: string, inactivityTimeoutMs = 60_000) => {
    const reading = { applicationName: 'sluice at the end' };
    const source = createSource(url, 'select generate_series(1, 10) as id', {
      ...reading,
      inactivityTimeoutMs,
      connectTimeoutMs: 2_000,
    });
    const { columns } = await source.describe();
    assert.equal((await source.read(columns).toArray()).length, 1);
    return { source, reading };
  };

  test('a lost connection fails finish', async () => {
    const proxy = await startTcpProxy(db.url);
    const { source } = await readToEnd(proxy.through(db.url));
    proxy.cut();
    await rejectsWith(source.finish(), 'SOURCE_CONNECTION_LOST');
    await source.close();
    await proxy.close();
  });

  test('an ended session fails finish', async () => {
    const { source, reading } = await readToEnd(db.url);
    await db.sql('select pg_terminate_backend($1)', [await pidOf(db, reading)]);
    await rejectsWith(source.finish(), 'SOURCE_CONNECTION_LOST');
    await source.close();
  });

  test('a network that swallows the commit fails finish after the inactivity timeout', async () => {
    const proxy = await startTcpProxy(db.url);
    const { source } = await readToEnd(proxy.through(db.url), 500);
    proxy.blackHole();
    const error = await rejectsWith(source.finish(), 'SOURCE_TIMEOUT');
    assert.match(error.message, /^ending the snapshot of model customers: /);
    await source.close();
    await proxy.close();
  });
});

describe('while the model is prepared', () => {
  test('a network that swallows the answer fails describe after the inactivity timeout', async () => {
    const proxy = await startTcpProxy(db.url);
    await db.sql('create table locked (id int)');
    const holder = await db.connect();
    await holder.query('begin; lock table locked');
    const source = createSource(proxy.through(db.url), 'select id from locked', {
      applicationName: 'sluice waits',
      inactivityTimeoutMs: 500,
    });
    const error = await rejectsWith(source.describe(), 'SOURCE_TIMEOUT');
    assert.match(error.message, /^preparing model customers: /);
    await source.close();
    await holder.end();
    await proxy.close();
  });

  test('a connection lost at any byte of the preparation fails describe', async () => {
    // Without a first attempt to encrypt, behind which there is another connection.
    const url = `${db.url}?sslmode=disable`;
    const whole = await startTcpProxy(url);
    const complete = createSource(whole.through(url), 'select 1 as id');
    await complete.describe();
    const total = whole.bytes.toClient;
    await complete.close();
    await whole.close();
    for (const bytes of everyNth(5, cutsBelow(total))) {
      const proxy = await startTcpProxy(db.url);
      proxy.cutAfter(bytes);
      const source = createSource(proxy.through(url), 'select 1 as id', { inactivityTimeoutMs: 5_000 });
      await assert.rejects(source.describe(), (error: { code: string }) =>
        ['SOURCE_CONNECTION_LOST', 'SOURCE_CONNECT_FAILED'].includes(error.code),
      );
      await source.close();
      await proxy.close();
    }
  });
});

test('a connection cut at any byte of the rows and the commit never ends as success', async () => {
  const sql = 'select generate_series(1, 30) as id';
  for (const fetchSize of [0, 10]) {
    const measure = async (cutAfter: number): Promise<number> => {
      const proxy = await startTcpProxy(db.url);
      const source = createSource(proxy.through(db.url), sql, { fetchSize });
      try {
        const { columns } = await source.describe();
        const before = proxy.bytes.toClient;
        if (cutAfter >= 0) proxy.cutAfter(cutAfter);
        const act = async (): Promise<void> => {
          await source.read(columns).toArray();
          await source.finish();
        };
        if (cutAfter >= 0) await rejectsWith(act(), 'SOURCE_CONNECTION_LOST');
        else await act();
        return proxy.bytes.toClient - before;
      } finally {
        await source.close();
        await proxy.close();
      }
    };
    const total = await measure(-1);
    for (const bytes of everyNth(7, cutsBelow(total))) await measure(bytes);
  }
});

/** Every third byte, so that the cuts fall into each part of a message. */
function cutsBelow(total: number): number[] {
  return Array.from({ length: Math.floor((total - 1) / 3) }, (_, index) => 1 + 3 * index);
}
