import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { OpenApiClient } from './support/openapi-client.ts';
import { type RawAnswer, RawConnection, rawRequest } from './support/raw-http.ts';
import { Served } from './support/served.ts';
import { until } from './support/soon.ts';

const HOST = 'Host: localhost\r\n';
const SECRET = 'canary-SECRET-of-the-source';
const LIMITS = { headersTimeoutMs: 300, requestTimeoutMs: 400, connections: 1500, waits: 50 };

let served: Served;
let client: OpenApiClient;

const OPTIONS = { limits: LIMITS, bodyLimit: 65_536, secrets: [SECRET] };

before(async () => {
  served = await Served.start(OPTIONS);
  client = await served.client();
});
after(() => served.dispose());

afterEach(() => assertUntouched(client));

/** Whatever came before, the daemon still answers, and nothing was asked of it. */
async function assertUntouched(client: OpenApiClient): Promise<void> {
  assert.equal((await client.call('getHealth')).status, 200);
  const { run } = (await client.call<{ run: string }>('triggerRun', { path: { name: 'orders' } })).body;
  assert.equal((await client.call('cancelRun', { path: { id: run } })).status, 200);
  const list = await client.call<{ runs: unknown[] }>('listRuns', { query: { activation: 'customers' } });
  assert.deepEqual(list.body.runs, []);
}

const send = (...pieces: (string | Buffer)[]): Promise<RawAnswer | undefined> =>
  rawRequest(served.port, ...pieces);

/** The answer is a failure in the one shape, with this status. */
function assertFailure(answer: RawAnswer | undefined, ...statuses: number[]): void {
  assert.ok(answer !== undefined, 'no answer');
  assert.ok(statuses.includes(answer.status), `${answer.status} ${answer.text}`);
  client.checkComponent('ErrorAnswer', JSON.parse(answer.text));
  assert.doesNotMatch(answer.text, /node_modules|\.ts:|\bat \w+ \(/);
  assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
}

const post = (
  headers: string,
  body: string | Buffer = '',
  path = '/v1/activations/customers/runs',
): (string | Buffer)[] => [`POST ${path} HTTP/1.1\r\n${HOST}${headers}\r\n`, body];

test('a body beyond the limit is refused, however its size is told', async () => {
  // Two megabytes may take longer than the others here have.
  const patient = await Served.start({
    ...OPTIONS,
    limits: { ...LIMITS, headersTimeoutMs: 60_000, requestTimeoutMs: 60_000 },
  });
  const send = (...pieces: (string | Buffer)[]) => rawRequest(patient.port, ...pieces);
  try {
    const body = `{"full":${' '.repeat(65_536)}true}`;
    for (let round = 0; round < 20; round++) {
      const response = await fetch(`${patient.url}/v1/activations/customers/runs`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: 'x'.repeat(2_000_000),
      });
      assert.equal(response.status, 413);
      client.check('triggerRun', 413, response.headers, await response.text());
    }
    assertFailure(
      await send(...post('Content-Type: application/json\r\nContent-Length: 99999999999\r\n')),
      413,
    );
    const chunk = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    assertFailure(
      await send(...post('Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n', chunk)),
      413,
    );
    const unknownType = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    assertFailure(
      await send(...post('Content-Type: x/y\r\nTransfer-Encoding: chunked\r\n', unknownType)),
      413,
    );
    await assertUntouched(await patient.client());
  } finally {
    await patient.dispose();
  }
});

test('headers beyond the limit are refused', async () => {
  assertFailure(await send(`GET /v1/runs HTTP/1.1\r\n${HOST}X: ${'x'.repeat(20_000)}\r\n\r\n`), 431);
  assertFailure(await send(`GET /${'x'.repeat(20_000)} HTTP/1.1\r\n${HOST}\r\n`), 431);
  const many = Array.from({ length: 4000 }, (_, index) => `X-${index}: ${index}\r\n`).join('');
  assertFailure(await send(`GET /v1/runs HTTP/1.1\r\n${HOST}${many}\r\n`), 431);
});

