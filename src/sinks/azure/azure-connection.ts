import {
  AnonymousCredential,
  ContainerClient,
  type StoragePipelineOptions,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { SluiceError } from '../../errors.ts';
import { type AzureAuth, parseConnectionString, reveal } from './azure-auth.ts';
import { lazyIdentity } from './default-identity.ts';
import { type Redact, redactorOf } from './redaction.ts';
import { describeSas, type SasDescription, sasQuery } from './sas.ts';

export interface AzureAddress {
  /** Needed unless a connection string names the account. */
  readonly accountUrl?: string | undefined;
  readonly container: string;
  readonly auth: AzureAuth;
}

export interface AzureConnection {
  readonly client: ContainerClient;
  /** Of the container, without credentials. */
  readonly url: string;
  readonly sas: SasDescription | undefined;
  readonly redact: Redact;
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;
const IP_ADDRESS = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[.*\])$/;

/** A client of the container. Makes no request. Fails with CONFIG_INVALID where the account cannot be told or is not safe. */
export function connectContainer(address: AzureAddress): AzureConnection {
  const { accountUrl: given, auth } =
    'connectionString' in address.auth ? parseConnectionString(address.auth.connectionString) : address;
  const account = safeAccountUrl(given);
  const url = `${account}/${encodeURIComponent(address.container)}`;
  // The loop in retry.ts is the only one that retries; the SDK's agent keeps connections alive.
  const options: StoragePipelineOptions = {
    retryOptions: { maxTries: 1 },
    keepAliveOptions: { enable: true },
  };
  if ('sasToken' in auth) {
    const token = sasQuery(reveal(auth.sasToken));
    const sas = describeSas(token);
    const client = new ContainerClient(`${url}?${token}`, new AnonymousCredential(), options);
    return { client, url, sas, redact: redactorOf([token]) };
  }
  if ('accountKey' in auth) {
    const key = reveal(auth.accountKey);
    const credential = new StorageSharedKeyCredential(accountNameOf(account), key);
    const client = new ContainerClient(url, credential, options);
    return { client, url, sas: undefined, redact: redactorOf([key]) };
  }
  const client = new ContainerClient(url, lazyIdentity(), options);
  return { client, url, sas: undefined, redact: redactorOf([]) };
}

/** Without a trailing slash. Says nothing of the URL's text where it may hold a token. */
function safeAccountUrl(given: string | undefined): string {
  if (given === undefined || !URL.canParse(given)) throw invalid('accountUrl is not a URL');
  const url = new URL(given);
  if (url.search || url.hash || url.username || url.password) {
    throw invalid('accountUrl must hold no credentials or query; a SAS token goes into auth.sasToken');
  }
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && LOOPBACK.test(url.hostname))) {
    throw invalid(`accountUrl ${url.origin} is not https, which only a loopback address may do without`);
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}

/** First label of the host, or first folder of the path where the host is an address. */
function accountNameOf(accountUrl: string): string {
  const { hostname, pathname } = new URL(accountUrl);
  const inPath = hostname === 'localhost' || IP_ADDRESS.test(hostname);
  const name = inPath ? pathname.split('/')[1] : hostname.split('.')[0];
  if (!name) throw invalid(`accountUrl ${accountUrl} does not name the storage account`);
  return name;
}

function invalid(message: string): SluiceError {
  return new SluiceError('CONFIG_INVALID', message, {
    stage: 'destination',
    hint: 'correct the destination in the configuration',
  });
}
