import type { PostgresAddress, PostgresHost, Revealed } from '../../../addresses/postgres-address.ts';
import type { PostgresSourceOptions } from '../postgres-source-options.ts';

/**
 * What a source of the same rows is made of, as plain data that passes between threads.
 * It holds secrets.
 */
export interface PostgresReaderOptions extends Omit<PostgresSourceOptions, 'address'> {
  readonly snapshot: string;
  readonly address: Omit<PostgresAddress, 'password' | 'identity' | 'tls'> & {
    readonly password: string | undefined;
    readonly tls: Omit<PostgresAddress['tls'], 'keyPassword'> & { readonly keyPassword: string | undefined };
  };
}

/**
 * @param peer the server that has the snapshot: no other host knows it
 * @param token takes the place of an identity, which cannot pass
 */
export function readerOptions(
  { address, ...options }: PostgresSourceOptions,
  {
    snapshot,
    peer,
    token,
  }: { readonly snapshot: string; readonly peer: PostgresHost; readonly token?: string },
): PostgresReaderOptions {
  const { password, identity, tls, ...rest } = address;
  const { keyPassword, ...plainTls } = tls;
  return {
    ...options,
    snapshot,
    address: {
      ...rest,
      hosts: [peer],
      session: 'any',
      password: token ?? password?.reveal(),
      tls: { ...plainTls, keyPassword: keyPassword?.reveal() },
    },
  };
}

export function readerSource({ address, ...options }: PostgresReaderOptions): PostgresSourceOptions {
  const { password, tls, ...rest } = address;
  const { keyPassword, ...plainTls } = tls;
  return {
    ...options,
    address: {
      ...rest,
      ...(password !== undefined && { password: revealed(password) }),
      tls: { ...plainTls, ...(keyPassword !== undefined && { keyPassword: revealed(keyPassword) }) },
    },
  };
}

function revealed(text: string): Revealed {
  return { reveal: () => text };
}
