import {
  AnonymousCredential,
  ContainerClient,
  type StoragePipelineOptions,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
import { SluiceError } from '../../errors.ts';
import { lazyIdentity } from './default-identity.ts';
import { type Redact, redactorOf } from './redaction.ts';
import { describeSas, type SasDescription, sasQuery } from './sas.ts';

/** A secret as text, or wrapped so that it cannot be printed. */
export type SecretText = string | { reveal(): string };

/** Exactly one of these. */
export type AzureAuth =
  | { readonly sasToken: SecretText }
  | { readonly accountKey: SecretText }
  | { readonly connectionString: SecretText }
  | { readonly identity: 'default' };

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

/** The emulator's account; its key is public (learn.microsoft.com/azure/storage/common/storage-use-azurite). */
const EMULATOR = {
  url: 'http://127.0.0.1:10000/devstoreaccount1',
  key: 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
};
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;
const IP_ADDRESS = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[.*\])$/;

/** A client of the container. Makes no request. Fails with CONFIG_INVALID where the account cannot be told or is not safe. */
export function connectContainer(address: AzureAddress): AzureConnection {
  const { accountUrl: given, auth } = 'connectionString' in address.auth ? parsed(address.auth) : address;
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

function reveal(secret: SecretText): string {
  return typeof secret === 'string' ? secret : secret.reveal();
}

type ResolvedAuth = Exclude<AzureAuth, { readonly connectionString: SecretText }>;

/** Takes more forms than the SDK does: a SAS with only AccountName, a key with only BlobEndpoint. */
function parsed(auth: { readonly connectionString: SecretText }): {
  accountUrl: string | undefined;
  auth: ResolvedAuth;
} {
  const pairs = reveal(auth.connectionString).split(';');
  const parts = new Map(
    pairs.map(pair => {
      const equals = Math.max(pair.indexOf('='), 0);
      return [pair.slice(0, equals).trim().toLowerCase(), pair.slice(equals + 1).trim()];
    }),
  );
  if (parts.get('usedevelopmentstorage')?.toLowerCase() === 'true') {
    return { accountUrl: EMULATOR.url, auth: { accountKey: EMULATOR.key } };
  }
  const name = parts.get('accountname');
  const suffix = parts.get('endpointsuffix') || 'core.windows.net';
  const protocol = parts.get('defaultendpointsprotocol')?.toLowerCase() || 'https';
  const accountUrl = parts.get('blobendpoint') || (name && `${protocol}://${name}.blob.${suffix}`);
  const sasToken = parts.get('sharedaccesssignature');
  if (sasToken) return { accountUrl, auth: { sasToken } };
  const accountKey = parts.get('accountkey');
  if (accountKey) return { accountUrl, auth: { accountKey } };
  throw invalid('the connection string has neither AccountKey nor SharedAccessSignature');
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
