import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib';
import { ConsoleFiles } from '../../../src/daemon/api/console-files.ts';
import { send } from './support/plain-request.ts';
import { Served } from './support/served.ts';

const PAGE = '<!doctype html><title>Sluice</title>';
const SCRIPT = 'app-A1B2C3D4.js';
const FILES = new ConsoleFiles(
  new Map([
    ['index.html', Buffer.from(PAGE)],
    [SCRIPT, Buffer.from('start()')],
    [`${SCRIPT}.br`, brotliCompressSync('start()')],
  ]),
);

let open: Served;
let closed: Served;

before(async () => {
  open = await Served.start({ console: FILES });
  closed = await Served.start({ console: FILES, read: ['a-token-that-may-read'] });
});
after(() => Promise.all([open.dispose(), closed.dispose()]));

test('the console is served without a token, under a policy that lets no foreign script run', async () => {
  for (const { url } of [open, closed]) {
    const page = await fetch(`${url}/`);
    assert.equal(page.status, 200);
    assert.equal(await page.text(), PAGE);
    assert.equal(page.headers.get('cache-control'), 'no-cache');
    const policy = page.headers.get('content-security-policy') ?? '';
    for (const rule of [
      "default-src 'none'",
      "script-src 'self'",
      "frame-ancestors 'none'",
      "trusted-types 'none'",
    ])
      assert.ok(policy.includes(rule), rule);
    assert.doesNotMatch(policy, /unsafe|\*/);
    const script = await fetch(`${url}/console/${SCRIPT}`, { headers: { 'accept-encoding': 'identity' } });
    assert.match(script.headers.get('cache-control')!, /immutable/);
    assert.equal(script.headers.get('content-type'), 'text/javascript; charset=utf-8');
    assert.equal(await script.text(), 'start()');
  }
});

test('a browser that can unpack is sent the packed file', async () => {
  const { headers, body } = await send(open.port, 'GET', `/console/${SCRIPT}`, {
    'accept-encoding': 'gzip;q=0.5, br',
  });
  assert.equal(headers['content-encoding'], 'br');
  assert.equal(headers['vary'], 'Accept-Encoding');
  assert.equal(brotliDecompressSync(body).toString(), 'start()');
});

test('a link from elsewhere opens the page, and nothing else of the daemon', async () => {
  const linked = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
  const status = async (path: string, headers: Record<string, string>) =>
    (await send(open.port, 'GET', path, headers)).status;
  assert.equal(await status('/', linked), 200);
  assert.equal(await status('/v1/runs', linked), 403);
  assert.equal(await status(`/console/${SCRIPT}`, { 'sec-fetch-site': 'cross-site' }), 403);
});

test('another name of the daemon is refused for its pages too where there are no tokens', async () => {
  const host = { host: 'evil.example' };
  assert.equal((await send(open.port, 'GET', '/', host)).status, 403);
  assert.equal((await send(closed.port, 'GET', '/', host)).status, 200);
});

test('only files of the console are served', async () => {
  for (const path of ['index.html', 'app.js', '..%2fpackage.json', '%2e%2e', `${SCRIPT}.br`, ''])
    assert.equal((await send(open.port, 'GET', `/console/${path}`, {})).status, 404, path);
  assert.equal((await fetch(`${open.url}/`, { method: 'POST' })).status, 404);
});

test('a daemon whose console is switched off, or not built, has nothing there', async () => {
  const off = await Served.start({ console: false });
  try {
    assert.equal((await fetch(`${off.url}/`)).status, 404);
  } finally {
    await off.dispose();
  }
});
