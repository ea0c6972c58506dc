/**
 * The Azure Blob Storage emulator inside this process, for `sluice demo` and the tests:
 * in memory, silent, on a free loopback port. Several can run at once, each with its own
 * contents.
 */
import { once } from 'node:events';
import type { Server } from 'node:http';
import { importOptional } from './optional-package.ts';

const AZURITE = { name: 'azurite', version: '3.35.0' };

/**
 * The account that every emulator of Azure Storage has; the key is public and protects
 * nothing.
 */
export const EMULATOR_ACCOUNT = {
  name: 'devstoreaccount1',
  key: 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
} as const;

export interface BlobEmulatorAddress {
  /**
   * `http://127.0.0.1:PORT/devstoreaccount1`; a container's URL is this, `/`, and its
   * name.
   */
  readonly accountUrl: string;
  readonly accountName: string;
  readonly accountKey: string;
  readonly connectionString: string;
}

export interface EmbeddedAzurite extends BlobEmulatorAddress {
  /**
   * Lets the process end while the emulator still runs. A request under way is kept alive
   * by its client.
   */
  unref(): void;
  /** Closes open connections too; the contents are gone. */
  stop(): Promise<void>;
}

/** What we use of `azurite/dist/src/blob/BlobServer`, which has no type declarations. */
interface BlobServer {
  readonly httpServer: Server;
  start(): Promise<void>;
  close(): Promise<void>;
  getHttpServerAddress(): string;
}

type Constructor<Arguments extends unknown[], Instance> = new (...parameters: Arguments) => Instance;

/**
 * Starts the emulator. Fails with NOT_AVAILABLE where the optional package azurite is
 * missing.
 */
export async function startAzurite(): Promise<EmbeddedAzurite> {
  const BlobConfiguration = await loadClass<unknown[], unknown>('BlobConfiguration');
  const BlobServer = await loadClass<[unknown], BlobServer>('BlobServer');
  const emulator = new BlobServer(inMemory(BlobConfiguration));
  await emulator.start();
  const accountUrl = `${emulator.getHttpServerAddress()}/${EMULATOR_ACCOUNT.name}`;
  return {
    ...describeEmulator(accountUrl),
    unref: () => {
      emulator.httpServer.unref();
      emulator.httpServer.on('connection', socket => socket.unref());
    },
    stop: async () => {
      const closed = once(emulator.httpServer, 'close');
      await emulator.close();
      emulator.httpServer.closeAllConnections();
      await closed;
    },
  };
}

/** The address of an emulator at `accountUrl`, wherever it runs. */
export function describeEmulator(accountUrl: string): BlobEmulatorAddress {
  const { name, key } = EMULATOR_ACCOUNT;
  return {
    accountUrl,
    accountName: name,
    accountKey: key,
    connectionString: `DefaultEndpointsProtocol=http;AccountName=${name};AccountKey=${key};BlobEndpoint=${accountUrl};`,
  };
}

async function loadClass<Arguments extends unknown[], Instance>(
  file: string,
): Promise<Constructor<Arguments, Instance>> {
  type Class = Constructor<Arguments, Instance>;
  const specifier = `azurite/dist/src/blob/${file}.js`;
  const module = await importOptional<{ default: Class | { default: Class } }>(
    AZURITE,
    specifier,
    'the blob emulator',
  );
  // Node gives `module.exports` of transpiled CommonJS as the default, tsx the default in
  // it.
  return typeof module.default === 'function' ? module.default : module.default.default;
}

/**
 * Azurite takes its settings by position (3.35.0, dist/src/blob/BlobConfiguration.js).
 */
function inMemory(BlobConfiguration: Constructor<unknown[], unknown>): unknown {
  const unset = undefined;
  return new BlobConfiguration(
    '127.0.0.1',
    0, // port: any free one
    3600, // keep-alive in seconds: the default of 5 resets connections that a slow client uses again
    '/nonexistent/sluice/blob.json', // looked for, and loaded if found, even when all is in memory
    '/nonexistent/sluice/extent.json',
    unset, // persistence folders
    false, // access log
    unset, // its stream
    false, // debug log
    unset, // its file
    false, // loose: refuse what is not understood
    true, // skipApiVersionCheck: the SDK is newer than the emulator
    unset, // certificate, key, password, OAuth: plain HTTP with the account key or a SAS
    unset,
    unset,
    unset,
    true, // account in the path, not in the host name
    true, // in memory
  );
}
