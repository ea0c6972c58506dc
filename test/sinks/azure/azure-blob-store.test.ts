import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { AzureBlobStore, type AzureBlobStoreOptions } from '../../../src/sinks/azure/azure-blob-store.ts';
import { getAzurite, type TestContainer } from '../../support/azurite.ts';

let container: TestContainer;
let store: AzureBlobStore;

before(async () => {
  container = await (await getAzurite()).createContainer();
  store = storeWith({ auth: { sasToken: container.sas('rwd') } });
});
after(() => container.drop());

function storeWith(options: Partial<AzureBlobStoreOptions>): AzureBlobStore {
  return new AzureBlobStore({
    accountUrl: container.accountUrl,
    container: container.container,
    auth: { accountKey: container.accountKey },
    ...options,
  });
}

const id = (index: number): string => Buffer.from(`run.0000.00.${index}`.padEnd(16, '0')).toString('base64');
const ABSENT = { condition: { ifAbsent: true }, properties: {} } as const;

async function written(outcome: Awaited<ReturnType<AzureBlobStore['putBlob']>>): Promise<string> {
  assert.equal(outcome.outcome, 'written', JSON.stringify(outcome));
  return (outcome as { etag: string }).etag;
}

test('shows nothing of staged blocks until they are committed, then exactly those listed', async () => {
  await store.stageBlock('a.csv', id(0), Buffer.from('one,'));
  // A view into a larger buffer, as the sink gives it.
  await store.stageBlock('a.csv', id(1), Buffer.from('xxtwo,xx').subarray(2, 6));
  await store.stageBlock('a.csv', id(2), Buffer.from('never'));
  assert.deepEqual(await container.list(), []);
  assert.equal(await store.head('a.csv'), undefined);
  const md5 = createHash('md5').update('two,one,').digest();
  const etag = await written(
    await store.commitBlocks('a.csv', [id(1), id(0)], {
      condition: { ifAbsent: true },
      properties: {
        contentType: 'text/csv; charset=utf-8',
        contentEncoding: 'gzip',
        cacheControl: 'no-store',
        contentMd5: md5.toString('base64'),
        metadata: { run: 'run-1', part: '1' },
      },
    }),
  );
  assert.deepEqual(await store.head('a.csv'), {
    etag,
    bytes: 8,
    contentType: 'text/csv; charset=utf-8',
    metadata: { run: 'run-1', part: '1' },
  });
  assert.equal((await container.download('a.csv')).toString(), 'two,one,');
  const properties = await container.client.getBlobClient('a.csv').getProperties();
  assert.equal(properties.contentType, 'text/csv; charset=utf-8');
  assert.equal(properties.contentEncoding, 'gzip');
  assert.equal(properties.cacheControl, 'no-store');
  assert.deepEqual(Buffer.from(properties.contentMD5!), md5);
});

test('commits an empty list of blocks as an empty blob', async () => {
  await written(await store.commitBlocks('empty.csv', [], ABSENT));
  assert.equal((await store.head('empty.csv'))?.bytes, 0);
});

test('writes only what the precondition allows', async () => {
  const etag = await written(await store.putBlob('b.json', Buffer.from('1'), ABSENT));
  for (const again of [
    await store.putBlob('b.json', Buffer.from('2'), ABSENT),
    await store.commitBlocks('b.json', [], ABSENT),
    await store.putBlob('b.json', Buffer.from('2'), { condition: { ifMatch: '"0x0"' }, properties: {} }),
    await store.commitBlocks('b.json', [], { condition: { ifMatch: '"0x0"' }, properties: {} }),
  ]) {
    assert.equal(again.outcome, 'refused');
    assert.equal((again as { reason: string }).reason, 'condition');
  }
  const next = await written(
    await store.putBlob('b.json', Buffer.from('3'), { condition: { ifMatch: etag }, properties: {} }),
  );
  assert.deepEqual(await store.getBlob('b.json'), { bytes: Buffer.from('3'), etag: next });
});

test('tells of blocks that are not there', async () => {
  await store.stageBlock('c.csv', id(0), Buffer.from('x'));
  const refused = await store.commitBlocks('c.csv', [id(0), id(1)], ABSENT);
  assert.equal(refused.outcome, 'refused');
  assert.equal((refused as { reason: string }).reason, 'blocks missing');
});