test('a request that never ends is ended: slow loris', async () => {
  const begins = [
    '',
    'G',
    'GET /v1/runs HTTP/1.1\r\n',
    `GET /v1/runs HTTP/1.1\r\n${HOST}X-More: `,
    `POST /v1/reload HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{`,
    `POST /v1/reload HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n`,
  ];
  await Promise.all(
    begins.map(async begin => {
      const connection = await RawConnection.open(served.port);
      connection.write(begin);
      // Drips for as long as the connection lasts.
      const drip = setInterval(() => connection.write(begin.includes('chunked') ? '1\r\n \r\n' : 'x'), 50);
      const answer = await connection.answer();
      clearInterval(drip);
      await connection.closed();
      if (begin.startsWith('POST')) assertFailure(answer, 400, 408);
      else if (answer !== undefined) assertFailure(answer, 400, 408);
    }),
  );
});

test('what is no HTTP is refused', async () => {
  const shapes = [
    'hello\r\n\r\n',
    'GET\r\n\r\n',
    `GET /v1/runs\r\n${HOST}\r\n`,
    `GET /v1/runs HTTP/9.9\r\n${HOST}\r\n`,
    `get /v1/runs HTTP/1.1\r\n${HOST}\r\n`,
    `GET /v1/runs HTTP/1.1\r\n${HOST}No colon\r\n\r\n`,
    `GET /v1/runs HTTP/1.1\r\n${HOST}Name : value\r\n\r\n`,
    `GET /v1/runs HTTP/1.1\r\n${HOST}X: a\u0000b\r\n\r\n`,
    `GET /v1/runs HTTP/1.1\r\n Folded: first\r\n${HOST}\r\n`,
    Buffer.concat([Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]), Buffer.alloc(500)]),
    Buffer.alloc(5000, 0),
    Buffer.alloc(5000, 0xff),
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ];
  for (const shape of shapes) assertFailure(await send(shape), 400);
});

test('a request whose end can be read in two ways is refused: smuggling', async () => {
  const json = 'Content-Type: application/json\r\n';
  const inner = `GET /v1/runs HTTP/1.1\r\n${HOST}\r\n`;
  const shapes = [
    `Content-Length: 0\r\nTransfer-Encoding: chunked\r\n`,
    `Transfer-Encoding: chunked\r\nContent-Length: 4\r\n`,
    `Content-Length: 0\r\nContent-Length: ${inner.length}\r\n`,
    `Content-Length: 0, ${inner.length}\r\n`,
    `Content-Length: +2\r\n`,
    `Content-Length: -1\r\n`,
    `Content-Length: 0x2\r\n`,
    `Content-Length: 2 2\r\n`,
    `Transfer-Encoding: chunked, identity\r\n`,
    `Transfer-Encoding: xchunked\r\n`,
    `Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n`,
    `Transfer-Encoding:\tchunked\r\nContent-Length: 6\r\n`,
    `Transfer-Encoding : chunked\r\n`,
    `Transfer-Encoding\r\n: chunked\r\n`,
    `X: y\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n`,
  ];
  for (const shape of shapes) {
    const connection = await RawConnection.open(served.port);
    connection.write(
      `POST /v1/activations/none/runs HTTP/1.1\r\n${HOST}${json}${shape}\r\n0\r\n\r\n${inner}`,
    );
    const first = await connection.answer();
    assertFailure(first, 400);
    assert.equal(await connection.answer(), undefined, `two answers to ${JSON.stringify(shape)}`);
  }
  for (const chunk of [
    '-1\r\nx\r\n',
    'zz\r\n',
    '1;\nx\r\n',
    '2\r\nxx0\r\n\r\n',
    'ffffffffffffffffff\r\n',
    '1\nx\n0\n\n',
  ]) {
    assertFailure(await send(...post(`${json}Transfer-Encoding: chunked\r\n`, chunk)), 400);
  }
});

test('a header that decides something is refused when it comes twice', async () => {
  for (const header of [
    'Host: localhost',
    'Authorization: Bearer x',
    'Origin: http://localhost',
    'Content-Type: text/plain',
    'Idempotency-Key: a',
  ]) {
    const twice = `${header}\r\n${header}\r\n`;
    const own = header.startsWith('Host') ? '' : HOST;
    assertFailure(await send(`POST /v1/activations/customers/runs HTTP/1.1\r\n${own}${twice}\r\n`), 400);
  }
});

