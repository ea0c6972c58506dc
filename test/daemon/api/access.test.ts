import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { after, before, test } from 'node:test';
import { OpenApiClient } from './support/openapi-client.ts';
import { rawRequest } from './support/raw-http.ts';
import { configWith, Served } from './support/served.ts';

const READ = 'read-token-0123456789';
const OLD_WRITE = 'write-token-0123456789';
const WRITE = 'write-token-abcdefghij';

let open: Served;
let closed: Served;
let document: OpenApiClient['document'];

before(async () => {
  open = await Served.start({ allowedHosts: ['sluice.example', 'exports.example:8443'] });
  closed = await Served.start({ read: [READ], write: [OLD_WRITE, WRITE] });
  document = (await closed.client(READ)).document;
});
after(async () => {
  await open.dispose();
  await closed.dispose();
});

const RUN = '20250414-070000-123-k3f9ab';
const PATH = { path: { name: 'customers', id: RUN } };

/** Every operation of the document with a token, and its status. */
async function statuses(token: string | undefined): Promise<Map<string, number>> {
  const client = new OpenApiClient(closed.url, document, token);
  const found = new Map<string, number>();
  for (const id of client.operationIds) {
    // A stream of all changes has no end of its own.
    const stop = new AbortController();
    const input = { path: PATH.path, signal: stop.signal };
    const { status } = id === 'streamChanges' ? await client.open(id, input) : await client.call(id, input);
    stop.abort();
    found.set(id, status);
  }
  return found;
}

const CHANGES = ['triggerRun', 'cancelRun', 'pauseActivation', 'resumeActivation', 'reload'];
const PREVIEWS = ['previewActivation', 'planActivation', 'getPlan'];
const WRITES = [...CHANGES, ...PREVIEWS];
const FOR_ANYONE = ['getHealth', 'getReadiness'];

test('without a token everything but health is refused', async () => {
  const found = await statuses(undefined);
  assert.ok(found.size >= 16);
  for (const [id, status] of found) assert.equal(status, FOR_ANYONE.includes(id) ? 200 : 401, id);
});

test('a wrong token is refused, and told how to do better', async () => {
  for (const token of ['wrong-token-0123456789', READ.slice(0, -1), `${READ}x`, READ.toUpperCase()]) {
    const found = await statuses(token);
    for (const [id, status] of found) assert.equal(status, FOR_ANYONE.includes(id) ? 200 : 401, id);
  }
  const { headers } = await new OpenApiClient(closed.url, document).call('listRuns');
  assert.equal(headers.get('www-authenticate'), 'Bearer realm="sluice"');
});

test('a read token may look, and neither change nor see rows; a write token may all', async () => {
  for (const [id, status] of await statuses(READ)) {
    if (WRITES.includes(id)) assert.equal(status, 403, id);
    else assert.ok(status === 200 || status === 404, `${id} ${status}`);
  }
  for (const token of [OLD_WRITE, WRITE]) {
    for (const [id, status] of await statuses(token))
      assert.ok(status < 400 || status === 404, `${id} ${status}`);
  }
});

test('who may not see rows is told which token may', async () => {
  const reader = new OpenApiClient(closed.url, document, READ);
  const { body } = await reader.call<{ error: Record<string, string> }>('previewActivation', PATH);
  assert.equal(body.error['message'], 'token read 1 may not see rows');
  assert.equal(body.error['hint'], 'use a token that may preview or write (daemon.tokens)');
});

test('the document says the same of every operation', () => {
  for (const methods of Object.values(document.paths)) {
    for (const { operationId, security } of Object.values(methods)) {
      const scheme = CHANGES.includes(operationId)
        ? 'write'
        : PREVIEWS.includes(operationId)
          ? 'preview'
          : 'read';
      assert.deepEqual(security, FOR_ANYONE.includes(operationId) ? [] : [{ [scheme]: [] }, {}], operationId);
    }
  }
});

test('only the bearer scheme carries a token', async () => {
  const basic = Buffer.from(`user:${READ}`).toString('base64');
  for (const authorization of [
    READ,
    `Basic ${basic}`,
    `Token ${READ}`,
    'Bearer',
    `Bearer ${READ} ${READ}`,
    `Bearer${READ}`,
  ]) {
    const response = await fetch(`${closed.url}/v1/runs`, { headers: { authorization } });
    assert.equal(response.status, 401, authorization);
  }
  const lower = await fetch(`${closed.url}/v1/runs`, { headers: { authorization: `bearer ${READ}` } });
  assert.equal(lower.status, 200);
  const query = await fetch(`${closed.url}/v1/runs?token=${READ}&access_token=${READ}`);
  assert.equal(query.status, 401);
});

