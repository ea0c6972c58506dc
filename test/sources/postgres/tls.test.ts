import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync, randomBytes, randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { ErrorCode } from '../../../src/errors.ts';
import { getPostgres, type PrivatePostgres, startPrivatePostgres } from '../../support/postgres.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { createCertificate } from './certificate.ts';
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
    // The server answers a cancellation at once; without one the close takes its time
    // limit of seconds.
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

const USED = 'select ssl, version from pg_stat_ssl where pid = pg_backend_pid()';

test('sslmode means what it means to libpq', { skip }, async () => {
  const authority = `sslrootcert=${encodeURIComponent(made!.certificate)}`;
  const plain = await getPostgres();
  const at = (query: string, host = '127.0.0.1') => `${server.url.replace('127.0.0.1', host)}?${query}`;
  const encrypted: readonly string[] = [
    at(''),
    at('sslmode=prefer'),
    at('sslmode=require'),
    at('ssl=true'),
    at(`sslmode=verify-ca&${authority}`),
    at(`sslmode=require&${authority}`),
    at(`sslmode=verify-full&hostaddr=127.0.0.1&${authority}`, 'localhost'),
    at(`sslmode=verify-full&sslsni=0&${authority}`, 'localhost'),
  ];
  for (const url of encrypted) assert.equal((await readAll(url, USED)).rows[0]?.[0], 't', url);
  const inClear = [at('sslmode=disable'), at('sslmode=allow'), `${plain.url}?sslmode=prefer`, plain.url];
  for (const url of inClear) assert.equal((await readAll(url, USED)).rows[0]?.[0], 'f', url);
  const { rows } = await readAll(at('sslmode=require&ssl_max_protocol_version=TLSv1.2'), USED);
  assert.deepEqual(rows, [['t', 'TLSv1.2']]);
});

test('each fault of TLS has a hint that helps', { skip }, async () => {
  const authority = `sslrootcert=${encodeURIComponent(made!.certificate)}`;
  const other = createCertificate()!;
  const plain = await getPostgres();
  const faults: readonly (readonly [url: string, code: ErrorCode, hint: RegExp])[] = [
    [`${server.url}?sslmode=verify-full&${authority}`, 'SOURCE_CREDENTIALS', /another host name.*verify-ca/],
    [withMode('verify-full'), 'SOURCE_CREDENTIALS', /signed itself.*sslrootcert.*sslmode: require/],
    [
      `${withMode('verify-ca')}&sslrootcert=${encodeURIComponent(other.certificate)}`,
      'SOURCE_CREDENTIALS',
      /sslrootcert/,
    ],
    [`${withMode('verify-full')}&sslrootcert=/nowhere.pem`, 'CONFIG_INVALID', /correct sslrootcert/],
    [`${withMode('require')}&sslcrl=/nowhere.pem`, 'CONFIG_INVALID', /correct sslcrl/],
    [`${plain.url}?sslmode=require`, 'SOURCE_CREDENTIALS', /ssl = on.*sslmode: prefer/],
    [`${withMode('require')}&channel_binding=require`, 'SOURCE_CREDENTIALS', /scram-sha-256 in pg_hba.conf/],
    [`${withMode('require')}&require_auth=scram-sha-256`, 'SOURCE_CREDENTIALS', /require_auth/],
  ];
  for (const [url, code, hint] of faults) {
    const error = await rejectsWith(readAll(url, 'select 1'), code);
    assert.match(error.hint, hint, url);
    assert.equal(error.retryable, false);
  }
  rmSync(other.folder, { recursive: true, force: true });
});

/** As the server would store a password, with so many rounds. */
function verifier(password: string, rounds: number): string {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, rounds, 32, 'sha256');
  const keyOf = (name: string): Buffer => createHmac('sha256', salted).update(name).digest();
  const stored = createHash('sha256').update(keyOf('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${rounds}:${salt.toString('base64')}$${stored}:${keyOf('Server Key').toString('base64')}`;
}

test('logs in with SCRAM of many rounds, bound to the TLS connection', { skip }, async () => {
  const db = await server.createDatabase();
  const [file] = await db.sql<{ hba: string }>(`select current_setting('hba_file') as hba`);
  await db.sql(`create role bound login password '${verifier('right', 200_000)}';
    create role slow login password '${verifier('right', 1).replace('$1:', '$5000000:')}';
    create table hba (line text); insert into hba values ('host all postgres all trust'), ('host all all all scram-sha-256');
    copy hba to '${file!.hba}'; select pg_reload_conf()`);
  const as = (user: string, query: string): string =>
    `${db.url.replace('postgres@', `${user}:right@`)}?${query}`;
  await poll(db, 'the reload', `exists (select from pg_hba_file_rules where auth_method = 'scram-sha-256')`);
  assert.equal(
    (await readAll(as('bound', 'sslmode=require&channel_binding=require'), USED)).rows[0]?.[0],
    't',
  );
  assert.equal(
    (await readAll(as('bound', 'sslmode=disable&require_auth=scram-sha-256'), USED)).rows[0]?.[0],
    'f',
  );
  const clear = readAll(as('bound', 'sslmode=allow&channel_binding=require'), USED);
  assert.match((await rejectsWith(clear, 'SOURCE_CREDENTIALS')).message, /channel_binding is require/);
  const slow = readAll(as('slow', 'sslmode=disable'), USED, { connectTimeoutMs: 500 });
  const error = await rejectsWith(slow, 'SOURCE_CONNECT_FAILED');
  assert.match(error.message, /timeout expired while 5,000,000 SCRAM iterations .* were computed$/);
  assert.match(error.hint, /raise connectTimeout/);
  assert.doesNotMatch(error.hint, /firewall/);
  const missing = readAll(db.url.replace('postgres@', 'bound@'), USED);
  assert.match((await rejectsWith(missing, 'SOURCE_CREDENTIALS')).hint, /PGPASSWORD/);
});
