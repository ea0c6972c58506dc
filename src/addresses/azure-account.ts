import { AddressFault } from './address-fault.ts';
import { isIpAddress, isLoopback } from './hosts.ts';
import { parseSasToken, type SasToken } from './sas-token.ts';

/**
 * The emulator's account; its key is public
 * (learn.microsoft.com/azure/storage/common/storage-use-azurite).
 */
const EMULATOR = {
  port: 10_000,
  name: 'devstoreaccount1',
  key: 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
} as const;

/** Exactly one of these. */
export type PlainAzureAuth =
  | { readonly sasToken: string }
  | { readonly accountKey: string }
  | { readonly connectionString: string }
  | { readonly identity: 'default' };

/** A destination as it was configured. */
export interface AzureDestination {
  readonly accountUrl?: string | undefined;
  readonly accountName?: string | undefined;
  readonly container: string;
  readonly folder?: string | undefined;
  readonly auth: PlainAzureAuth;
}

export type AzureCredentials =
  | { readonly sas: SasToken }
  | { readonly accountKey: string }
  | { readonly identity: 'default' };

/** What the configuration of a destination names, each fact once. */
export interface AzureAccount {
  /** The blob endpoint, without a trailing slash, query or credentials. */
  readonly endpoint: string;
  /** As given; told from the endpoint only where nothing gives it. */
  readonly accountName: string | undefined;
  readonly credentials: AzureCredentials;
}

/** Fails with an `AddressFault` that names the key. */
export function parseAzureAccount(destination: AzureDestination): AzureAccount {
  const { auth } = destination;
  const account =
    'connectionString' in auth ? fromConnectionString(auth.connectionString) : fromKeys(destination);
  const { endpoint, key, credentials } = account;
  const accountName = destination.accountName ?? account.accountName ?? accountNameIn(endpoint);
  const url = new URL(endpoint);
  checkPath(url, key, destination.container);
  checkGivenName(url, key, destination.accountName ?? account.accountName);
  if (accountName === undefined) {
    throw new AddressFault(
      key,
      `does not name the storage account; add it to the path, as in http://127.0.0.1:${EMULATOR.port}/${EMULATOR.name}`,
    );
  }
  checkTransport(url, key, accountName, credentials);
  if ('sas' in credentials) checkUse(credentials.sas, { endpoint, accountName, destination });
  return { endpoint, accountName, credentials };
}

/** What a source of addresses yields; `key` is the one to blame for the endpoint. */
interface Found {
  readonly endpoint: string;
  readonly key: string;
  readonly accountName: string | undefined;
  readonly credentials: AzureCredentials;
}

function fromKeys({ accountUrl, auth }: AzureDestination): Found {
  const key = 'accountUrl';
  if (accountUrl === undefined) {
    throw new AddressFault(key, 'is required; expected a URL such as https://account.blob.core.windows.net');
  }
  const credentials = credentialsOf(auth as Exclude<PlainAzureAuth, { connectionString: string }>);
  return { endpoint: endpointOf(accountUrl, key), key, accountName: undefined, credentials };
}

function credentialsOf(auth: Exclude<PlainAzureAuth, { connectionString: string }>): AzureCredentials {
  if ('sasToken' in auth) return { sas: parseSasToken(auth.sasToken) };
  if ('accountKey' in auth) return { accountKey: accountKeyOf(auth.accountKey, 'auth.accountKey') };
  return auth;
}

/**
 * Takes more forms than the SDK does: a SAS with only AccountName, a key with only
 * BlobEndpoint.
 */