test('a target that is no path is refused', async () => {
  for (const target of [
    'http://localhost/v1/runs',
    'http://evil.example/v1/runs',
    '//evil.example/v1/runs',
    '*',
    'localhost:443',
  ]) {
    const method = target === '*' ? 'OPTIONS' : 'GET';
    assertFailure(await send(`${method} ${target} HTTP/1.1\r\n${HOST}\r\n`), 400, 404);
  }
  const connection = await RawConnection.open(served.port);
  connection.write(`CONNECT localhost:22 HTTP/1.1\r\n${HOST}\r\n`);
  assert.notEqual((await connection.answer())?.status, 200);
  connection.destroy();
});

test('tricks with paths reach nothing', async () => {
  const names = [
    '%2e%2e',
    '..',
    '.',
    '%2e',
    '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
    'a%2fb',
    'customers%00',
    'customers%0d%0aX:%20y',
    '%',
    '%zz',
    '%c0%ae',
    '%ff',
    'customers%20',
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    '%5f%5fproto%5f%5f',
    'customers;a=b',
    'customers%3fx',
    '*',
    '{name}',
    ':name',
    'n'.repeat(101),
    'n'.repeat(5000),
    '%F0%9F%98%80',
    'customers\\..\\orders',
    "'%20or%201=1--",
    '%24%7Bfile:/etc/passwd%7D',
  ];
  for (const name of names) {
    for (const target of [
      `GET /v1/activations/${name}`,
      `GET /v1/activations/${name}/preview`,
      `GET /v1/runs/${name}`,
      `GET /v1/runs/${name}/events`,
      `POST /v1/activations/${name}/runs`,
      `POST /v1/runs/${name}/cancel`,
    ]) {
      const answer = await send(`${target} HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`);
      // `/v1/runs/.` is a path as any other: nothing is resolved.
      assertFailure(answer, 400, 404);
      assert.ok((answer?.text.length ?? 0) < 1000, 'the name comes back');
      assert.ok(!answer?.headers.has('x'));
    }
  }
  for (const path of [
    '/v1/../healthz',
    '/v1/%2e%2e/healthz',
    '//healthz',
    '/healthz/',
    '/HEALTHZ',
    '/healthz%00',
    '/./healthz',
    '/v1//runs',
    '/v1/runs/',
    '/healthz/../metrics',
    '/.env',
    '/v1',
    '/',
  ]) {
    assertFailure(await send(`GET ${path} HTTP/1.1\r\n${HOST}\r\n`), 400, 404);
  }
});

test('keys that JavaScript treats specially are keys as any other', async () => {
  const bodies = [
    '{"__proto__":{"full":true}}',
    '{"__proto__":null}',
    '{"constructor":{"prototype":{"full":true}}}',
    '{"toString":1}',
    '{"full":true,"__proto__":{"allowRemovals":true}}',
    '{"\\u005f_proto__":{"full":true}}',
  ];
  for (const body of bodies) {
    assertFailure(
      await send(...post(`Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`, body)),
      400,
    );
  }
  for (const query of [
    '__proto__=1',
    '__proto__[limit]=1',
    'constructor=1',
    'constructor[prototype][x]=1',
    'limit[]=1',
    'limit=1&__proto__=2',
    'toString',
  ]) {
    assertFailure(await send(`GET /v1/runs?${query} HTTP/1.1\r\n${HOST}\r\n`), 400);
  }
  assert.equal(({} as Record<string, unknown>)['full'], undefined);
});

test('bodies that are no JSON of ours are refused', async () => {
  const json = 'Content-Type: application/json\r\n';
  const deep = 30_000;
  const bodies: (string | Buffer)[] = [
    '{',
    '{}{}',
    '{} x',
    'undefined',
    "{'full':true}",
    '{"full":tru',
    '{"full":true,}',
    '\u0000',
    '//\n{}',
    'NaN',
    '1e999',
    '[]',
    '"\\ud800"',
    '['.repeat(deep) + ']'.repeat(deep),
    `${'{"a":'.repeat(9000)}1${'}'.repeat(9000)}`,
    `{"full":${'['.repeat(deep)}${']'.repeat(deep)}}`,
    '{"full":true,"full":true}',
    '{"full":true,"full":{"a":1}}',
    `{${'"k":1,'.repeat(5000)}"k":1}`,
    Buffer.from([0x7b, 0xff, 0x7d]),
    Buffer.from([0x22, 0xc3, 0x28, 0x22]),
    Buffer.from('\ufeff{"full":1}', 'utf8'),
    Buffer.from('{}', 'utf16le'),
    Buffer.from([0xed, 0xa0, 0x80]),
    '{"full":true,"nul\\u0000":1}',
  ];
  for (const body of bodies) {
    const bytes = Buffer.from(body);
    assertFailure(await send(...post(`${json}Content-Length: ${bytes.length}\r\n`, bytes)), 400);
  }
  for (const type of [
    'text/plain',
    'application/xml',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonp',
    'text/json',
    '',
    '/',
    'a'.repeat(3000),
  ]) {
    assertFailure(await send(...post(`Content-Type: ${type}\r\nContent-Length: 2\r\n`, '{}')), 415);
  }
  assertFailure(await send(...post('Content-Length: 2\r\n', '{}')), 415);
});

