import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { getPostgres } from './postgres.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

let serverUrl: string;
let proxy: TcpProxy;

before(async () => {
  serverUrl = (await getPostgres()).url;
  proxy = await startTcpProxy(serverUrl);
});
after(() => proxy.close());

async function open(): Promise<pg.Client> {
  const client = new pg.Client(proxy.through(serverUrl));
  client.on('error', () => {});
  await client.connect();
  return client;
}

const tenMegabytes = "select repeat('x', 1000) as x from generate_series(1, 10000)";

test('passes everything both ways and counts it', async () => {
  const client = await open();
  const { toClient } = proxy.bytes;
  assert.equal((await client.query(tenMegabytes)).rows.length, 10_000);
  assert.ok(proxy.bytes.toClient - toClient > 10_000_000);
  await client.end();
  await proxy.idle();
  assert.deepEqual(proxy.connections, { accepted: 1, open: 0 });
});

test('stalls while paused and goes on without loss', async () => {
  const client = await open();
  const { toClient } = proxy.bytes;
  const result = client.query(tenMegabytes);
  await proxy.passed({ toClient: toClient + 100_000 });
  proxy.pause();
  const stalledAt = proxy.bytes.toClient;
  // A round trip to the server proves that time passed in which bytes could have come.
  const direct = new pg.Client(serverUrl);
  await direct.connect();
  await direct.query('select 1');
  await direct.end();
  assert.equal(proxy.bytes.toClient, stalledAt);
  proxy.resume();
  assert.equal((await result).rows.length, 10_000);
  await client.end();
});

test('cuts a connection in the middle of an answer', async () => {
  const client = await open();
  const { toClient } = proxy.bytes;
  const lost = assert.rejects(client.query(tenMegabytes));
  await proxy.passed({ toClient: toClient + 1_000_000 });
  proxy.cut();
  await lost;
  await proxy.idle();
});

test('cuts after an exact number of bytes', async () => {
  const client = await open();
  const { toClient } = proxy.bytes;
  proxy.cutAfter(12_345);
  await assert.rejects(client.query(tenMegabytes));
  assert.equal(proxy.bytes.toClient - toClient, 12_345);
  await (await open()).end();
});

test('leaves both sides without an answer in a black hole, and serves new connections after it', async () => {
  const client = await open();
  proxy.blackHole();
  let settled = false;
  const query = client.query('select 1').finally(() => {
    settled = true;
  });
  query.catch(() => {});
  const newcomer = connect(proxy.port, proxy.host);
  await once(newcomer, 'connect');
  proxy.resume();
  await (await open()).end();
  assert.equal(settled, false);
  newcomer.destroy();
  proxy.cut();
  await assert.rejects(query);
  await proxy.idle();
});