test('who has no token learns nothing of which paths there are', async () => {
  for (const path of ['/v1/nothing', '/metrics', '/openapi.json', '/v1']) {
    assert.equal((await fetch(closed.url + path)).status, 401, path);
  }
});

test('readiness tells strangers its state only', async () => {
  closed.operations.problems = ['a webhook cannot be reached'];
  const stranger = await new OpenApiClient(closed.url, document).call('getReadiness');
  assert.deepEqual(stranger.body, { state: 'ready' });
  const reader = await new OpenApiClient(closed.url, document, READ).call('getReadiness');
  assert.deepEqual(reader.body['problems'], ['a webhook cannot be reached']);
  closed.operations.state = 'stopping';
  const stopping = await new OpenApiClient(closed.url, document).call('getReadiness');
  assert.deepEqual([stopping.status, stopping.body], [503, { state: 'stopping' }]);
  closed.operations.state = 'ready';
});

const statusWith = async (
  served: Served,
  headers: string,
  target = 'GET /v1/runs',
): Promise<number | undefined> =>
  (await rawRequest(served.port, `${target} HTTP/1.1\r\n${headers}\r\n\r\n`))?.status;

test('a Host that is not ours is refused: DNS rebinding', async () => {
  const { port } = open;
  for (const host of [
    `127.0.0.1:${port}`,
    `localhost:${port}`,
    'LOCALHOST',
    `[::1]:${port}`,
    'sluice.example',
    'Sluice.Example:80',
    'exports.example:8443',
  ]) {
    assert.equal(await statusWith(open, `Host: ${host}`), 200, host);
  }
  const foreign = [
    'evil.example',
    `evil.example:${port}`,
    'exports.example',
    'exports.example:443',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '10.0.0.1',
    '0.0.0.0',
    '',
    'localhost:x',
    'user@localhost',
    'localhost/',
    '[::1',
    '127.1',
    '2130706433',
    'localhost:80:80',
    'sluice.example.',
  ];
  for (const host of foreign) assert.equal(await statusWith(open, `Host: ${host}`), 403, host);
  assert.equal(await statusWith(open, 'X-Forwarded-Host: localhost'), 403, 'no Host at all');
  assert.equal(await statusWith(open, 'Host: evil.example\r\nX-Forwarded-Host: localhost'), 403);
});

test('with a token of ours the Host may be any, as the address of a pod: no page has the token', async () => {
  for (const host of ['Host: 10.1.2.3:7345', 'Host: sluice.exports.svc.cluster.local']) {
    for (const target of ['GET /metrics', 'GET /v1/runs', 'GET /readyz']) {
      const known = await rawRequest(
        closed.port,
        `${target} HTTP/1.1\r\n${host}\r\nAuthorization: Bearer ${READ}\r\n\r\n`,
      );
      assert.equal(known?.status, 200, `${target} ${host}`);
      if (target === 'GET /readyz') assert.match(known.text, /version/);
    }
    assert.equal(await statusWith(closed, host, 'GET /metrics'), 401, host);
    const wrong = `${host}\r\nAuthorization: Bearer wrong-token-0123456789`;
    assert.equal(await statusWith(closed, wrong, 'GET /metrics'), 401, host);
    const page = `${host}\r\nAuthorization: Bearer ${READ}\r\nOrigin: https://evil.example`;
    assert.equal(await statusWith(closed, page, 'GET /metrics'), 403, 'a page of another origin');
  }
});

test('probes of health may name any Host, and learn nothing more', async () => {
  for (const path of ['/healthz', '/readyz']) {
    const answer = await rawRequest(open.port, `GET ${path} HTTP/1.1\r\nHost: 10.1.2.3:7345\r\n\r\n`);
    assert.equal(answer?.status, 200);
    assert.doesNotMatch(answer.text, /version/);
  }
});

