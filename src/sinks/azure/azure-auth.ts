import { AddressFault } from '../../addresses/address-fault.ts';
import { type AzureAccount, type PlainAzureAuth, parseAzureAccount } from '../../addresses/azure-account.ts';
import type { Proxies } from '../../addresses/proxies.ts';
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

export interface AzureAddress {
  /** Needed unless a connection string names the account. */
  readonly accountUrl?: string | undefined;
  /**
   * Where neither accountUrl nor the connection string says it, as with a domain of one's
   * own.
   */
  readonly accountName?: string | undefined;
  readonly container: string;
  /**
   * The part of the container that the credentials may be limited to: '' or a prefix that
   * ends with `/`.
   */
  readonly folder?: string | undefined;
  readonly auth: AzureAuth;
  /** Default none: nothing but this decides about proxies. */
  readonly proxies?: Proxies | undefined;
}

function reveal(secret: SecretText): string {
  return typeof secret === 'string' ? secret : secret.reveal();
}

/**
 * Fails with CONFIG_INVALID where the address cannot be used; the message holds no
 * secret.
 */
export function accountOf(address: AzureAddress): AzureAccount {
  try {
    return parseAzureAccount({ ...address, auth: plainAuth(address.auth) });
  } catch (error) {
    if (!(error instanceof AddressFault)) throw error;
    throw new SluiceError('CONFIG_INVALID', `${error.key} ${error.message}`, {
      stage: 'destination',
      hint: 'correct the destination in the configuration',
    });
  }
}

function plainAuth(auth: AzureAuth): PlainAzureAuth {
  if ('sasToken' in auth) return { sasToken: reveal(auth.sasToken) };
  if ('accountKey' in auth) return { accountKey: reveal(auth.accountKey) };
  return 'connectionString' in auth ? { connectionString: reveal(auth.connectionString) } : auth;
}

/**
 * What the SAS says of itself, where there is one. Fails where the credentials cannot be
 * read.
 */
export function sasOf(address: AzureAddress): SasDescription | undefined {
  const { credentials } = accountOf(address);
  return 'sas' in credentials ? describeSas(credentials.sas) : undefined;
}

/** When the SAS token of a destination expires, where it has one that says so. */
export function sasExpiry(address: AzureAddress): Date | undefined {
  try {
    return sasOf(address)?.expiresOn;
  } catch (error) {
    // Credentials that cannot be read fail the run, which says more.
    if (error instanceof SluiceError) return undefined;
    throw error;
  }
}
