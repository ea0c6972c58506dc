import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ContainerClient } from '@azure/storage-blob';
import { azureRules } from './azure-rules.ts';
import { getAzurite, type TestContainer } from './azurite.ts';
import { type BlobProxy, firstOf, startBlobProxy } from './blob-proxy.ts';

let container: TestContainer;
let proxy: BlobProxy;
let client: ContainerClient;
const rules = azureRules({ committedBlocks: 3, uncommittedBlocks: 5 });

before(async () => {
  container = await (await getAzurite()).createContainer();
  proxy = await startBlobProxy(
    container.accountUrl,
    azureRules({ committedBlocks: 3, uncommittedBlocks: 5 }),
  );
  client = clientWith(container.sas('rwd'));
});
after(async () => {
  await proxy.close();
  await container.drop();
});

const clientWith = (sas: string) =>
  new ContainerClient(`${proxy.through(container.containerUrl)}?${sas}`, undefined, {
    retryOptions: { maxTries: 1 },
  });
const id = (i: number) => Buffer.from(`id${i}`).toString('base64');
const stage = (name: string, ...ids: string[]) =>
  Promise.all(ids.map(block => client.getBlockBlobClient(name).stageBlock(block, 'x', 1)));
const commit = (name: string, ...ids: string[]) => client.getBlockBlobClient(name).commitBlockList(ids);

test('refuses empty blocks, ids of two lengths, and too many blocks', async () => {
  await assert.rejects(client.getBlockBlobClient('a').stageBlock(id(1), '', 0), {
    code: 'InvalidHeaderValue',
  });
  await stage('a', id(1), id(2), id(3), id(4), id(5));
  await assert.rejects(stage('a', 'bG9uZ2Vy'), { code: 'InvalidBlobOrBlock' });
  await assert.rejects(stage('a', id(6)), { code: 'BlockCountExceedsLimit' });
  await stage('a', id(5));
  await assert.rejects(commit('a', id(1), id(2), id(3), id(4)), { code: 'BlockListTooLong' });
  await commit('a', id(1), id(2), id(3));
});

test('discards staged blocks at Put Blob, at Delete Blob, and at a commit without them', async () => {
  await stage('put', id(1));
  await client.getBlockBlobClient('put').upload('y', 1);
  await assert.rejects(commit('put', id(1)), { code: 'InvalidBlockList' });
  await stage('put', id(1));
  await commit('put', id(1));

  await stage('deleted', id(1));
  await commit('deleted', id(1));
  await stage('deleted', id(2));
  await client.getBlobClient('deleted').delete();
  await assert.rejects(commit('deleted', id(2)), { code: 'InvalidBlockList' });

  await stage('left', id(1), id(2));
  await commit('left', id(1));
  await assert.rejects(commit('left', id(1), id(2)), { code: 'InvalidBlockList' });
  await commit('left', id(1));
});

test('keeps staged blocks when a commit is refused or does not arrive', async () => {
  await stage('kept', id(1), id(2));
  const conditions = { ifMatch: '"0xABSENT"' };
  await assert.rejects(client.getBlockBlobClient('kept').commitBlockList([id(1)], { conditions }));
  proxy.setHook(firstOf(({ comp }) => (comp === 'blocklist' ? 'reset' : undefined), rules));
  await assert.rejects(commit('kept', id(1)));
  proxy.setHook(rules);
  await commit('kept', id(1), id(2));
});

test('refuses an expired SAS as Azure does', async () => {
  const expired = clientWith(container.sas('w', new Date(Date.now() - 1000)));
  await assert.rejects(expired.getBlockBlobClient('x').upload('1', 1), {
    code: 'AuthenticationFailed',
    statusCode: 403,
  });
});
