/** A container of Azure Blob Storage, as a kind of destination. */

import * as z from 'zod';
import { AddressFault } from '../../addresses/address-fault.ts';
import { type AzureAccount, type PlainAzureAuth, parseAzureAccount } from '../../addresses/azure-account.ts';
import { finding } from '../checks/rule.ts';
import { blob } from '../schema/schema-blob.ts';
import { secret } from '../schema/secret-schema.ts';
import { type DestinationKind, folderPrefix, folderRule } from './destination-kind.ts';

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

const schema = z
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
    folder: folderPrefix,
    auth: auth.describe(`Credentials: ${ONE_WAY}.`),
    blob: blob
      .exactOptional()
      .describe('Properties of every file of this destination; an activation can override them.'),
  })
  .describe('A container of Azure Blob Storage.');

export type AzureBlobConfig = z.output<typeof schema>;

/** What it names, its secrets revealed. Fails with an `AddressFault`. */
function azureAccount(destination: AzureBlobConfig): AzureAccount {
  const { auth } = destination;
  const plain =
    'identity' in auth
      ? auth
      : Object.fromEntries(Object.entries(auth).map(([way, secret]) => [way, secret.reveal()]));
  return parseAzureAccount({ ...destination, auth: plain as PlainAzureAuth });
}

export const AZURE_BLOB = {
  schema,
  rules: [
    {
      reads: ['auth', 'accountUrl'],
      check: ({ auth, accountUrl }) =>
        'connectionString' in auth && accountUrl !== undefined
          ? finding(
              ['accountUrl'],
              'stands beside auth.connectionString, which names the account itself; keep one',
            )
          : undefined,
    },
    {
      reads: ['auth', 'accountUrl', 'accountName', 'container', 'folder'],
      check: destination => {
        try {
          azureAccount(destination);
          return undefined;
        } catch (error) {
          if (error instanceof AddressFault) return finding(error.key.split('.'), error.message);
          throw error;
        }
      },
    },
    folderRule,
  ],
  place: destination => {
    try {
      return `${azureAccount(destination).endpoint.toLowerCase()}/${destination.container}`;
    } catch (error) {
      if (error instanceof AddressFault) return undefined;
      throw error;
    }
  },
  located: destination => destination,
} satisfies DestinationKind<AzureBlobConfig>;
