/**
 * A real Azurite for tests. `getAzurite` gives the one that all test files share: the one
 * at SLUICE_TEST_AZURITE_URL (the launcher run-tests.ts sets it), else one inside this
 * process. Nothing has to be stopped by the tests. Containers are what isolates tests;
 * each is new and has a name of its own.
 */
import { randomBytes } from 'node:crypto';
import {
  type BlobItem,
  BlobServiceClient,
  type ContainerClient,
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  SASProtocol,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { type BlobEmulatorAddress, describeEmulator, startAzurite } from '../../src/embedded/azurite.ts';

export const AZURITE_URL_VARIABLE = 'SLUICE_TEST_AZURITE_URL';

export interface TestContainer extends BlobEmulatorAddress {
  /** Name of the container. */
  readonly container: string;
  readonly containerUrl: string;
  /** The SDK's client with the account key, for looking behind the product's back. */
  readonly client: ContainerClient;
  /**
   * A SAS token for this container, without `?`. `permissions` are letters as in
   * `racwdl`; it expires in an hour unless told otherwise; a time in the past gives an
   * expired one.
   */
  sas(permissions: string, expiresOn?: Date): string;
  /** Names of the committed blobs, sorted; all, or those that begin so. */
  list(prefix?: string): Promise<string[]>;
  /**
   * Committed blobs and, with zero length, those that have staged blocks only; metadata
   * and tags included.
   */
  describe(): Promise<BlobItem[]>;
  download(name: string): Promise<Buffer>;
  drop(): Promise<void>;
}

export interface TestAzurite extends BlobEmulatorAddress {
  createContainer(): Promise<TestContainer>;
}

let shared: Promise<TestAzurite> | undefined;

/** The emulator shared by the tests of this process. */
export function getAzurite(): Promise<TestAzurite> {
  shared ??= findOrStart();
  return shared;
}

async function findOrStart(): Promise<TestAzurite> {
  const accountUrl = process.env[AZURITE_URL_VARIABLE] ?? (await startUnreferenced());
  const address = describeEmulator(accountUrl);
  return { ...address, createContainer: () => createContainer(address) };
}

async function startUnreferenced(): Promise<string> {
  const emulator = await startAzurite();
  emulator.unref();
  return emulator.accountUrl;
}

async function createContainer(address: BlobEmulatorAddress): Promise<TestContainer> {
  const container = `test-${process.pid}-${randomBytes(6).toString('hex')}`;
  const credential = new StorageSharedKeyCredential(address.accountName, address.accountKey);
  const service = new BlobServiceClient(address.accountUrl, credential, { retryOptions: { maxTries: 1 } });
  const client = service.getContainerClient(container);
  await client.create();
  return {
    ...address,
    container,
    containerUrl: client.url,
    client,
    sas: (permissions, expiresOn = new Date(Date.now() + 3_600_000)) => {
      const startsOn = new Date(Math.min(Date.now(), expiresOn.getTime()) - 3_600_000);
      const values = { containerName: container, startsOn, expiresOn, protocol: SASProtocol.HttpsAndHttp };
      const parsed = ContainerSASPermissions.parse(permissions);
      return generateBlobSASQueryParameters({ ...values, permissions: parsed }, credential).toString();
    },
    list: async (prefix = '') => {
      const names: string[] = [];
      for await (const blob of client.listBlobsFlat({ prefix })) names.push(blob.name);
      return names.sort();
    },
    describe: async () => {
      const blobs: BlobItem[] = [];
      const options = { includeUncommitedBlobs: true, includeMetadata: true, includeTags: true };
      for await (const blob of client.listBlobsFlat(options)) blobs.push(blob);
      return blobs;
    },
    download: name => client.getBlobClient(name).downloadToBuffer(),
    drop: async () => {
      await client.deleteIfExists();
    },
  };
}
