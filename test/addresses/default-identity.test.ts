import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { lazyIdentity } from '../../src/addresses/default-identity.ts';

test('loads the package once, when the first token is asked for', async () => {
  let loaded = 0;
  class DefaultAzureCredential {
    async getToken(scopes: string | string[]) {
      return { token: `${scopes}`, expiresOnTimestamp: 1 };
    }
  }
  const credential = lazyIdentity({
    load: async () => {
      loaded++;
      return { DefaultAzureCredential };
    },
  });
  assert.equal(loaded, 0);
  assert.equal((await credential.getToken('a'))?.token, 'a');
  assert.equal((await credential.getToken('b'))?.token, 'b');
  assert.equal(loaded, 1);
});

test('says what to install where the package is missing', async () => {
  const credential = lazyIdentity({ load: () => import(`${'@azure'}/not-there`) });
  await assert.rejects(credential.getToken('a'), {
    code: 'NOT_AVAILABLE',
    message: /needs the package @azure\/identity, which is not installed/,
    hint: 'run: npm install @azure/identity',
  });
});

test('gets the token of a managed identity from the service of this machine, past any proxy', async () => {
  const asked: (string | null)[] = [];
  const service = createServer(({ url }, response) => {
    asked.push(new URL(url!, 'http://localhost').searchParams.get('resource'));
    const expires_on = String(Math.floor(Date.now() / 1000) + 3600);
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ access_token: 'token', expires_on, token_type: 'Bearer' }));
  });
  await new Promise<void>(resolve => service.listen(0, '127.0.0.1', resolve));
  process.env['IDENTITY_ENDPOINT'] = `http://127.0.0.1:${(service.address() as AddressInfo).port}/token`;
  process.env['IDENTITY_HEADER'] = 'header';
  process.env['HTTP_PROXY'] = 'http://127.0.0.1:9';
  try {
    const found = await lazyIdentity().getToken('https://storage.azure.com/.default');
    assert.equal(found?.token, 'token');
    assert.deepEqual(asked, ['https://storage.azure.com']);
  } finally {
    for (const name of ['IDENTITY_ENDPOINT', 'IDENTITY_HEADER', 'HTTP_PROXY']) delete process.env[name];
    service.closeAllConnections();
    service.close();
  }
});
