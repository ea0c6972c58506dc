import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../src/embedded/postgres.ts';
import { createSource, readAll, rejectsWith } from './support.ts';

let embedded: EmbeddedPostgres;
before(async () => {
  embedded = await startEmbeddedPostgres();
  await embedded.exec(
    `create table people as select i as id, 'name ' || i as name from generate_series(1, 5000) i`,
  );
});
after(() => embedded.stop());

test('reads, whatever the fetch size', async () => {
  const expected = Array.from({ length: 5000 }, (_, index) => [String(index + 1), `name ${index + 1}`]);
  for (const fetchSize of [0, 700, 5000]) {
    const { rows, columns } = await readAll(embedded.url, 'select id, name from people order by id', {
      fetchSize,
    });
    assert.deepEqual(rows, expected);
    assert.deepEqual(
      columns.map(({ kind }) => kind),
      ['int32', 'text'],
    );
  }
});

test('tells errors, and refuses to write', async () => {
  const failing = 'select 1 / (3000 - id) as id from people';
  await rejectsWith(readAll(embedded.url, failing), 'SOURCE_QUERY_FAILED');
  await rejectsWith(readAll(embedded.url, failing, { fetchSize: 100 }), 'SOURCE_QUERY_FAILED');
  await rejectsWith(readAll(embedded.url, 'delete from people returning id'), 'SOURCE_NOT_READ_ONLY');
  await rejectsWith(readAll(embedded.url, 'select 1 as a; select 2 as b'), 'SOURCE_NOT_READ_ONLY');
  await rejectsWith(readAll(embedded.url, 'select nothing from people'), 'SOURCE_QUERY_INVALID');
});

test('closes at each stage and leaves the one backend to others', async () => {
  const connectTimeoutMs = 2_000;
  for (const stage of ['nothing', 'describe', 'read', 'rows'] as const) {
    const source = createSource(embedded.url, 'select id, name from people', {
      fetchSize: 100,
      connectTimeoutMs,
    });
    if (stage !== 'nothing') {
      const { columns } = await source.describe();
      if (stage === 'read') source.read(columns);
      if (stage === 'rows') for await (const _ of source.read(columns)) break;
    }
    await source.close();
    assert.deepEqual((await readAll(embedded.url, 'select count(*) from people')).rows, [['5000']]);
  }
});
