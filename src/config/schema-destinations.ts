/** `destinations` of the configuration: where files go, and what they carry as blobs. */

import * as z from 'zod';
import { secret } from './secret-schema.ts';
import { text } from './values.ts';

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

function isAccountUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const url = new URL(value);
  const safe = url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(url.hostname));
  return safe && url.search === '' && url.hash === '' && url.username === '' && url.password === '';
}

function connectionStringParts(value: string): Map<string, string> {
  const pairs = value.split(';').filter(pair => pair.trim() !== '');
  return new Map(
    pairs.map(pair => {
      const equals = pair.indexOf('=');
      return [pair.slice(0, Math.max(equals, 0)).trim().toLowerCase(), pair.slice(equals + 1).trim()];
    }),
  );
}

function isConnectionString(value: string): boolean {
  const parts = connectionStringParts(value);
  if (parts.get('usedevelopmentstorage')?.toLowerCase() === 'true') return true;
  const endpoint = parts.get('blobendpoint');
  if (endpoint !== undefined && !isAccountUrl(endpoint.replace(/\?.*$/, ''))) return false;
  if (endpoint === undefined && parts.get('defaultendpointsprotocol')?.toLowerCase() === 'http') return false;
  const signed = parts.has('accountkey') || parts.has('sharedaccesssignature');
  return signed && (endpoint !== undefined || parts.has('accountname'));
}

/**
 * The blob endpoint of a storage account as text that is equal for equal accounts: lower case, no trailing slash.
 * Undefined when the connection string names none.
 */
export function accountEndpoint(destination: DestinationConfig): string | undefined {
  const auth = destination.auth;
  if (destination.accountUrl !== undefined) return destination.accountUrl.toLowerCase().replace(/\/+$/, '');
  if (!('connectionString' in auth)) return undefined;
  const parts = connectionStringParts(auth.connectionString.reveal());
  if (parts.has('usedevelopmentstorage')) return 'http://127.0.0.1:10000/devstoreaccount1';
  const endpoint =
    parts.get('blobendpoint') ??
    `https://${parts.get('accountname')}.blob.${parts.get('endpointsuffix') ?? 'core.windows.net'}`;
  return endpoint.toLowerCase().replace(/\?.*$/, '').replace(/\/+$/, '');
}

const METADATA_NAME = /^(?!(?:run|generation|part|sluice.*)$)[A-Za-z_][A-Za-z0-9_]{0,127}$/i;
const TAG_TEXT = /^[A-Za-z0-9 +\-./:=_]*$/;

export const blob = z
  .strictObject({
    contentType: text().max(256).exactOptional().describe('Content type; the default is that of the format.'),
    cacheControl: text().max(256).exactOptional().describe('`Cache-Control` header of the blob.'),
    metadata: z
      .record(
        z.string().regex(METADATA_NAME, {
          error:
            'a name of letters, digits and _, other than run, generation, part and sluice… which Sluice writes',
        }),
        z.string().regex(/^[\x20-\x7e]*$/, { error: 'text of printable ASCII characters' }),
      )
      .exactOptional()
      .describe('Metadata of the blob, as names and values.'),
    tags: z
      .record(
        z.string().min(1).max(128).regex(TAG_TEXT, { error: 'letters, digits, space and + - . / : = _' }),
        z.string().max(256).regex(TAG_TEXT, { error: 'letters, digits, space and + - . / : = _' }),
      )
      .refine(tags => Object.keys(tags).length <= 10, { error: 'at most 10 tags' })
      .exactOptional()
      .describe('Index tags of the blob, at most 10; writing them needs the `t` permission.'),
    accessTier: z
      .enum(['Hot', 'Cool', 'Cold', 'Archive'])
      .exactOptional()
      .describe('Access tier of the blob.'),
    encryptionScope: z
      .string()
      .regex(/^[A-Za-z0-9](?:[A-Za-z0-9-]{1,61})[A-Za-z0-9]$/, {
        error: 'the name of an encryption scope, 3 to 63 characters',
      })
      .exactOptional()
      .describe('Encryption scope that the blob is written with.'),
  })
  .describe('Properties that every file gets.');

const AUTH_WAYS = ['sasToken', 'connectionString', 'accountKey', 'identity'] as const;
const ONE_WAY = `exactly one of ${AUTH_WAYS.join(', ')}`;

const authKeys = z
  .strictObject({
    sasToken: secret({
      expected: 'a SAS token, one of whose parameters is sig',
      check: value => /(?:^|[?&])sig=[^&]/.test(value),
    })
      .exactOptional()
      .describe('Shared access signature, with or without the leading `?`. Secret.'),
    connectionString: secret({
      expected:
        'a connection string with AccountKey or SharedAccessSignature, over https (http on loopback only)',
      check: isConnectionString,
    })
      .exactOptional()
      .describe(
        'Connection string of the storage account; it names the account, so no `accountUrl`. Secret.',
      ),
    accountKey: secret({
      expected: 'an account key in base64',
      check: value => /^[A-Za-z0-9+/]+={0,2}$/.test(value),
    })
      .exactOptional()
      .describe('Key of the storage account. Secret.'),
    identity: z
      .literal('default')
      .exactOptional()
      .describe('Managed identity, workload identity or `az login`, whichever is found first.'),
  })
  .meta({ minProperties: 1, maxProperties: 1 });

type OneOf<T> = { [K in keyof T]-?: { readonly [P in K]-?: Exclude<T[K], undefined> } }[keyof T];

/** The credentials of a destination: an object with exactly one key. */
export type DestinationAuth = OneOf<z.output<typeof authKeys>>;

const auth = authKeys.transform((keys, context): DestinationAuth => {
  const given = AUTH_WAYS.filter(way => keys[way] !== undefined);
  if (given.length !== 1) {
    const seen = given.length === 0 ? 'none' : given.join(' and ');
    context.addIssue({ code: 'custom', message: ONE_WAY, params: { seen } });
    return z.NEVER;
  }
  return keys as DestinationAuth;
});

export const azureBlobDestination = z
  .strictObject({
    type: z.literal('azure-blob').describe('Files go to a container of Azure Blob Storage.'),
    accountUrl: z
      .string()
      .refine(isAccountUrl, {
        error:
          'a URL such as https://account.blob.core.windows.net, https except on loopback, without a SAS token (see auth.sasToken)',
      })
      .exactOptional()
      .describe('Blob endpoint of the storage account. Required unless `auth.connectionString` names it.'),
    container: z
      .string()
      .regex(/^(?=.{3,63}$)(?:\$web|[a-z0-9](?:-?[a-z0-9])+)$/, {
        error: 'a container name: 3 to 63 lower-case letters, digits and single hyphens',
      })
      .describe('Name of the container; it must exist.'),
    folder: z
      .string()
      .default('')
      .describe('Prefix of the name of every blob of this destination, such as `crm/`.'),
    auth: auth.describe(`Credentials: ${ONE_WAY}.`),
    blob: blob
      .exactOptional()
      .describe('Properties of every file of this destination; an activation can override them.'),
  })
  .describe('A container of Azure Blob Storage.');

export const destination = z.discriminatedUnion('type', [azureBlobDestination]);
export type DestinationConfig = z.output<typeof destination>;
