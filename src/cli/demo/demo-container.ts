import { gunzipSync } from 'node:zlib';
import { BlobServiceClient, type ContainerClient } from '@azure/storage-blob';
import { routeTo, SDK_PROXY_OPTIONS } from '../../addresses/routes.ts';
import type { BlobEmulatorAddress } from '../../embedded/azurite.ts';
import { DEMO_CONTAINER } from './demo-config.ts';
import { parquetLines } from './parquet-lines.ts';

export interface StoredBlob {
  readonly name: string;
  readonly bytes: number;
}

/**
 * What anybody else would see of the emulator's container: looked at from outside, not
 * through what a run reports.
 */
export class DemoContainer {
  readonly #client: ContainerClient;

  private constructor(client: ContainerClient) {
    this.#client = client;
  }

  static async create({ accountUrl, connectionString }: BlobEmulatorAddress): Promise<DemoContainer> {
    const { agent } = routeTo(new URL(accountUrl));
    const way = { agent, proxyOptions: SDK_PROXY_OPTIONS };
    const service = BlobServiceClient.fromConnectionString(connectionString, way);
    const client = service.getContainerClient(DEMO_CONTAINER);
    await client.create();
    return new DemoContainer(client);
  }

  /** Committed blobs, by name. */
  async list(): Promise<StoredBlob[]> {
    const blobs: StoredBlob[] = [];
    for await (const { name, properties } of this.#client.listBlobsFlat()) {
      blobs.push({ name, bytes: properties.contentLength ?? 0 });
    }
    return blobs;
  }

  /**
   * The first lines of a text file, unpacked where it is a .gz; of Parquet what a reader
   * says of it.
   */
  async firstLines(name: string, count: number): Promise<string[]> {
    const stored = await this.#client.getBlobClient(name).downloadToBuffer();
    if (name.endsWith('.parquet')) return parquetLines(stored);
    const bytes = name.endsWith('.gz') ? gunzipSync(stored) : stored;
    const lines = bytes.toString('utf8').split('\n');
    if (lines.at(-1) === '') lines.pop();
    return lines.slice(0, count);
  }
}
