import { SluiceError } from '../../errors.ts';
import { describeSas, type SasDescription } from './sas.ts';

/** What a connection is made of, read without the SDK. */

/** A secret as text, or wrapped so that it cannot be printed. */
export type SecretText = string | { reveal(): string };

/** Exactly one of these. */
export type AzureAuth =
  | { readonly sasToken: SecretText }
  | { readonly accountKey: SecretText }
  | { readonly connectionString: SecretText }
  | { readonly identity: 'default' };

/** `AzureAuth` after a connection string was taken apart. */
export type DirectAzureAuth = Exclude<AzureAuth, { readonly connectionString: SecretText }>;

/** The emulator's account; its key is public (learn.microsoft.com/azure/storage/common/storage-use-azurite). */
const EMULATOR = {
  url: 'http://127.0.0.1:10000/devstoreaccount1',
  key: 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
};

export function reveal(secret: SecretText): string {
  return typeof secret === 'string' ? secret : secret.reveal();
}

/** Takes more forms than the SDK does: a SAS with only AccountName, a key with only BlobEndpoint. */
export function parseConnectionString(connectionString: SecretText): {
  accountUrl: string | undefined;
  auth: DirectAzureAuth;
} {
  const pairs = reveal(connectionString).split(';');
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
  throw new SluiceError(
    'CONFIG_INVALID',
    'the connection string has neither AccountKey nor SharedAccessSignature',
    { stage: 'destination', hint: 'correct the destination in the configuration' },
  );
}

/** What the SAS says of itself, where there is one. Fails where the credentials cannot be read. */
export function sasOf(auth: AzureAuth): SasDescription | undefined {
  const direct = 'connectionString' in auth ? parseConnectionString(auth.connectionString).auth : auth;
  return 'sasToken' in direct ? describeSas(reveal(direct.sasToken)) : undefined;
}
