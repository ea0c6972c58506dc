import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { lazyIdentity } from '../../src/addresses/default-identity.ts';
import { Proxies, type ProxyEnvironment } from '../../src/addresses/proxies.ts';
import { Webhook } from '../../src/daemon/notify/webhook.ts';
import { AzureBlobStore } from '../../src/sinks/azure/azure-blob-store.ts';
import { notification } from '../daemon/notify/notifications.ts';
import { ManualClock } from '../daemon/support/manual-clock.ts';

const PROXY = 'http://proxy.corp:8080';
const AZURE = 'https://acme.blob.core.windows.net/exports';
const way = (environment: ProxyEnvironment, url = AZURE): string | undefined =>
  new Proxies(environment).proxyFor(new URL(url))?.label;

test('takes the proxy of the protocol, in either case, and one for all where there is none', () => {
  assert.equal(way({ HTTPS_PROXY: PROXY }), PROXY);
  assert.equal(way({ https_proxy: PROXY }), PROXY);
  assert.equal(way({ HTTP_PROXY: PROXY }), undefined);
  assert.equal(way({ HTTP_PROXY: PROXY, HTTPS_PROXY: 'http://other:1' }, 'http://example.com/'), PROXY);
  assert.equal(way({ HTTPS_PROXY: PROXY }, 'http://example.com/'), undefined);
  assert.equal(way({ ALL_PROXY: PROXY }), PROXY);
  assert.equal(way({ all_proxy: PROXY, HTTPS_PROXY: 'http://other:1' }), 'http://other:1');
  assert.equal(way({ HTTPS_PROXY: ' ' }), undefined);
  assert.equal(way({}), undefined);
});

test('sends nothing for this machine, or for the link that it hangs on, through a proxy', () => {
  const direct = [
    'http://127.0.0.1:10000/',
    'http://127.200.3.4/',
    'http://localhost:10000/',
    'http://azurite.localhost/',
    'https://[::1]:8443/',
    'http://169.254.169.254/metadata/identity/oauth2/token',
    'http://[fe80::1]/',
    'http://[::ffff:127.0.0.1]/',
  ];
  const all = { HTTP_PROXY: PROXY, HTTPS_PROXY: PROXY, ALL_PROXY: PROXY };
  for (const url of direct) assert.equal(way(all, url), undefined, url);
  for (const url of [
    'http://128.0.0.1/',
    'http://localhost.example.com/',
    'http://notlocalhost/',
    'http://169.253.1.1/',
  ]) {
    assert.equal(way(all, url), PROXY, url);
  }
});

test('understands exceptions as people write them', () => {
  const excepted = (exception: string, url = AZURE): boolean => {
    const environment = { HTTPS_PROXY: PROXY, HTTP_PROXY: PROXY };
    const upper = way({ ...environment, NO_PROXY: exception }, url) === undefined;
    assert.equal(way({ ...environment, no_proxy: exception }, url) === undefined, upper);
    return upper;
  };
  for (const exception of [
    '*',
    'windows.net',
    '.windows.net',
    '*.windows.net',
    '*.blob.core.windows.net',
    'ACME.blob.core.windows.net',
    'acme.blob.core.windows.net:443',
    'windows.net:443',
    'https://acme.blob.core.windows.net',
    'localhost, windows.net',
    'localhost  windows.net',
    ' example.com ,, .windows.net ',
    'windows.net.',
  ]) {
    assert.ok(excepted(exception), exception);
  }
  for (const exception of [
    '',
    ',',
    'ndows.net',
    'windows.net:8443',
    'blob',
    'acme',
    'windows.ne',
    '10.0.0.0/8',
  ]) {
    assert.ok(!excepted(exception), exception);
  }
  for (const [exception, url, expected] of [
    ['10.0.0.0/8', 'http://10.1.2.3/', true],
    ['10.0.0.0/8', 'http://11.1.2.3/', false],
    ['192.168.4.0/22', 'http://192.168.7.255:9000/', true],
    ['192.168.4.0/22', 'http://192.168.8.0/', false],
    ['10.1.2.3', 'http://10.1.2.3/', true],
    ['10.1.2.3:9000', 'http://10.1.2.3:9000/', true],
    ['10.1.2.3:9000', 'http://10.1.2.3/', false],
    ['1.2.3', 'http://10.1.2.3/', false],
    ['0.0.0.0/0', 'http://8.8.8.8/', true],
    ['fd00::/8', 'http://[fd12:3456::1]/', true],
    ['fd00::/8', 'http://[fe12::1]/', false],
    ['[fd00::1]:8080', 'http://[fd00::1]:8080/', true],
    ['fd00:0:0::1', 'http://[fd00::1]/', true],
    ['10.0.0.0/99', 'http://10.1.2.3/', false],
  ] as const) {
    assert.equal(excepted(exception, url), expected, `${exception} for ${url}`);
  }
});

