import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { AzureBlobStore } from '../../../src/sinks/azure/azure-blob-store.ts';
import { getAzurite, type TestContainer } from '../../support/azurite.ts';
import { azureError, type BlobHook, type BlobProxy, startBlobProxy } from '../../support/blob-proxy.ts';
import { withExporter } from '../../support/exporter.ts';
import { crc64Of } from '../support/checksums-of.ts';

let container: TestContainer;
before(async () => {
  container = await (await getAzurite()).createContainer();
});
after(() => container.drop());

const CRC64 = 'x-ms-content-crc64';
const AZURE = { server: 'Windows-Azure-Blob/1.0 Microsoft-HTTPAPI/2.0' };
const id = (index: number): string => Buffer.from(`block${index}`).toString('base64');

/** Compares each block with its CRC64, as Azure does, which the emulator cannot. */
const comparing: BlobHook = async request => {
  if (request.comp !== 'block') return undefined;
  const sent = request.headers[CRC64];
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(crc64Of(await request.body()));
  if (sent !== bytes.toString('base64')) return azureError(400, 'Crc64Mismatch');
  delete request.headers[CRC64];
  return undefined;
};

async function withStore(
  hook: BlobHook,
  body: (store: AzureBlobStore, proxy: BlobProxy) => Promise<void>,
  retryBudgetMs?: number,
): Promise<void> {
  const proxy = await startBlobProxy(container.accountUrl, hook, AZURE);
  try {
    const store = new AzureBlobStore({
      accountUrl: proxy.through(container.accountUrl),
      container: container.container,
      auth: { sasToken: container.sas('rwd') },
      retryBudgetMs,
    });
    await body(store, proxy);
  } finally {
    await proxy.close();
  }
}

test('each block goes with its CRC64, whether or not it was known before', () =>
  withStore(comparing, async (store, proxy) => {
    const bytes = Buffer.from('123456789');
    await store.stageBlock('a', id(0), bytes);
    await store.stageBlock('a', id(1), bytes, { crc64: 0xae8b14860a799888n });
    const blocks = proxy.requests.filter(({ comp }) => comp === 'block');
    assert.deepEqual(
      blocks.map(({ status, headers }) => [status, headers['content-md5']]),
      [
        [201, undefined],
        [201, undefined],
      ],
    );
    assert.equal(store.refusesCrc64, false);
  }));

test('a block that arrives otherwise than it was sent is sent again', () => {
  let blocks = 0;
  const damaging: BlobHook = async request => {
    if (request.comp === 'block' && blocks++ === 0) (await request.body())[3]! ^= 1;
    return comparing(request);
  };
  return withStore(damaging, async store => {
    await store.stageBlock('b', id(0), Buffer.from('not a byte is lost'));
    assert.equal(blocks, 2);
  });
});

test('a way that changes every block is named', () =>
  withStore(
    async request => {
      if (request.comp === 'block') (await request.body())[0]! ^= 1;
      return comparing(request);
    },
    store =>
      assert.rejects(store.stageBlock('c', id(0), Buffer.from('text')), {
        code: 'DESTINATION_CONNECT_FAILED',
        message: /the bytes that arrived are not those that were sent \(400 Crc64Mismatch/,
        hint: /a proxy that changes what it passes on/,
      }),
    1,
  ));

for (const [status, code] of [
  [501, 'StrictModelNotSupportedError'],
  [500, 'FeatureNotSupported'],
  [400, 'UnsupportedHeader'],
] as const) {
  const refusing: BlobHook = request =>
    request.headers[CRC64] === undefined ? undefined : azureError(status, code);

  test(`a service that refuses CRC64 (${status} ${code}) gets the MD5 of blocks`, () =>
    withStore(refusing, async (store, proxy) => {
      const bytes = Buffer.from('bytes');
      for (const index of [0, 1, 2]) await store.stageBlock('d', id(index), bytes);
      const md5 = createHash('md5').update(bytes).digest('base64');
      assert.deepEqual(
        proxy.requests.map(({ headers }) => headers['content-md5']),
        [undefined, md5, md5, md5],
      );
      assert.equal(store.refusesCrc64, true);
    }));
}

test('an emulator, which refuses CRC64, is not asked', async () => {
  const store = new AzureBlobStore({
    accountUrl: container.accountUrl,
    container: container.container,
    auth: { accountKey: container.accountKey },
  });
  await store.checkAccess();
  await store.stageBlock('e', id(0), Buffer.from('bytes'));
  assert.equal(store.refusesCrc64, false);
});

test('a run whose blocks were refused with CRC64 says so once, and is whole', () =>
  withExporter(async exporter => {
    await exporter.database.sql('create table t as select generate_series(1, 5000) as id');
    const refusing: BlobHook = request =>
      request.headers[CRC64] === undefined ? undefined : azureError(501, 'NotImplemented');
    const proxy = await startBlobProxy(exporter.container.accountUrl, refusing, AZURE);
    try {
      const { accountName, accountKey } = exporter.container;
      const endpoint = proxy.through(exporter.container.accountUrl);
      const connectionString = `AccountName=${accountName};AccountKey=${accountKey};BlobEndpoint=${endpoint}`;
      const activation = exporter.activation({
        maxFileRows: 1000,
        destination: { auth: { connectionString } },
      });
      const { record, error } = await exporter.run(activation);
      assert.equal(record.state, 'succeeded', String(error));
      assert.deepEqual(
        record.warnings.map(({ code }) => code),
        ['CRC64_REFUSED'],
      );
      assert.equal(record.files.length, 5);
    } finally {
      await proxy.close();
    }
  }));
