import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { getPostgres, type PrivatePostgres, startPrivatePostgres } from '../../support/postgres.ts';
import { serverUser } from '../../support/postgres-binaries.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import {
  backPressured,
  createSource,
  gone,
  poll,
  readAll,
  rejectsWith,
  startFlow,
  startReading,
} from './support.ts';

/** A key and a certificate for the host `localhost` that nobody has signed but itself; undefined without openssl. */
function createCertificate(): { folder: string; key: string; certificate: string } | undefined {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-tls-'));
  const key = path.join(folder, 'server.key');
  const certificate = path.join(folder, 'server.crt');
  try {
    const args =
      'req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost';
    execFileSync('openssl', [...args.split(' '), '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  } catch {
    rmSync(folder, { recursive: true, force: true });
    return undefined;
  }
  const { uid, gid } = serverUser();
  for (const file of [folder, key, certificate]) {
    if (uid !== undefined && gid !== undefined) chownSync(file, uid, gid);
    chmodSync(file, file === folder ? 0o700 : 0o600);
  }
  return { folder, key, certificate };
}

const made = createCertificate();
const skip = made === undefined ? 'there is no openssl' : false;
let server: PrivatePostgres;
before(async () => {
  if (made === undefined) return;
  server = await startPrivatePostgres({
    settings: { ssl: 'on', ssl_cert_file: made.certificate, ssl_key_file: made.key },
  });
});
after(async () => {
  await server?.dispose();
  if (made) rmSync(made.folder, { recursive: true, force: true });
});

const withMode = (mode: string, host = 'localhost', url = server.url): string =>
  `${url.replace('127.0.0.1', host)}?sslmode=${mode}`;
const verified = (url?: string): string =>
  `${withMode('verify-full', 'localhost', url)}&sslrootcert=${encodeURIComponent(made!.certificate)}`;

test('reads rows larger than the records of TLS, and is encrypted', { skip }, async () => {
  const sql = `select ssl, id, repeat('t', id * 20000) as body from pg_stat_ssl, generate_series(0, 20) id
    where pid = pg_backend_pid() order by id`;
  for (const url of [withMode('no-verify'), verified()]) {
    for (const fetchSize of [0, 3]) {
      const { rows } = await readAll(url, sql, { fetchSize });
      assert.deepEqual(
        rows.map(row => [row[0], row[1], row[2]!.length]),
        Array.from({ length: 21 }, (_, id) => ['t', String(id), id * 20_000]),
      );
    }
  }
});

test('cancels over TLS', { skip }, async () => {
  const db = await server.createDatabase();
  for (const url of [withMode('no-verify', 'localhost', db.url), verified(db.url)]) {
    const sql = `select sum(a) over (order by md5(a::text || b)) from generate_series(1, 20000) a, generate_series(1, 20000) b`;
    const reading = await startFlow(url, { open: true, sql });
    const running = `exists (select from pg_stat_activity where application_name = '${reading.applicationName}'
      and state = 'active' and query like '%over (order by%')`;
    await poll(db, 'the sort running', running);
    const begun = performance.now();
    reading.abort.abort();
    await assert.rejects(reading.flowing, { name: 'AbortError' });
    await reading.source.close();
    // The server answers a cancellation at once; without one the close takes its time limit of seconds.
    assert.ok(performance.now() - begun < 2_500);
    await gone(db, reading.applicationName);
  }
});

test('holds back, goes on and closes over TLS, with nothing left open', { skip }, async () => {
  const db = await server.createDatabase();
  const url = verified(db.url);
  const applicationName = `sluice ${randomUUID()}`;
  const sql = `select generate_series(1, 40000) as id, repeat('x', 500) as filler`;
  const reading = await startReading(url, { open: false, sql, applicationName });
  await backPressured(db, { applicationName });
  reading.gate.open();
  assert.deepEqual(await reading.flowing, { rows: 40_000 });
  await reading.source.close();
  assert.deepEqual(
    process.getActiveResourcesInfo().filter(kind => /TCP|TLS/.test(kind)),
    [],
  );
});

test('a network that swallows everything fails the flow, and close is bounded', { skip }, async () => {
  const proxy = await startTcpProxy(server.url);
  const url = withMode('no-verify', '127.0.0.1', proxy.through(server.url));
  const reading = await startReading(url, { open: true, inactivityTimeoutMs: 500, connectTimeoutMs: 2_000 });
  proxy.blackHole();
  await rejectsWith(reading.flowing, 'SOURCE_TIMEOUT');
  await reading.source.close();
  const idle = createSource(url, 'select 1', { connectTimeoutMs: 300 });
  const described = rejectsWith(idle.describe(), 'SOURCE_CONNECT_FAILED');
  await idle.close();
  await described;
  await proxy.close();
});

test('a certificate that is not trusted, or not for the host, is an error that says so', {
  skip,
}, async () => {
  const unknown = await rejectsWith(readAll(withMode('verify-full'), 'select 1'), 'SOURCE_CREDENTIALS');
  assert.match(unknown.message, /^connecting to source warehouse: self-signed certificate$/);
  assert.match(unknown.hint, /sslrootcert/);
  assert.equal(unknown.retryable, false);
  const elsewhere = verified().replace('localhost', '127.0.0.1');
  const other = await rejectsWith(readAll(elsewhere, 'select 1'), 'SOURCE_CREDENTIALS');
  assert.match(other.message, /does not match certificate's altnames/);
});

test('a server without TLS is an error that says so', { skip }, async () => {
  const { url } = await getPostgres();
  const error = await rejectsWith(readAll(`${url}?sslmode=verify-full`, 'select 1'), 'SOURCE_CREDENTIALS');
  assert.match(
    error.message,
    /^connecting to source warehouse: The server does not support SSL connections$/,
  );
  assert.match(error.hint, /TLS/);
});
