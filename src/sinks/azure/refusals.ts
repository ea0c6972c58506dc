import type { BlobWriteProperties } from '../sink.ts';
import type { AzureFailure, FailureContext } from './azure-failure.ts';
import { permissionName } from './sas.ts';

/**
 * What a refusal was about, told from what the request sent: the service names a header
 * at best.
 */

type PropertyKey = keyof BlobWriteProperties & ('tags' | 'metadata' | 'accessTier' | 'encryptionScope');

/** Properties that an account may not take, with the header that carries each. */
const HEADERS: Readonly<Record<PropertyKey, RegExp>> = {
  tags: /^x-ms-tags$/i,
  metadata: /^x-ms-meta/i,
  accessTier: /^x-ms-access-tier$/i,
  encryptionScope: /^x-ms-encryption-scope$/i,
};
/** Words in Azure's codes. */
const CODES: Readonly<Record<PropertyKey, RegExp>> = {
  tags: /Tag/,
  metadata: /Metadata/,
  accessTier: /Tier/,
  encryptionScope: /EncryptionScope/,
};
const PROPERTY_KEYS = Object.keys(HEADERS) as PropertyKey[];
/** What every write sends; a person may still have set it. */
const OTHER_HEADERS: readonly (readonly [key: string, header: RegExp])[] = [
  ['contentType', /^x-ms-blob-content-type$/i],
  ['cacheControl', /^x-ms-blob-cache-control$/i],
];
/**
 * Metadata that Sluice writes itself does not make the key `blob.metadata` one that was
 * set.
 */
const OWN_METADATA = /^(?:run|generation|part|sluice)/;

/** Keys of `blob` that the request sent. */
function sentKeys(properties: BlobWriteProperties = {}): PropertyKey[] {
  return PROPERTY_KEYS.filter(key => {
    if (key === 'metadata')
      return Object.keys(properties.metadata ?? {}).some(name => !OWN_METADATA.test(name));
    return properties[key] !== undefined;
  });
}

/**
 * Which key of the configuration to change, where the request sent one that may have
 * caused the refusal.
 */
export function propertyHint(
  error: unknown,
  { code = '' }: AzureFailure,
  { properties }: FailureContext,
): string | undefined {
  const header = refusedHeader(error);
  const sent = sentKeys(properties);
  const byHeader = [...Object.entries(HEADERS), ...OTHER_HEADERS].find(([, pattern]) =>
    pattern.test(header ?? ''),
  );
  const byCode = PROPERTY_KEYS.find(key => CODES[key].test(code));
  const named = byHeader?.[0] ?? byCode;
  if (named !== undefined) return `change blob.${named}, or leave it out`;
  if (!MAY_BE_A_PROPERTY.test(code) || sent.length === 0) return undefined;
  const keys = sent.map(key => `blob.${key}`);
  const [last, ...others] = keys.reverse();
  return others.length === 0
    ? `check whether the storage account takes ${last}, or leave it out`
    : `check whether the storage account takes ${others.reverse().join(', ')} and ${last}, or leave them out`;
}

/**
 * Codes that say what is refused without saying what it was; without a code, anything may
 * be.
 */
const MAY_BE_A_PROPERTY =
  /^$|^InvalidHeaderValue$|^UnsupportedHeader$|^InvalidInput$|^Feature|NotSupported|NotAllowed/;

/** Name of the header that the body of an answer blames. */
function refusedHeader(error: unknown): string | undefined {
  const { details } = (error ?? {}) as { details?: Record<string, unknown> };
  const key = Object.keys(details ?? {}).find(name => name.toLowerCase() === 'headername');
  const value = key === undefined ? undefined : details?.[key];
  return typeof value === 'string' ? value : undefined;
}

/**
 * As in `write (w), and tags (t) for blob.tags`; says which of them the SAS does not
 * have.
 */
export function permissionsNeeded({ permission, properties, sas }: FailureContext): string {
  const needed = [permissionName(permission)];
  const hasTags = properties?.tags !== undefined;
  if (hasTags) needed.push(`${permissionName('t')} for blob.tags`);
  const letters = [permission, ...(hasTags ? ['t'] : [])];
  const granted = sas?.permissions;
  const lacks = granted !== undefined && letters.some(letter => !granted.includes(letter));
  return `${needed.join(', and ')}${lacks ? `; the SAS token has \`${granted}\`` : ''}`;
}

/**
 * Whether the service refused the version of its API, which a request to Azure itself
 * cannot cause.
 */
export function refusesApiVersion(error: unknown, { status, code }: AzureFailure): boolean {
  if (status !== 400 || code !== 'InvalidHeaderValue') return false;
  const { request, message = '' } = (error ?? {}) as { request?: { method?: unknown }; message?: unknown };
  const header = refusedHeader(error);
  // Nothing but the version can be wrong with the headers of a HEAD.
  if (header === undefined && request?.method === 'HEAD') return true;
  return header?.toLowerCase() === 'x-ms-version' || /\bAPI version\b/i.test(`${message}`);
}

/**
 * Whether the first part of the path, which an emulator takes for the account, is the
 * container.
 */
export function lacksAccountPath(containerUrl: string | undefined): boolean {
  if (containerUrl === undefined || !URL.canParse(containerUrl)) return false;
  const { port, pathname } = new URL(containerUrl);
  return port !== '' && pathname.split('/').length === 2;
}