test('unknown methods and paths are refused, and known paths name their methods', async () => {
  const status = async (target: string): Promise<[number | undefined, string | null | undefined]> => {
    const answer = await send(`${target} HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`);
    if (!target.startsWith('HEAD')) assertFailure(answer, 404, 405);
    return [answer?.status, answer?.headers.get('allow')];
  };
  for (const method of [
    'PUT',
    'DELETE',
    'PATCH',
    'OPTIONS',
    'TRACE',
    'PROPFIND',
    'M-SEARCH',
    'QUERY',
    'PURGE',
    'POST',
  ]) {
    if (method !== 'POST')
      assert.deepEqual(await status(`${method} /v1/activations/customers/runs`), [405, 'POST'], method);
    assert.deepEqual(await status(`${method} /v1/runs?limit=1`), [405, 'GET, HEAD'], method);
    assert.deepEqual(await status(`${method} /v1/nothing`), [404, null], method);
  }
  assert.deepEqual(await status('GET /v1/activations/customers/runs'), [405, 'POST']);
});

test('a secret that comes in does not come out', async () => {
  const encoded = encodeURIComponent(SECRET);
  const body = JSON.stringify({ [SECRET]: SECRET });
  const answers = [
    await send(`GET /v1/runs?${encoded}=1 HTTP/1.1\r\n${HOST}\r\n`),
    await send(`GET /v1/runs?state=${encoded} HTTP/1.1\r\n${HOST}\r\n`),
    await send(`GET /v1/activations/${encoded} HTTP/1.1\r\n${HOST}\r\n`),
    await send(`GET /${encoded} HTTP/1.1\r\n${HOST}\r\n`),
    await send(`${SECRET} /v1/runs HTTP/1.1\r\n${HOST}\r\n`),
    await send(...post(`Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`, body)),
    await send(...post(`Content-Type: ${SECRET}\r\nContent-Length: 2\r\n`, '{}')),
    await send(...post(`Idempotency-Key: ${SECRET} ${SECRET}\r\n`)),
    await send(`GET /v1/runs HTTP/1.1\r\nHost: ${SECRET}\r\n\r\n`),
    await send(`GET /v1/runs HTTP/1.1\r\n${HOST}Origin: http://${SECRET}\r\n\r\n`),
  ];
  for (const answer of answers) {
    assertFailure(answer, 400, 403, 404, 415);
    const text = JSON.stringify([answer?.text, [...(answer?.headers ?? [])]]);
    assert.ok(!text.includes(SECRET) && !text.includes(encoded), text);
  }
  assert.ok(!JSON.stringify(await served.audit()).includes(SECRET));
});

test('requests in one go are answered in their order', async () => {
  const connection = await RawConnection.open(served.port);
  const paths = Array.from({ length: 100 }, (_, index) =>
    index % 2 === 0 ? '/healthz' : `/v1/runs?limit=${index + 1}`,
  );
  connection.write(paths.map(path => `GET ${path} HTTP/1.1\r\n${HOST}\r\n`).join(''));
  for (const path of paths) {
    const answer = await connection.answer();
    assert.equal(answer?.status, 200);
    assert.equal(answer.text === '{"status":"alive"}', path === '/healthz');
  }
  connection.destroy();
});

