import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { AddressFault } from '../../src/addresses/address-fault.ts';
import {
  type AzureDestination,
  type PlainAzureAuth,
  parseAzureAccount,
} from '../../src/addresses/azure-account.ts';

const KEY = Buffer.from('canary key').toString('base64');
const PUBLIC_KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';
const SAS = 'sv=2025-01-05&sr=c&sp=rw&sig=ab%2B%2Fcdefghijklmnopqrstuvwxyz0123456789ABC%2BE%3D';
const EMULATOR = 'devstoreaccount1';

const parse = (given: Omit<AzureDestination, 'container'> & { container?: string }) =>
  parseAzureAccount({ container: 'exports', ...given });
const string = (connectionString: string) => parse({ auth: { connectionString } });
const named = ({ endpoint, accountName }: ReturnType<typeof parse>) => `${accountName} at ${endpoint}`;

function fault(given: Parameters<typeof parse>[0]): string {
  try {
    parse(given);
  } catch (error) {
    assert.ok(error instanceof AddressFault, inspect(error));
    assert.doesNotMatch(inspect(error), /cdefgh|Y2FuYXJ5/);
    return `${error.key} ${error.message}`;
  }
  throw assert.fail('the address was accepted');
}
const stringFault = (connectionString: string) => fault({ auth: { connectionString } });

test('keeps the account name that a connection string gives, whatever its endpoint', () => {
  const key = `AccountKey=${KEY}`;
  const strings: Record<string, string> = {
    [`AccountName=acme;${key};BlobEndpoint=http://127.0.0.1:9`]: 'acme at http://127.0.0.1:9',
    [`AccountName=acme;${key};BlobEndpoint=http://127.0.0.1:9/other`]: 'acme at http://127.0.0.1:9/other',
    [`BLOBENDPOINT = https://files.acme.com ;\n accountname=acme;\r\n${key};`]:
      'acme at https://files.acme.com',
    [`DefaultEndpointsProtocol=https;AccountName=acme;${key};EndpointSuffix=core.chinacloudapi.cn`]:
      'acme at https://acme.blob.core.chinacloudapi.cn',
    [`BlobEndpoint=https://acme.privatelink.blob.core.windows.net;${key}`]:
      'acme at https://acme.privatelink.blob.core.windows.net',
    [`BlobEndpoint=https://acme.z13.blob.storage.azure.net;${key}`]:
      'acme at https://acme.z13.blob.storage.azure.net',
    [`DefaultEndpointsProtocol=https;AccountName=acme;${key};BlobEndpoint=files.acme.com`]:
      'acme at https://files.acme.com',
    [`BlobEndpoint=https://azurite:10000/${EMULATOR};${key}`]: `${EMULATOR} at https://azurite:10000/${EMULATOR}`,
    'UseDevelopmentStorage=true': `${EMULATOR} at http://127.0.0.1:10000/${EMULATOR}`,
    'UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://127.0.0.1:4711': `${EMULATOR} at http://127.0.0.1:4711/${EMULATOR}`,
    'DevelopmentStorageProxyUri=http://azurite;UseDevelopmentStorage=true': `${EMULATOR} at http://azurite:10000/${EMULATOR}`,
  };
  for (const [text, expected] of Object.entries(strings)) assert.equal(named(string(text)), expected, text);
});

test('takes the account name beside the URL of a domain of its own', () => {
  const auth = { accountKey: KEY };
  const accountUrl = 'https://files.acme.com';
  assert.equal(named(parse({ accountUrl, accountName: 'acme', auth })), `acme at ${accountUrl}`);
  assert.match(
    fault({ accountUrl: 'https://acme.blob.core.windows.net', accountName: 'other', auth }),
    /accountUrl names the storage account acme, and the account name is other/,
  );
});

