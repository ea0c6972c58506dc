/**
 * Where a PostgreSQL server is and how it is to be reached: what the configuration makes
 * of a source's `url` or of its keys, and what the source connects by. Everything is
 * decided here; the driver gets no URL and no environment.
 */

import type { Proxies } from './proxies.ts';

/** What `sslmode` may be. The default is the first, as libpq's. */
export const SSL_MODES = ['prefer', 'disable', 'allow', 'require', 'verify-ca', 'verify-full'] as const;
export type SslMode = (typeof SSL_MODES)[number];

/** What `target_session_attrs` may be. The default is the first. */
export const SESSION_KINDS = [
  'any',
  'read-write',
  'read-only',
  'primary',
  'standby',
  'prefer-standby',
] as const;
export type SessionKind = (typeof SESSION_KINDS)[number];

/** What `channel_binding` may be. The default is the first. */
export const CHANNEL_BINDINGS = ['prefer', 'disable', 'require'] as const;
export type ChannelBinding = (typeof CHANNEL_BINDINGS)[number];

export const TLS_VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;
export type TlsVersion = (typeof TLS_VERSIONS)[number];

/** Ways to log in, as `require_auth` names them. */
export const AUTH_METHODS = ['none', 'password', 'md5', 'scram-sha-256'] as const;
export type AuthMethod = (typeof AUTH_METHODS)[number];

export interface PostgresHost {
  /** A name, an IP address, or the folder of a socket. */
  readonly host: string;
  /**
   * Connected to in place of what `host` resolves to; `host` stays the name that a
   * certificate is for.
   */
  readonly hostaddr?: string;
  readonly port: number;
}

export interface TlsSettings {
  readonly mode: SslMode;
  /** Files with certificates of authorities; without them those that Node trusts. */
  readonly authorities?: readonly string[];
  /** Files of the client's own certificate and its key. */
  readonly certificate?: string;
  readonly key?: string;
  readonly keyPassword?: Revealed;
  /** File of certificates that were revoked. */
  readonly revoked?: string;
  readonly minVersion: TlsVersion;
  readonly maxVersion?: TlsVersion;
  /** Whether the name of the host is sent in clear (SNI), as proxies need it. */
  readonly sendsName: boolean;
  /** TLS from the first byte on, for PostgreSQL 17 and later. */
  readonly direct: boolean;
}

/** A text that is not shown by accident. */
export interface Revealed {
  reveal(): string;
}

/** Where tokens come from. */
export interface TokenSource {
  /** What a token is for. */
  readonly scope: string;
  readonly proxies: Pick<Proxies, 'proxyFor'>;
}

export interface PostgresAddress {
  /** Tried in this order. At least one. */
  readonly hosts: readonly PostgresHost[];
  /** Whether the order is to be shuffled first. */
  readonly shuffled: boolean;
  readonly user: string;
  readonly database: string;
  readonly password?: Revealed;
  /** In the place of a password: tokens of an identity of Azure. */
  readonly identity?: TokenSource;
  /** Looked into where there is no password. */
  readonly passwordFile?: string;
  readonly tls: TlsSettings;
  readonly channelBinding: ChannelBinding;
  /** Ways to log in that are accepted; without it all are. */
  readonly authMethods?: readonly AuthMethod[];
  readonly session: SessionKind;
  /** Sent to the server at the start, as in `-c search_path=crm`. */
  readonly options?: string;
  /** An idle connection is probed after so long; undefined is never. */
  readonly keepAliveMs?: number;
}
