/** `destinations` of the configuration: where files go, and what they carry as blobs. */

import * as z from 'zod';
import { type AzureAccount, type PlainAzureAuth, parseAzureAccount } from '../../addresses/azure-account.ts';
import { secret } from './secret-schema.ts';
import { text } from './values.ts';

/**
 * Whether it is the URL of an account, as far as that can be told without the
 * credentials.
 */
function isAccountUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, search, hash, username, password } = new URL(value);
  const isWeb = protocol === 'https:' || protocol === 'http:';
  return isWeb && search === '' && hash === '' && username === '' && password === '';
}

/** What a destination names, its secrets revealed. Fails with an `AddressFault`. */
export function azureAccount(destination: DestinationConfig): AzureAccount {
  const { auth } = destination;
  const plain =
    'identity' in auth
      ? auth
      : Object.fromEntries(Object.entries(auth).map(([way, secret]) => [way, secret.reveal()]));
  return parseAzureAccount({ ...destination, auth: plain as PlainAzureAuth });
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
    sasToken: secret({ expected: 'a SAS token, one of whose parameters is sig' })
      .exactOptional()
      .describe(
        'Shared access signature of the container, as it was issued: with or without the leading `?`, or as a whole URL. Secret.',
      ),
    connectionString: secret({
      expected: 'a connection string with AccountKey or SharedAccessSignature',
    })
      .exactOptional()
      .describe(
        'Connection string of the storage account; it names the account, so no `accountUrl`. Secret.',
      ),
    accountKey: secret({ expected: 'an account key in base64' })
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
      .describe(
        'Blob endpoint of the storage account, https except on loopback. Required unless `auth.connectionString` names it.',
      ),
    accountName: z
      .string()
      .regex(/^[a-z0-9]{3,24}$/, {
        error: 'the name of a storage account: 3 to 24 lower-case letters and digits',
      })
      .exactOptional()
      .describe(
        'Name of the storage account, where the endpoint is a domain of your own that does not tell it. `accountKey` signs with it.',
      ),
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