test('deletes what still has the ETag, and says what it found otherwise', async () => {
  const etag = await written(await store.putBlob('d.csv', Buffer.from('1'), ABSENT));
  assert.equal(await store.deleteBlob('d.csv', '"0x0"'), 'changed');
  assert.equal(await store.deleteBlob('d.csv', etag), 'deleted');
  assert.equal(await store.deleteBlob('d.csv', etag), 'absent');
  assert.equal(await store.getBlob('d.csv'), undefined);
});

test('keeps every character of a name', async () => {
  const names = [
    'a b/ü é.csv',
    'per%20cent',
    '100%.csv',
    'q?x=1&y#z',
    "quote'plus+.csv",
    '漢字/~!@$^*()=,;:[]{}"',
    'a..b/...c',
  ];
  for (const name of names) await written(await store.putBlob(`names/${name}`, Buffer.from(name), ABSENT));
  const found = (await container.list()).filter(name => name.startsWith('names/'));
  assert.deepEqual(found, names.map(name => `names/${name}`).sort());
  for (const name of names) assert.equal((await store.getBlob(`names/${name}`))?.bytes.toString(), name);
});

test('refuses names that would leave the container', async () => {
  for (const name of ['', '../other/x', 'a/../../x', 'a/./b', '/a', 'a//b', 'a/', '..', 'a\\..\\b', 'a\nb']) {
    assert.throws(() => store.putBlob(name, Buffer.from('x'), ABSENT), { code: 'FILE_NAME_INVALID' });
  }
});

test('works with an account key and with a connection string', async () => {
  for (const auth of [
    { accountKey: container.accountKey },
    { connectionString: container.connectionString },
  ]) {
    const other = storeWith({ auth });
    await other.checkAccess();
    await written(await other.putBlob(`auth-${Object.keys(auth)}`, Buffer.from('x'), ABSENT));
  }
});

test('finds a usable destination without list permission and leaves nothing behind', async () => {
  const before = await container.describe();
  await storeWith({ auth: { sasToken: container.sas('rw') } }).checkAccess();
  assert.deepEqual(
    (await container.describe()).map(({ name }) => name),
    before.map(({ name }) => name),
  );
});

test('refuses a token that lacks write or read or has expired before anything is asked of the service', async () => {
  await assert.rejects(storeWith({ auth: { sasToken: container.sas('wcd') } }).checkAccess(), {
    code: 'DESTINATION_PERMISSION',
    message: /lacks read \(r\)/,
    hint: /read \(r\)/,
  });
  await assert.rejects(storeWith({ auth: { sasToken: container.sas('rc') } }).checkAccess(), {
    code: 'DESTINATION_PERMISSION',
    message: /lacks write \(w\)/,
  });
  const expired = storeWith({ auth: { sasToken: container.sas('rw', new Date(Date.now() - 1000)) } });
  await assert.rejects(expired.checkAccess(), { code: 'DESTINATION_CREDENTIALS', message: /expired at/ });
});

test('tells a wrong key and a container that does not exist', async () => {
  const accountKey = Buffer.from('not the key').toString('base64');
  // The emulator's AuthorizationFailure is AuthenticationFailed on Azure.
  await assert.rejects(storeWith({ auth: { accountKey } }).checkAccess(), { category: 'credentials' });
  await assert.rejects(storeWith({ container: 'no-such-container' }).checkAccess(), {
    code: 'DESTINATION_NOT_FOUND',
    message: /container .*no-such-container.* does not exist/s,
  });
  const blob = storeWith({ container: 'no-such-container' });
  await assert.rejects(blob.head('a'), { code: 'DESTINATION_NOT_FOUND' });
  await assert.rejects(blob.stageBlock('a', id(0), Buffer.from('x')), { code: 'DESTINATION_NOT_FOUND' });
});

test('says which permission is missing when the service refuses', async () => {
  const readOnly = storeWith({ auth: { sasToken: container.sas('r') } });
  await assert.rejects(readOnly.stageBlock('a', id(0), Buffer.from('x')), {
    code: 'DESTINATION_PERMISSION',
    message: /write \(w\)/,
  });
  const writeOnly = storeWith({ auth: { sasToken: container.sas('w') } });
  await assert.rejects(writeOnly.deleteBlob('a', '"0x0"'), {
    code: 'DESTINATION_PERMISSION',
    message: /delete \(d\)/,
  });
});
