import type { Agent } from 'node:http';
import {
  AnonymousCredential,
  ContainerClient,
  type StoragePipelineOptions,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { lazyIdentity } from '../../addresses/default-identity.ts';
import { NO_PROXIES, type WebProxy } from '../../addresses/proxies.ts';
import { routeTo, SDK_PROXY_OPTIONS } from '../../addresses/routes.ts';
import { type AzureAddress, accountOf } from './azure-auth.ts';
import { type Redact, redactorOf } from './redaction.ts';
import { describeSas, type SasDescription } from './sas.ts';

export interface AzureConnection {
  readonly client: ContainerClient;
  /** URL of the container, without credentials. */
  readonly url: string;
  readonly sas: SasDescription | undefined;
  readonly redact: Redact;
  /** What requests go through. */
  readonly proxy: WebProxy | undefined;
}

/**
 * A client of the container. Makes no request. Fails with CONFIG_INVALID where the
 * account cannot be told or is not safe.
 */
export function connectContainer(address: AzureAddress): AzureConnection {
  const { endpoint, accountName = '', credentials } = accountOf(address);
  const url = `${endpoint}/${encodeURIComponent(address.container)}`;
  const { proxies = NO_PROXIES } = address;
  const { agent, proxy } = routeTo(new URL(endpoint), proxies);
  // The loop in retry.ts is the only one that retries.
  const options: StoragePipelineOptions & { readonly agent: Agent } = {
    retryOptions: { maxTries: 1 },
    agent,
    proxyOptions: SDK_PROXY_OPTIONS,
  };
  const hidden = proxies.secrets();
  if ('sas' in credentials) {
    const { query } = credentials.sas;
    const sas = describeSas(credentials.sas);
    const client = new ContainerClient(`${url}?${query}`, new AnonymousCredential(), options);
    return { client, url, sas, redact: redactorOf([query, ...hidden]), proxy };
  }
  if ('accountKey' in credentials) {
    const { accountKey } = credentials;
    const credential = new StorageSharedKeyCredential(accountName, accountKey);
    const client = new ContainerClient(url, credential, options);
    return { client, url, sas: undefined, redact: redactorOf([accountKey, ...hidden]), proxy };
  }
  const client = new ContainerClient(url, lazyIdentity({ proxies }), options);
  return { client, url, sas: undefined, redact: redactorOf(hidden), proxy };
}
