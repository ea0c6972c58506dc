import assert from 'node:assert/strict';
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
