import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { flow } from '../../../src/pipeline.ts';
import { getPostgres, type TestDatabase } from '../../support/postgres.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import {
  backPressured,
  createSource,
  ENDLESS,
  Gate,
  gone,
  poll,
  readAll,
  rejectsWith,
  startFlow,
  startReading,
  unmapped,
} from './support.ts';

/** No row before 30 seconds of work, which only a cancellation ends. */
const LONG_SORT = `select sum(a.id) over (order by md5(a.id::text || b.id)) as id
  from generate_series(1, 20000) a(id), generate_series(1, 20000) b(id)`;

let db: TestDatabase;
before(async () => {
  db = await (await getPostgres()).createDatabase();
});
after(() => db.drop());

const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
beforeEach(() => {
  process.on('unhandledRejection', onUnhandled);
});
afterEach(async () => {
  await new Promise(setImmediate);
  process.off('unhandledRejection', onUnhandled);
  assert.deepEqual(unhandled.splice(0), []);
});

/** Sockets and timers that keep this process alive, by kind. */
function handles(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) {
    if (/TCP|TLS|Timeout/.test(kind)) counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

async function settled(promise: Promise<unknown>): Promise<{ name: string; code?: string }> {
  return promise.then(
    () => assert.fail('the flow ended as success'),
    (error: Error) => error,
  );
}

describe('an abort of the flow', () => {
  for (const fetchSize of [0, 100]) {
    for (const open of [true, false]) {
      const state = open ? 'while reading' : 'while back-pressured';
      test(`${state}, fetchSize ${fetchSize}: rejects, and nothing of it is left`, async () => {
        const before = handles();
        const reading = await startReading(db.url, { open, fetchSize });
        if (!open && fetchSize === 0) await backPressured(db, reading);
        reading.abort.abort();
        assert.equal((await settled(reading.flowing)).name, 'AbortError');
        await reading.source.close();
        assert.deepEqual(handles(), before);
        await gone(db, reading.applicationName);
      });
    }
  }

  test('during a long sort: rejects, and the query is gone', async () => {
    const reading = await startFlow(db.url, { open: true, sql: LONG_SORT });
    const running = `exists (select from pg_stat_activity where application_name = '${reading.applicationName}'
      and state = 'active' and query like '%over (order by%')`;
    await poll(db, 'the sort running', running);
    reading.abort.abort();
    assert.equal((await settled(reading.flowing)).name, 'AbortError');
    await reading.source.close();
    await gone(db, reading.applicationName);
  });

  test('before it began: rejects', async () => {
    const source = createSource(db.url, ENDLESS);
    const { columns } = await source.describe();
    const sink = new Gate({ open: true });
    const flowing = flow({ source, mapping: unmapped(columns), sink, signal: AbortSignal.abort() });
    assert.equal((await settled(flowing)).name, 'AbortError');
    await source.close();
  });

  test('in a black hole: rejects at once, and close is bounded', async () => {
    const proxy = await startTcpProxy(db.url);
    const reading = await startReading(proxy.through(db.url), { open: true, connectTimeoutMs: 2_000 });
    proxy.blackHole();
    const begun = performance.now();
    reading.abort.abort();
    await settled(reading.flowing);
    assert.ok(performance.now() - begun < 1_500);
    await reading.source.close();
    assert.ok(performance.now() - begun < 5_000);
    await proxy.close();
  });

  test('together with a lost connection: leaves no rejection unhandled', async () => {
    const proxy = await startTcpProxy(db.url);
    const reading = await startReading(proxy.through(db.url), { open: true });
    reading.abort.abort();
    proxy.cut();
    await settled(reading.flowing);
    await reading.source.close();
    await proxy.close();
  });

  test('a sink that fails ends the query as well', async () => {
    const reading = await startReading(db.url, { open: true });
    reading.gate.destroy(new Error('disk full'));
    await assert.rejects(reading.flowing, /disk full/);
    await reading.source.close();
    await gone(db, reading.applicationName);
  });
});

test('leaving the rows early ends the query', async () => {
  const applicationName = `sluice ${randomUUID()}`;
  const source = createSource(db.url, ENDLESS, { applicationName });
  const { columns } = await source.describe();
  for await (const _ of source.read(columns)) break;
  await source.close();
  await gone(db, applicationName);
});

describe('close', () => {
  const twice = async (source: { close(): Promise<void> }): Promise<void> => {
    await Promise.all([source.close(), source.close()]);
    await source.close();
  };

  test('before anything', () => twice(createSource(db.url, ENDLESS)));

  test('while connecting to a host that does not answer', async () => {
    const proxy = await startTcpProxy(db.url);
    proxy.blackHole();
    const source = createSource(proxy.through(db.url), ENDLESS);
    const described = assert.rejects(source.describe(), { code: 'SOURCE_CONNECT_FAILED' });
    await proxy.passed({}); // the proxy is up; the connection is being made
    await twice(source);
    await described;
    await proxy.close();
  });

  test('after a connection that failed', async () => {
    const source = createSource('postgresql://nobody@127.0.0.1:1/none', ENDLESS);
    await assert.rejects(source.describe());
    await twice(source);
  });

  test('while describe waits for a lock: the wait ends on the server too', async () => {
    await db.sql('create table awaited (id int)');
    const holder = await db.connect();
    await holder.query('begin; lock table awaited');
    const applicationName = `sluice ${randomUUID()}`;
    const source = createSource(db.url, 'select id from awaited', { applicationName });
    const described = rejectsWith(source.describe(), 'SOURCE_CONNECTION_LOST');
    const waiting = `exists (select from pg_stat_activity where application_name = '${applicationName}'
      and wait_event_type = 'Lock')`;
    await poll(db, 'describe waiting', waiting);
    await twice(source);
    await described;
    await gone(db, applicationName);
    await holder.end();
  });

  test('after describe', async () => {
    const applicationName = `sluice ${randomUUID()}`;
    const source = createSource(db.url, ENDLESS, { applicationName });
    await source.describe();
    await twice(source);
    await gone(db, applicationName);
  });

  test('after read, with nobody reading', async () => {
    const applicationName = `sluice ${randomUUID()}`;
    const source = createSource(db.url, ENDLESS, { applicationName });
    const { columns } = await source.describe();
    source.read(columns);
    await twice(source);
    await gone(db, applicationName);
  });

  test('while a flow reads: the flow fails', async () => {
    for (const open of [true, false]) {
      const reading = await startReading(db.url, { open });
      const failed = settled(reading.flowing);
      await twice(reading.source);
      await failed;
      await gone(db, reading.applicationName);
    }
  });

  test('after an error', async () => {
    const source = createSource(db.url, 'select 1 / (generate_series(1, 2) - 1) as id');
    const { columns } = await source.describe();
    await rejectsWith(source.read(columns).toArray(), 'SOURCE_QUERY_FAILED');
    await twice(source);
  });

  test('after the end, and after finish', async () => {
    for (const finish of [true, false]) {
      const source = createSource(db.url, 'select 1 as id');
      const { columns } = await source.describe();
      await source.read(columns).toArray();
      if (finish) await source.finish();
      await twice(source);
    }
  });

  test('while finish waits in a black hole', async () => {
    const proxy = await startTcpProxy(db.url);
    const source = createSource(proxy.through(db.url), 'select 1 as id', { connectTimeoutMs: 1_500 });
    const { columns } = await source.describe();
    await source.read(columns).toArray();
    proxy.blackHole();
    const finished = rejectsWith(source.finish(), 'SOURCE_CONNECTION_LOST');
    await twice(source);
    await finished;
    await proxy.close();
  });

  test('of an idle source in a black hole', async () => {
    const proxy = await startTcpProxy(db.url);
    const source = createSource(proxy.through(db.url), 'select 1 as id', { connectTimeoutMs: 1_500 });
    await source.describe();
    proxy.blackHole();
    await twice(source);
    await proxy.close();
  });

  test('leaves no handle behind, however the source ended', async () => {
    // Whatever the runtime opens for the first connection is open now.
    const warm: Socket = connect(Number(new URL(db.url).port), '127.0.0.1');
    await once(warm, 'connect');
    warm.destroy();
    await once(warm, 'close');
    const before = handles();
    await readAll(db.url, 'select 1 as id');
    await rejectsWith(readAll(db.url, 'select 1 / (1 - generate_series(0, 1)) as id'), 'SOURCE_QUERY_FAILED');
    await rejectsWith(readAll(db.url, 'select nothing'), 'SOURCE_QUERY_INVALID');
    await rejectsWith(readAll('postgresql://nobody@127.0.0.1:1/none', 'select 1'), 'SOURCE_CONNECT_FAILED');
    assert.deepEqual(handles(), before);
  });
});