function fromConnectionString(text: string): Found {
  const key = 'auth.connectionString';
  const parts = connectionStringParts(text, key);
  if (parts.get('usedevelopmentstorage')?.toLowerCase() === 'true') return emulator(parts, key);
  const accountName = parts.get('accountname') || undefined;
  const protocol = (parts.get('defaultendpointsprotocol') || 'https').toLowerCase();
  if (protocol !== 'https' && protocol !== 'http') {
    throw new AddressFault(key, 'has a DefaultEndpointsProtocol that is neither https nor http');
  }
  const suffix = parts.get('endpointsuffix') || 'core.windows.net';
  const given = parts.get('blobendpoint');
  if (!given && accountName === undefined) {
    throw new AddressFault(key, 'has neither AccountName nor BlobEndpoint, so it names no storage account');
  }
  const [address = '', query] = (given || `${accountName}.blob.${suffix}`).split('?', 2);
  const endpoint = endpointOf(
    /^[\w-]+[.:]/.test(address) && !address.includes('://') ? `${protocol}://${address}` : address,
    key,
  );
  const sasToken = parts.get('sharedaccesssignature') || query;
  if (sasToken) return { endpoint, key, accountName, credentials: { sas: sasIn(sasToken, key) } };
  const accountKey = parts.get('accountkey');
  if (!accountKey) throw new AddressFault(key, 'has neither AccountKey nor SharedAccessSignature');
  return { endpoint, key, accountName, credentials: { accountKey: accountKeyOf(accountKey, key) } };
}

function sasIn(sasToken: string, key: string): SasToken {
  try {
    return parseSasToken(sasToken);
  } catch (error) {
    if (error instanceof AddressFault) throw new AddressFault(key, `has a SAS token that ${error.message}`);
    throw error;
  }
}

