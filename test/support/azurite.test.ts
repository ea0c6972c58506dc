import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlobServiceClient, ContainerClient } from '@azure/storage-blob';
import { startAzurite } from '../../src/embedded/azurite.ts';
import { getAzurite } from './azurite.ts';

test('gives every container a name of its own and shows what is in it', async () => {
  const azurite = await getAzurite();
  const [one, two] = await Promise.all([azurite.createContainer(), azurite.createContainer()]);
  assert.notEqual(one.container, two.container);
  assert.equal(one.containerUrl, `${one.accountUrl}/${one.container}`);

  await one.client.getBlockBlobClient('b/ü 1.csv').upload('héllo', 6, { metadata: { run: '7' } });
  await one.client.getBlockBlobClient('a').stageBlock(Buffer.from('0001').toString('base64'), 'x', 1);
  assert.deepEqual(await one.list(), ['b/ü 1.csv']);
  assert.deepEqual((await one.describe()).map(blob => [blob.name, blob.properties.contentLength]).sort(), [
    ['a', 0],
    ['b/ü 1.csv', 6],
  ]);
  assert.equal((await one.download('b/ü 1.csv')).toString(), 'héllo');
  assert.deepEqual(await two.list(), []);
  await Promise.all([one.drop(), two.drop()]);
});

test('makes SAS tokens that allow what they name, until they expire', async () => {
  const container = await (await getAzurite()).createContainer();
  const upload = (sas: string) =>
    new ContainerClient(`${container.containerUrl}?${sas}`).getBlockBlobClient('x').upload('1', 1);
  await upload(container.sas('w'));
  await assert.rejects(upload(container.sas('r')), { statusCode: 403 });
  await assert.rejects(upload(container.sas('w', new Date(Date.now() - 1000))), { statusCode: 403 });
  await container.drop();
});

test('two emulators in one process hold different contents and stop with open connections', async () => {
  const emulators = await Promise.all([startAzurite(), startAzurite()]);
  const [one, two] = emulators.map(emulator =>
    BlobServiceClient.fromConnectionString(emulator.connectionString, { retryOptions: { maxTries: 1 } }),
  );
  await one?.createContainer('only-in-one');
  assert.equal(await one?.getContainerClient('only-in-one').exists(), true);
  assert.equal(await two?.getContainerClient('only-in-one').exists(), false);
  await Promise.all(emulators.map(emulator => emulator.stop()));
  await assert.rejects(async () => await one?.getContainerClient('only-in-one').exists(), {
    code: /^ECONNRE(FUSED|SET)$/,
  });
});