test('takes http for loopback and for the public key of the emulator, on whatever host it runs', () => {
  const hosts = ['127.0.0.1', '127.9.9.9', 'localhost', '[::1]', 'azurite.localhost'];
  for (const host of hosts) {
    parse({ accountUrl: `http://${host}:10000/acme`, auth: { accountKey: KEY } });
    parse({ accountUrl: `http://${host}:10000/acme`, auth: { sasToken: SAS } });
  }
  for (const host of ['azurite', 'host.docker.internal', '172.17.0.2', '[fd00::2]', 'azurite.corp.example']) {
    const accountUrl = `http://${host}:10000/${EMULATOR}`;
    const connectionString = `AccountName=${EMULATOR};AccountKey=${PUBLIC_KEY};BlobEndpoint=${accountUrl}`;
    const accepted: PlainAzureAuth[] = [{ accountKey: PUBLIC_KEY }, { sasToken: SAS }];
    for (const auth of accepted)
      assert.equal(named(parse({ accountUrl, auth })), `${EMULATOR} at ${accountUrl}`);
    assert.equal(named(string(connectionString)), `${EMULATOR} at ${accountUrl}`);
    for (const [url, auth] of [
      [accountUrl, { accountKey: KEY }],
      [accountUrl, { identity: 'default' }],
      [`http://${host}:10000/acme`, { sasToken: SAS }],
      [`http://${host}:10000/acme`, { accountKey: PUBLIC_KEY }],
    ] as const) {
      assert.match(
        fault({ accountUrl: url, auth }),
        /accountUrl is not https.*in clear.*use https, a loopback/,
      );
    }
  }
  assert.match(
    stringFault(`DefaultEndpointsProtocol=http;AccountName=acme;AccountKey=${KEY}`),
    /is not https/,
  );
});

test('refuses an address without an account, and names the path of the emulator', () => {
  for (const host of ['127.0.0.1:10000', 'localhost:10000', '[::1]:10000']) {
    for (const auth of [{ accountKey: KEY }, { sasToken: SAS }]) {
      assert.match(fault({ accountUrl: `http://${host}`, auth }), /\/devstoreaccount1/);
    }
  }
});

test('refuses an address that names more than the account', () => {
  const auth = { accountKey: KEY };
  const azure = 'https://acme.blob.core.windows.net';
  assert.match(fault({ accountUrl: `${azure}/exports`, auth }), /names the container too/);
  assert.match(fault({ accountUrl: `${azure}/exports/crm`, auth }), /path/);
  assert.match(fault({ accountUrl: `http://127.0.0.1:10000/${EMULATOR}/exports`, auth }), /container too/);
  assert.match(fault({ accountUrl: `${azure}?${SAS}`, auth }), /auth\.sasToken/);
});

test('names quotes that belong to no value, and what a connection string lacks', () => {
  const whole = `AccountName=acme;AccountKey=${KEY}`;
  assert.match(stringFault(`"${whole}"`), /connectionString stands in quotes/);
  assert.match(stringFault(`'${whole}'`), /quotes/);
  assert.match(stringFault('AccountName=acme'), /neither AccountKey nor SharedAccessSignature/);
  assert.match(stringFault(`AccountKey=${KEY}`), /neither AccountName nor BlobEndpoint/);
  assert.match(stringFault(`DefaultEndpointsProtocol=ftp;${whole}`), /DefaultEndpointsProtocol/);
  assert.match(stringFault('nonsense'), /Name=value/);
  assert.match(
    stringFault(`AccountName=acme;SharedAccessSignature="${SAS}`),
    /connectionString has a SAS token.*quote/,
  );
  const accountUrl = 'https://acme.blob.core.windows.net';
  assert.match(
    fault({ accountUrl: `"${accountUrl}"`, auth: { accountKey: KEY } }),
    /accountUrl stands in quotes/,
  );
  assert.match(
    fault({ accountUrl, auth: { accountKey: `"${KEY}"` } }),
    /accountKey holds an account key in quotes/,
  );
});

test('refuses a SAS URL that is for something else than the destination', () => {
  const accountUrl = 'https://acme.blob.core.windows.net';
  const sas = (url: string, { folder = '', token = SAS } = {}) => ({
    accountUrl,
    folder,
    auth: { sasToken: `${url}?${token}` },
  });
  const directory = SAS.replace('sr=c', 'sr=d');
  for (const good of [
    sas(accountUrl),
    sas(`${accountUrl}/exports`),
    sas(`${accountUrl}/exports/`),
    sas(`${accountUrl}/exports/crm`, { folder: 'crm/', token: directory }),
    sas(`${accountUrl}/exports/crm`, { folder: 'crm/eu/', token: directory }),
  ]) {
    assert.equal(parse(good).accountName, 'acme');
  }
  assert.match(
    fault(sas('https://other.blob.core.windows.net/exports')),
    /another storage account than acme/,
  );
  assert.match(fault(sas(`${accountUrl}/imports`)), /another container than exports/);
  const ofBlob = SAS.replace('sr=c', 'sr=b');
  assert.match(fault(sas(`${accountUrl}/exports/a.csv`, { token: ofBlob })), /single blob/);
  assert.match(fault(sas(`${accountUrl}/exports/crm`, { token: directory })), /directory/);
  assert.match(fault(sas(`${accountUrl}/exports/crm`, { folder: 'crm2/', token: directory })), /directory/);
});