test('takes a proxy without a scheme, and names the variable of one that is none', () => {
  assert.equal(way({ HTTPS_PROXY: 'proxy.corp:8080' }), PROXY);
  assert.equal(way({ HTTPS_PROXY: '10.0.0.1:3128' }), 'http://10.0.0.1:3128');
  assert.equal(way({ HTTPS_PROXY: 'bob:s3cret@proxy.corp:8080/' }), PROXY);
  for (const [bad, why] of [
    ['socks5://s3cret@proxy:1080', /https_proxy.*socks5/],
    ['http://', /https_proxy is not the URL/],
    ['http://bob:s3cret@proxy:port', /https_proxy/],
    ['http://bob:s3cret%zz@proxy:80', /https_proxy.*percent-encoded/],
  ] as const) {
    assert.throws(
      () => way({ https_proxy: bad }),
      (error: Error & { code: string }) => {
        assert.equal(error.code, 'CONFIG_INVALID');
        assert.match(error.message, why);
        assert.doesNotMatch(inspect(error), /s3cret/);
        return true;
      },
    );
  }
  assert.equal(way({ HTTPS_PROXY: '::::' }, 'http://127.0.0.1/'), undefined);
});

test('knows what of it is secret, in every form, and shows nothing of it', () => {
  const proxies = new Proxies({
    HTTPS_PROXY: 'http://bob:s3%63ret@proxy:1',
    all_proxy: 'eve:passw0rd@other:1',
  });
  const secrets = proxies.secrets();
  for (const secret of ['s3%63ret', Buffer.from('bob:s3cret').toString('base64'), 'passw0rd']) {
    assert.ok(secrets.includes(secret), secret);
  }
  assert.doesNotMatch(
    inspect(proxies, { depth: 9, showHidden: true }) + JSON.stringify(proxies),
    /s3|passw0rd/,
  );
});