test('waits in one go are bounded too', async () => {
  const { run } = (await client.call<{ run: string }>('triggerRun', { path: { name: 'orders' } })).body;
  const connection = await RawConnection.open(served.port);
  const wait = `GET /v1/runs/${run}?wait=5m HTTP/1.1\r\n${HOST}\r\n`;
  connection.write(wait.repeat(300));
  await until(() => served.operations.listenersOf(run) === LIMITS.waits, 'as many wait as may');
  assertFailure(await send(wait), 429);
  connection.destroy();
  await noListeners(run);
  assert.equal((await send(wait.replace('5m', '1ms')))?.status, 200);
  served.operations.become(run, 'cancelled');
});

test('1,000 connections that say nothing keep nobody out, and end', async () => {
  const idle = await Promise.all(Array.from({ length: 1000 }, () => open()));
  assert.equal((await client.call('getHealth')).status, 200);
  await Promise.all(idle.map(ended));
});

test('1,000 connections that stay after their request make room for others', async () => {
  const own = await Served.start({ limits: { connections: 1000 } });
  const idle: RawConnection[] = [];
  try {
    for (let count = 0; count < 1000; count++) {
      const connection = await RawConnection.open(own.port);
      idle.push(connection);
      connection.write(`GET /healthz HTTP/1.1\r\n${HOST}\r\n`);
      assert.equal((await connection.answer())?.status, 200);
    }
    // The first beyond the limit may be turned away, but not the next.
    let status: number | undefined;
    for (let attempt = 0; attempt < 5 && status === undefined; attempt++) {
      status = (await rawRequest(own.port, `GET /healthz HTTP/1.1\r\n${HOST}\r\n`))?.status;
    }
    assert.equal(status, 200);
  } finally {
    for (const connection of idle) connection.destroy();
    await own.dispose();
  }
});

test('1,000 event streams are bounded, and leave nothing behind', async () => {
  const { run } = (await client.call<{ run: string }>('triggerRun', { path: { name: 'orders' } })).body;
  const connections = await Promise.all(
    Array.from({ length: 1000 }, async () => {
      const connection = await RawConnection.open(served.port);
      connection.write(`GET /v1/runs/${run}/events HTTP/1.1\r\n${HOST}\r\n`);
      return connection;
    }),
  );
  const heads = await Promise.all(connections.map(connection => connection.until('\r\n\r\n')));
  const counted = (status: number): number =>
    heads.filter(head => head.startsWith(`HTTP/1.1 ${status} `)).length;
  assert.deepEqual([counted(200), counted(429)], [256, 744]);
  assert.equal((await client.call('getHealth')).status, 200);
  for (const connection of connections) connection.destroy();
  await noListeners(run);
  served.operations.become(run, 'cancelled');
});

test('garbage after a good request ends the connection, not the daemon', async () => {
  const { run } = (await client.call<{ run: string }>('triggerRun', { path: { name: 'orders' } })).body;
  const connection = await RawConnection.open(served.port);
  connection.write(`GET /v1/runs/${run}/events HTTP/1.1\r\n${HOST}\r\n`);
  await connection.until('id: 1');
  connection.write('\u0000\u0000garbage\r\n\r\n');
  await connection.closed();
  assert.doesNotMatch(await connection.until('never'), /HTTP\/1\.1 400/);
  await noListeners(run);
  served.operations.become(run, 'cancelled');
});

test('clients that go away at any moment leave nothing behind', async () => {
  const { run } = (await client.call<{ run: string }>('triggerRun', { path: { name: 'orders' } })).body;
  const requests = [
    `GET /v1/runs/${run}?wait=5m`,
    `GET /v1/runs/${run}/events`,
    `GET /v1/activations/orders/preview`,
    'POST /v1/reload',
  ];
  for (let round = 0; round < 50; round++) {
    const socket = await open();
    const text = `${requests[round % requests.length]} HTTP/1.1\r\n${HOST}\r\n`;
    socket.write(text.slice(0, 1 + ((round * 7) % text.length)));
    if (round % 3 === 0) await delay(1);
    if (round % 2 === 0) socket.destroy();
    else socket.resetAndDestroy();
  }
  await noListeners(run);
  served.operations.become(run, 'cancelled');
});

const noListeners = (run: string): Promise<void> =>
  until(() => served.operations.listenersOf(run) === 0, 'nobody listens to the run any more');

async function open(): Promise<Socket> {
  const socket = connect(served.port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

async function ended(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.destroyed) await once(socket, 'close');
}
