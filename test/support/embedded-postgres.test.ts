import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import pg from 'pg';
import QueryStream from 'pg-query-stream';
import { importOptional } from '../../src/embedded/optional-package.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/embedded/postgres.ts';
import { SluiceError } from '../../src/errors.ts';

let embedded: EmbeddedPostgres;

before(async () => {
  embedded = await startEmbeddedPostgres();
  await embedded.exec(
    "create table people as select i as id, 'name ' || i as name from generate_series(1, 20000) i; analyze people",
  );
});
after(() => embedded.stop());

async function open(): Promise<pg.Client> {
  const client = new pg.Client(embedded.url);
  client.on('error', () => {});
  await client.connect();
  return client;
}

test('reads 20,000 rows by cursor, and by one Execute without a limit, in a read-only snapshot', async () => {
  const client = await open();
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  await client.query("SET LOCAL TimeZone = 'UTC'");
  let rows = 0;
  for await (const row of client.query(
    new QueryStream('select * from people order by id', [], { batchSize: 1000 }),
  )) {
    rows += 1;
    assert.equal((row as { id: number }).id, rows);
  }
  assert.equal(rows, 20_000);
  const whole = await client.query('select * from people where id > $1', [10]);
  assert.equal(whole.rows.length, 19_990);
  await assert.rejects(client.query('delete from people'), { code: '25006' });
  await client.query('ROLLBACK');
  await client.end();
});

test('reports an error in the middle of a cursor and goes on', async () => {
  const client = await open();
  const stream = client.query(new QueryStream('select 1 / (id - 10000) from people', [], { batchSize: 100 }));
  await assert.rejects(stream.toArray(), { code: '22012' });
  assert.deepEqual((await client.query('select 1 as one')).rows, [{ one: 1 }]);
  await client.end();
});

test('makes other connections wait for the end of a transaction, also when its client is lost', async () => {
  const [first, second] = await Promise.all([open(), open()]);
  await first.query('begin; delete from people where id = 1');
  let answered = false;
  const counted = second.query('select count(*)::int as n from people').finally(() => {
    answered = true;
  });
  await first.query('select 1');
  assert.equal(answered, false);
  const lost = new Promise<void>(resolve => {
    first.on('end', () => resolve());
  });
  (first as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  await lost;
  assert.deepEqual((await counted).rows, [{ n: 20_000 }]);
  await second.end();
});

test('takes a cancel request and ignores it', async () => {
  const client = await open();
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
  const { port, hostname } = new URL(embedded.url);
  const request = Buffer.alloc(16);
  [16, 80877102, processID, secretKey].forEach((word, i) => {
    request.writeInt32BE(word, 4 * i);
  });
  const socket = connect(Number(port), hostname);
  const counting = client.query('select count(*)::int as n from generate_series(1, 300000)');
  socket.end(request);
  await once(socket.resume(), 'close');
  assert.deepEqual((await counting).rows, [{ n: 300_000 }]);
  await client.end();
});

test('says what to install when an optional package is missing', async () => {
  const absent = { name: 'sluice-absent', version: '1.2.3' };
  await assert.rejects(importOptional(absent, absent.name, 'the demo'), (error: unknown) => {
    assert.ok(error instanceof SluiceError);
    assert.deepEqual([error.code, error.hint], ['NOT_AVAILABLE', 'run: npm install sluice-absent@1.2.3']);
    return true;
  });
});