/** A proxy that answers every request itself, tunnels too. */
async function withProxy(
  status: number,
  act: (proxy: { readonly port: number; readonly asked: string[] }) => Promise<void>,
): Promise<void> {
  const asked: string[] = [];
  const server = createServer(({ method, url }, response) => {
    asked.push(`${method} ${url}`);
    response.writeHead(status).end();
  });
  server.on('connect', ({ method, url }, socket) => {
    asked.push(`${method} ${url}`);
    socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await act({ port: (server.address() as AddressInfo).port, asked });
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

const storeBehind = (environment: ProxyEnvironment, accountUrl = 'https://acme.blob.core.windows.net') =>
  new AzureBlobStore({
    accountUrl,
    container: 'exports',
    auth: {
      accountKey: 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
    },
    retryBudgetMs: 0,
    proxies: new Proxies(environment),
  });

for (const [status, text, retryable] of [
  [407, /asks for a user and a password/, false],
  [502, /the proxy http:\/\/127\.0\.0\.1:\d+ answered 502 itself/, true],
  [503, /answered 503 itself/, true],
  [403, /answered 403 itself/, false],
] as const) {
  for (const target of [
    'https://acme.blob.core.windows.net',
    'http://azurite.example:10000/devstoreaccount1',
  ]) {
    test(`tells that it was the proxy which answered ${status}, on the way to ${target.slice(0, 8)}`, () =>
      withProxy(status, async ({ port, asked }) => {
        const proxy = `http://bob:s3cret@127.0.0.1:${port}`;
        const store = storeBehind({ HTTPS_PROXY: proxy, HTTP_PROXY: proxy }, target);
        const error = await store.checkAccess().catch((thrown: unknown) => thrown);
        assert.match(String(error), text);
        assert.equal((error as { code: string }).code, 'DESTINATION_CONNECT_FAILED');
        assert.equal((error as { retryable: boolean }).retryable, retryable);
        assert.doesNotMatch(inspect(error, { depth: 9 }), /s3cret/);
        assert.match(
          asked[0]!,
          target.startsWith('https') ? /^CONNECT acme/ : /^HEAD http:\/\/azurite\.example/,
        );
      }));
  }
}

test('names the proxy that cannot be reached', async () => {
  const store = storeBehind({ HTTPS_PROXY: 'bob:s3cret@127.0.0.1:9' });
  const error = await store.checkAccess().catch((thrown: unknown) => thrown);
  assert.match(String(error), /through the proxy http:\/\/127\.0\.0\.1:9 failed \(ECONNREFUSED\)/);
  assert.doesNotMatch(inspect(error, { depth: 9 }), /s3cret/);
});

test('the variables of this process decide nothing that they were not asked about', async t => {
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY'];
  const before = { ...process.env };
  t.after(() => {
    for (const name of names) {
      delete process.env[name];
      if (before[name] !== undefined) process.env[name] = before[name];
    }
  });
  await withProxy(502, async ({ port, asked }) => {
    for (const name of names.slice(0, 3)) process.env[name] = `127.0.0.1:${port}`;
    const store = storeBehind({}, 'http://127.0.0.1:1/devstoreaccount1');
    await assert.rejects(store.checkAccess(), /ECONNREFUSED/);
    assert.deepEqual(asked, []);
  });
});

test('a webhook goes by the same rule, and names the proxy where it cannot be delivered', () =>
  withProxy(204, async ({ port, asked }) => {
    const proxy = `http://bob:s3cret@127.0.0.1:${port}`;
    const send = (url: string, environment: ProxyEnvironment) =>
      new Webhook({
        url,
        style: 'generic',
        secret: undefined,
        clock: new ManualClock('2026-06-01T00:00:05Z'),
        timeoutMs: 15_000,
        userAgent: 'Sluice/1.2.3',
        proxies: new Proxies(environment),
      }).send(notification('n1'), new AbortController().signal);
    const all = { HTTP_PROXY: proxy, HTTPS_PROXY: proxy };
    await send('http://hooks.example/abc', all);
    await assert.rejects(send('https://hooks.example/abc', all), /through the proxy http:\/\/127.*PROXY_204/);
    await assert.rejects(send('http://127.0.0.1:1/abc', all), /cannot be reached \(ECONNREFUSED\)/);
    await assert.rejects(send('http://hooks.example/', { HTTP_PROXY: 'socks5://x' }), /HTTP_PROXY/);
    assert.deepEqual(asked, ['POST http://hooks.example/abc', 'CONNECT hooks.example:443']);
  }));

test('identities go by the same rule, and the service that hands out tokens never through a proxy', async () => {
  type Policy = {
    sendRequest(request: object, next: (request: { agent: object }) => Promise<string>): Promise<string>;
  };
  let policy: Policy | undefined;
  class DefaultAzureCredential {
    constructor({ additionalPolicies }: { additionalPolicies: { policy: Policy }[] }) {
      policy = additionalPolicies[0]?.policy;
    }
    getToken = async () => null;
  }
  const proxies = new Proxies({ HTTP_PROXY: PROXY, HTTPS_PROXY: PROXY });
  await lazyIdentity({ load: async () => ({ DefaultAzureCredential }), proxies }).getToken('a');
  const agentOf = (url: string) =>
    policy?.sendRequest({ url }, async ({ agent }: { agent: object }) => agent.constructor.name);
  assert.equal(await agentOf('http://169.254.169.254/metadata/identity/oauth2/token'), 'Agent');
  assert.equal(await agentOf('https://login.microsoftonline.com/x'), 'Tunnel');
});