function connectionStringParts(text: string, key: string): Map<string, string> {
  const trimmed = text.replace(/^\uFEFF/, '').trim();
  if (/^["'`“‘]|["'`”’]$/.test(trimmed)) {
    throw new AddressFault(key, 'stands in quotes that are part of its value; leave the quotes out');
  }
  const parts = new Map<string, string>();
  for (const pair of trimmed.split(/[;\r\n]+/)) {
    if (pair.trim() === '') continue;
    const equals = pair.indexOf('=');
    if (equals < 1) {
      throw new AddressFault(key, 'is not a connection string of the form Name=value;Name=value');
    }
    parts.set(pair.slice(0, equals).trim().toLowerCase(), pair.slice(equals + 1).trim());
  }
  return parts;
}

/** The emulator at its usual address, or on the host that the string names for it. */
function emulator(parts: ReadonlyMap<string, string>, key: string): Found {
  const host = parts.get('developmentstorageproxyuri') || 'http://127.0.0.1';
  const url = new URL(endpointOf(host.includes('://') ? host : `http://${host}`, key));
  if (url.port === '') url.port = String(EMULATOR.port);
  const { name, key: accountKey } = EMULATOR;
  return { endpoint: `${url.origin}/${name}`, key, accountName: name, credentials: { accountKey } };
}

/** Says nothing of the URL's text, which may hold a token. */
function endpointOf(text: string, key: string): string {
  const what = key === 'accountUrl' ? '' : 'has an endpoint that ';
  const trimmed = text.trim();
  if (/^["'`“‘]|["'`”’]$/.test(trimmed)) {
    throw new AddressFault(key, `${what}stands in quotes; leave the quotes out`);
  }
  if (!URL.canParse(trimmed)) {
    throw new AddressFault(
      key,
      `${what}is not a URL; expected one such as https://account.blob.core.windows.net`,
    );
  }
  const url = new URL(trimmed);
  if (url.search || url.hash || url.username || url.password) {
    throw new AddressFault(
      key,
      `${what}must hold no credentials or query; a SAS token goes into auth.sasToken`,
    );
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new AddressFault(key, `${what}is not https`);
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}

function accountKeyOf(text: string, key: string): string {
  const trimmed = text.trim();
  if (/^["'`]|["'`]$/.test(trimmed))
    throw new AddressFault(key, 'holds an account key in quotes; leave them out');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(trimmed)) {
    throw new AddressFault(key, 'holds an account key that is not base64; copy the key again');
  }
  return trimmed;
}

/**
 * `acme.blob.core.windows.net`, with the zone or the private link that may stand between.
 */
const AZURE_HOST = /^([a-z0-9]+)(?:-secondary)?\.(?:[a-z0-9-]+\.)*blob\.(?:core\.|storage\.)/i;

/** A guess where the host is a custom domain. */
function accountNameIn(endpoint: string): string | undefined {
  const { hostname, pathname } = new URL(endpoint);
  const inHost = AZURE_HOST.exec(hostname)?.[1];
  const inPath = pathname.split('/')[1] || undefined;
  if (inHost !== undefined) return inHost;
  if (inPath !== undefined || isIpAddress(hostname) || hostname === 'localhost') return inPath;
  return hostname.split('.')[0];
}

/** An endpoint ends with the account; more is a container, which has a key of its own. */
function checkPath({ hostname, pathname }: URL, key: string, container: string): void {
  const segments = pathname.split('/').filter(segment => segment !== '');
  if (segments.length <= (AZURE_HOST.test(hostname) ? 0 : 1)) return;
  const isContainer = segments.at(-1) === container;
  throw new AddressFault(
    key,
    isContainer
      ? 'names the container too; leave the container out, for it has a key of its own'
      : 'has a path that is not part of a blob endpoint; leave the path out, and set container and folder',
  );
}

function checkGivenName({ hostname }: URL, key: string, given: string | undefined): void {
  const inHost = AZURE_HOST.exec(hostname)?.[1];
  if (given === undefined || inHost === undefined || inHost.toLowerCase() === given.toLowerCase()) return;
  throw new AddressFault(key, `names the storage account ${inHost}, and the account name is ${given}`);
}

/** Over http the credentials, or what they sign, would travel in clear. */
function checkTransport(
  { protocol, hostname }: URL,
  key: string,
  accountName: string,
  credentials: AzureCredentials,
): void {
  if (protocol === 'https:' || isLoopback(hostname)) return;
  if (accountName === EMULATOR.name) {
    // Its key is public, and so is whatever it has signed.
    if ('sas' in credentials) return;
    if ('accountKey' in credentials && credentials.accountKey === EMULATOR.key) return;
  }
  throw new AddressFault(
    key,
    `is not https, and the credentials would travel in clear; use https, a loopback address, or for an emulator its account ${EMULATOR.name} with its public key`,
  );
}

interface Use {
  readonly endpoint: string;
  readonly accountName: string;
  readonly destination: AzureDestination;
}

/** A token that was given as a whole URL says what it is for. */
function checkUse({ url, parameters }: SasToken, { endpoint, accountName, destination }: Use): void {
  if (url === undefined) return;
  const key = 'auth.sasToken';
  const { container, folder = '' } = destination;
  const { hostname, pathname } = new URL(endpoint);
  const isSame = url.hostname === hostname || accountNameIn(url.href) === accountName;
  if (!isSame) throw new AddressFault(key, `is for another storage account than ${accountName}`);
  const depth = pathname === '/' ? 0 : 1;
  const [named, ...path] = url.pathname
    .split('/')
    .filter(segment => segment !== '')
    .slice(depth);
  if (named !== undefined && decodeURIComponent(named) !== container) {
    throw new AddressFault(key, `is for another container than ${container}; make one for that container`);
  }
  if (path.length === 0) return;
  const below = decodeURIComponent(path.join('/'));
  const isDirectory = parameters.get('sr') === 'd';
  if (!isDirectory && parameters.has('sr') && parameters.get('sr') !== 'c') {
    throw new AddressFault(key, 'is for a single blob; make one for the container');
  }
  if (isDirectory && !`${folder.replace(/\/*$/, '')}/`.startsWith(`${below}/`)) {
    throw new AddressFault(key, 'is for a directory that folder is not in; set folder to that directory');
  }
}
