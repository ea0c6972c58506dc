import {
  AnonymousCredential,
  ContainerClient,
  type StoragePipelineOptions,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { type AzureAddress, accountOf } from './azure-auth.ts';
import { lazyIdentity } from './default-identity.ts';
import { type Redact, redactorOf } from './redaction.ts';
import { describeSas, type SasDescription } from './sas.ts';

export interface AzureConnection {
  readonly client: ContainerClient;
  /** Of the container, without credentials. */
  readonly url: string;
  readonly sas: SasDescription | undefined;
  readonly redact: Redact;
}

/** A client of the container. Makes no request. Fails with CONFIG_INVALID where the account cannot be told or is not safe. */
export function connectContainer(address: AzureAddress): AzureConnection {
  const { endpoint, accountName = '', credentials } = accountOf(address);
  const url = `${endpoint}/${encodeURIComponent(address.container)}`;
  // The loop in retry.ts is the only one that retries; the SDK's agent keeps connections alive.
  const options: StoragePipelineOptions = {
    retryOptions: { maxTries: 1 },
    keepAliveOptions: { enable: true },
  };
  if ('sas' in credentials) {
    const { query } = credentials.sas;
    const sas = describeSas(credentials.sas);
    const client = new ContainerClient(`${url}?${query}`, new AnonymousCredential(), options);
    return { client, url, sas, redact: redactorOf([query]) };
  }
  if ('accountKey' in credentials) {
    const { accountKey } = credentials;
    const credential = new StorageSharedKeyCredential(accountName, accountKey);
    const client = new ContainerClient(url, credential, options);
    return { client, url, sas: undefined, redact: redactorOf([accountKey]) };
  }
  const client = new ContainerClient(url, lazyIdentity(), options);
  return { client, url, sas: undefined, redact: redactorOf([]) };
}
