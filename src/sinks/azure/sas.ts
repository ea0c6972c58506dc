import type { SasToken } from '../../addresses/sas-token.ts';
import { SluiceError } from '../../errors.ts';

/** What a shared access signature says about itself. Nothing of it is secret. */
export interface SasDescription {
  readonly kind: 'service' | 'user delegation' | 'account';
  /** Letters such as `rw`; undefined where a stored access policy holds them. */
  readonly permissions: string | undefined;
  readonly startsOn: Date | undefined;
  /** Undefined where a stored access policy holds it. */
  readonly expiresOn: Date | undefined;
  readonly protocol: 'https' | 'https,http';
  /** An address or a range of them, the only ones that may use the signature. */
  readonly ipRange: string | undefined;
  /** What it is for. */
  readonly resource: 'container' | 'blob' | 'directory' | 'account' | 'other';
  /**
   * Only in an account's signature: services (`b` is blobs) and types (`o` is objects).
   */
  readonly services: string | undefined;
  readonly resourceTypes: string | undefined;
  /** The stored access policy that completes it. */
  readonly policy: string | undefined;
}

const RESOURCES: Readonly<Record<string, SasDescription['resource']>> = {
  c: 'container',
  b: 'blob',
  d: 'directory',
};

/**
 * Without reading, a commit that was not answered could never be told from one that never
 * was.
 */
const NEEDED = ['w', 'r'] as const;

const PERMISSION_NAMES: Readonly<Record<string, string>> = {
  r: 'read',
  w: 'write',
  d: 'delete',
  l: 'list',
  t: 'tags',
};

export function describeSas({ parameters }: Pick<SasToken, 'parameters'>): SasDescription {
  const text = (name: string): string | undefined => parameters.get(name) || undefined;
  const services = text('ss');
  const account = services !== undefined;
  // The key that signed a token of a user has times of its own, and the service asks for
  // both.
  const times = (...names: string[]): number[] =>
    names.flatMap(name => text(name) ?? []).map(value => Date.parse(value));
  const starts = times('st', 'skt');
  const ends = times('se', 'ske');
  return {
    kind: account ? 'account' : text('skoid') ? 'user delegation' : 'service',
    permissions: text('sp'),
    startsOn: starts.length > 0 ? new Date(Math.max(...starts)) : undefined,
    expiresOn: ends.length > 0 ? new Date(Math.min(...ends)) : undefined,
    protocol: text('spr') === 'https' ? 'https' : 'https,http',
    ipRange: text('sip'),
    resource: account ? 'account' : (RESOURCES[text('sr') ?? ''] ?? 'other'),
    services,
    resourceTypes: text('srt'),
    policy: text('si'),
  };
}

/**
 * Fails where the signature cannot serve for writing blobs at `accountUrl`, whatever the
 * service would say. Whether its time has come, or gone, is for the service's clock to
 * decide.
 */
export function checkSas(sas: SasDescription, accountUrl: string): void {
  if (sas.protocol === 'https' && !accountUrl.startsWith('https:')) {
    throw unusable('it allows https only, and accountUrl is http');
  }
  for (const letter of NEEDED) {
    if (sas.permissions !== undefined && !sas.permissions.includes(letter))
      throw lacking(`${permissionName(letter)}; it has \`${sas.permissions}\``);
  }
  if (sas.services !== undefined && !sas.services.includes('b')) {
    throw lacking(`the blob service (\`ss=b\`); it has \`${sas.services}\``);
  }
  if (sas.kind === 'account' && !sas.resourceTypes?.includes('o')) {
    throw lacking(`objects (\`srt=o\`); it has \`${sas.resourceTypes ?? ''}\``);
  }
  if (sas.resource === 'blob') throw lacking('a container; it is for a single blob');
}

/** As in `write (w)`. */
export function permissionName(letter: string): string {
  return `${PERMISSION_NAMES[letter] ?? 'permission'} (${letter})`;
}

function unusable(why: string): SluiceError {
  return new SluiceError('DESTINATION_CREDENTIALS', `the SAS token cannot be used: ${why}`, {
    stage: 'destination',
    hint: 'make a new SAS token for the destination',
  });
}

function lacking(what: string): SluiceError {
  return new SluiceError('DESTINATION_PERMISSION', `the SAS token lacks ${what}`, {
    stage: 'destination',
    hint: 'make a SAS token for the container with the permissions write (w) and read (r)',
  });
}
