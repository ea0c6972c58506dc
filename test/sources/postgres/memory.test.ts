import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { RowBatch } from '../../../src/row-batch.ts';
import { getPostgres, startPrivatePostgres, type TestDatabase } from '../../support/postgres.ts';
import { createSource, poll, startFlow } from './support.ts';

let db: TestDatabase;
before(async () => {
  db = await (await getPostgres()).createDatabase();
});
after(() => db.drop());

const ALLOWED_GROWTH_BYTES = 80 * 1024 * 1024;

for (const fetchSize of [0, 100]) {
  test(`a slow consumer of 200 MB keeps memory bounded, fetchSize ${fetchSize}`, async () => {
    const source = createSource(
      db.url,
      `select generate_series(1, 200000) as id, repeat('m', 1000) as filler`,
      {
        fetchSize,
      },
    );
    const { columns } = await source.describe();
    const slow = await db.connect();
    let rows = 0;
    let before = 0;
    let most = 0;
    for await (const batch of source.read(columns)) {
      rows += (batch as RowBatch).rowCount;
      await slow.query('select 1');
      const { rss } = process.memoryUsage();
      // What the first batches need is there to stay.
      if (rows < 10_000) before = Math.max(before, rss);
      most = Math.max(most, rss);
    }
    assert.deepEqual(await source.finish(), { rows: 200_000 });
    await Promise.all([source.close(), slow.end()]);
    assert.ok(most - before < ALLOWED_GROWTH_BYTES, `grew by ${(most - before) >> 20} MiB`);
  });
}

test('without a fetch size the server may read with parallel workers', async () => {
  const server = await startPrivatePostgres({
    settings: {
      max_parallel_workers_per_gather: '2',
      min_parallel_table_scan_size: '0',
      parallel_setup_cost: '0',
      parallel_tuple_cost: '0',
    },
  });
  try {
    const own = await server.createDatabase();
    // A long computation that yields nothing before its end; the test ends it.
    await own.sql(`create table counted as select id from generate_series(1, 100000) id; analyze counted;
      create function slow(int) returns int parallel safe language plpgsql as
        'begin perform pg_sleep(0.01); return $1; end'`);
    const reading = await startFlow(own.url, { open: true, sql: 'select sum(slow(id)) from counted' });
    const working = `exists (select from pg_stat_activity where backend_type = 'parallel worker'
      and leader_pid = (select pid from pg_stat_activity where application_name = '${reading.applicationName}'
        and backend_type = 'client backend'))`;
    await poll(own, 'a parallel worker', working);
    reading.abort.abort();
    await assert.rejects(reading.flowing, { name: 'AbortError' });
    await reading.source.close();
  } finally {
    await server.dispose();
  }
});