test('a page of another origin is refused, whatever it asks', async () => {
  const { port } = open;
  const host = `Host: 127.0.0.1:${port}`;
  const foreign = [
    'https://evil.example',
    'null',
    `http://localhost:${port}`,
    'http://127.0.0.1',
    `http://127.0.0.1:${port}.evil.example`,
    `ftp://127.0.0.1:${port}`,
    'http://',
  ];
  for (const origin of foreign) {
    for (const target of [
      'GET /v1/runs',
      'POST /v1/activations/customers/runs',
      'GET /healthz',
      'OPTIONS /v1/runs',
    ]) {
      assert.equal(
        await statusWith(open, `${host}\r\nOrigin: ${origin}`, target),
        403,
        `${origin} ${target}`,
      );
    }
  }
  const own = `${host}\r\nOrigin: http://127.0.0.1:${port}`;
  assert.equal(await statusWith(open, own), 200);
  assert.equal(
    await statusWith(open, `${own}\r\nContent-Length: 0`, 'POST /v1/activations/customers/runs'),
    202,
  );
  for (const site of ['cross-site', 'same-site']) {
    assert.equal(await statusWith(open, `${host}\r\nSec-Fetch-Site: ${site}`), 403, site);
  }
  for (const site of ['same-origin', 'none']) {
    assert.equal(await statusWith(open, `${host}\r\nSec-Fetch-Site: ${site}`), 200, site);
  }
});

test('no answer allows a page of another origin to read it', async () => {
  const answer = await rawRequest(
    open.port,
    `OPTIONS /v1/runs HTTP/1.1\r\nHost: localhost\r\nAccess-Control-Request-Method: POST\r\n\r\n`,
  );
  assert.equal(answer?.status, 405);
  for (const name of answer.headers.keys()) assert.doesNotMatch(name, /^access-control-/);
});

test('every answer forbids keeping, guessing and framing, also those that fail', async () => {
  const paths = ['/v1/runs', '/healthz', '/nothing', '/openapi.json', '/v1/activations/%zz', '/metrics'];
  for (const path of paths) {
    const { headers } = await fetch(open.url + path);
    assert.equal(headers.get('x-content-type-options'), 'nosniff', path);
    assert.equal(headers.get('cache-control'), 'no-store', path);
    assert.match(headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/, path);
    assert.match(headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/, path);
    assert.equal(headers.get('server'), null);
  }
});

test('an address beyond loopback without a token is refused at start', async () => {
  for (const host of ['0.0.0.0', '::', firstPublicAddress()]) {
    if (host === undefined) continue;
    await assert.rejects(Served.start({ host }), { code: 'CONFIG_INVALID' });
  }
});

test('an address beyond loopback with a token takes the address that was reached as Host', async () => {
  const address = firstPublicAddress();
  const served = await Served.start({ host: '0.0.0.0', write: [WRITE] });
  try {
    const authorization = `Authorization: Bearer ${WRITE}`;
    assert.equal(await statusWith(served, `Host: 127.0.0.1:${served.port}\r\n${authorization}`), 200);
    if (address !== undefined) {
      const response = await fetch(`http://${address}:${served.port}/v1/runs`, {
        headers: { authorization: `Bearer ${WRITE}` },
      });
      assert.equal(response.status, 200);
    }
    // A reload must not take the last token away from it.
    served.server.use(configWith({ host: '127.0.0.1' }));
    assert.equal(await statusWith(served, 'Host: localhost'), 401);
    assert.ok(served.lines.some(({ level, message }) => level === 'warn' && /old tokens stay/.test(message)));
  } finally {
    await served.dispose();
  }
});

test('tokens and allowed hosts of a reloaded configuration hold at once', async () => {
  const served = await Served.start({ write: [OLD_WRITE] });
  try {
    served.server.use(configWith({ write: [WRITE], allowedHosts: ['sluice.example'] }));
    assert.equal(await statusWith(served, `Host: localhost\r\nAuthorization: Bearer ${OLD_WRITE}`), 401);
    assert.equal(await statusWith(served, `Host: sluice.example\r\nAuthorization: Bearer ${WRITE}`), 200);
  } finally {
    await served.dispose();
  }
});

test('a port that is taken is said to be', async () => {
  const { startHttpServer } = await import('../../../src/daemon/api/http-server.ts');
  const { Redactor } = await import('../../../src/config/secrets.ts');
  const none = (): void => {};
  const starting = startHttpServer({
    operations: open.operations,
    metrics: { render: async () => ({ contentType: 'text/plain', text: '' }) },
    log: { debug: none, info: none, warn: none, error: none },
    config: { ...configWith({}), port: open.port },
    dataDirectory: '/nonexistent',
    redactor: new Redactor(),
  });
  await assert.rejects(starting, {
    code: 'LISTEN_FAILED',
    message: /127\.0\.0\.1 port \d+ cannot be listened on \(EADDRINUSE\)/,
  });
});

function firstPublicAddress(): string | undefined {
  const addresses = Object.values(networkInterfaces()).flatMap(list => list ?? []);
  return addresses.find(({ internal, family }) => !internal && family === 'IPv4')?.address;
}
