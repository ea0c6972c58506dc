import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import type { AzureAddress } from '../../../src/sinks/azure/azure-auth.ts';
import { AzureBlobStore } from '../../../src/sinks/azure/azure-blob-store.ts';
import { connectContainer } from '../../../src/sinks/azure/azure-connection.ts';

const KEY = Buffer.from('canary key').toString('base64');
const SAS = 'sv=2025-01-05&sr=c&sp=rw&se=2999-01-01&sig=Q0FOQVJZ%3D';
const urlOf = (address: Omit<AzureAddress, 'container'>): string =>
  connectContainer({ container: 'exports', ...address }).url;

test('finds the account in a URL or in any form of connection string', () => {
  const auth = { accountKey: KEY };
  const acme = 'https://acme.blob.core.windows.net/exports';
  assert.equal(urlOf({ accountUrl: 'https://acme.blob.core.windows.net/', auth }), acme);
  const strings: Record<string, string> = {
    [`AccountName=acme;AccountKey=${KEY}`]: acme,
    [`DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=${KEY};EndpointSuffix=core.windows.net`]:
      acme,
    [`AccountName=acme;SharedAccessSignature=${SAS}`]: acme,
    [`BlobEndpoint=https://acme.blob.core.windows.net/;SharedAccessSignature=?${SAS}`]: acme,
    [`BlobEndpoint=http://127.0.0.1:10000/acme;AccountName=acme;AccountKey=${KEY}`]:
      'http://127.0.0.1:10000/acme/exports',
    'UseDevelopmentStorage=true': 'http://127.0.0.1:10000/devstoreaccount1/exports',
  };
  for (const [connectionString, url] of Object.entries(strings)) {
    assert.equal(urlOf({ auth: { connectionString } }), url);
  }
});

test('takes secrets wrapped so that they cannot be printed', () => {
  const sasToken = { reveal: () => `?${SAS}` };
  const { sas, url } = connectContainer({
    accountUrl: 'https://acme.blob.core.windows.net',
    container: 'exports',
    auth: { sasToken },
  });
  assert.equal(sas?.permissions, 'rw');
  assert.doesNotMatch(url, /sig/);
});

test('refuses http but on loopback', () => {
  const auth = { accountKey: KEY };
  for (const host of ['127.0.0.1', '127.9.9.9', 'localhost', '[::1]']) {
    urlOf({ accountUrl: `http://${host}:10000/acme`, auth });
  }
  const bad = [
    'http://acme.blob.core.windows.net',
    'http://10.0.0.1/acme',
    'ftp://acme',
    'http://127.0.0.1.evil.com/a',
  ];
  for (const accountUrl of bad) {
    assert.throws(() => urlOf({ accountUrl, auth }), { code: 'CONFIG_INVALID', message: /is not https/ });
  }
  const connectionString = `DefaultEndpointsProtocol=http;AccountName=acme;AccountKey=${KEY}`;
  assert.throws(() => urlOf({ auth: { connectionString } }), { code: 'CONFIG_INVALID' });
});

test('refuses what names no account or no credentials, without quoting it', () => {
  const addresses: Omit<AzureAddress, 'container'>[] = [
    { accountUrl: `not a URL ${SAS}`, auth: { accountKey: KEY } },
    { accountUrl: `https://acme.blob.core.windows.net?${SAS}`, auth: { accountKey: KEY } },
    { accountUrl: `https://user:Q0FOQVJZ@acme.blob.core.windows.net`, auth: { accountKey: KEY } },
    { accountUrl: 'http://127.0.0.1:10000', auth: { accountKey: KEY } },
    { auth: { accountKey: KEY } },
    { auth: { connectionString: `Q0FOQVJZ${KEY}` } },
    { auth: { connectionString: `AccountName=acme` } },
    { auth: { connectionString: `BlobEndpoint=Q0FOQVJZ;AccountKey=${KEY}` } },
  ];
  for (const address of addresses) {
    assert.throws(
      () => urlOf(address),
      (error: Error & { code: string }) => {
        assert.equal(error.code, 'CONFIG_INVALID');
        const seen = inspect(error, { depth: 20, showHidden: true });
        assert.doesNotMatch(seen, /Q0FOQVJZ/);
        assert.ok(!seen.includes(KEY));
        return true;
      },
    );
  }
});

test('shows nothing of the credentials when a store is inspected or written as JSON', () => {
  const store = new AzureBlobStore({
    accountUrl: 'https://acme.blob.core.windows.net',
    container: 'exports',
    auth: { sasToken: SAS },
  });
  assert.doesNotMatch(inspect(store, { depth: 20, showHidden: true }) + JSON.stringify(store), /Q0FOQVJZ/);
});
