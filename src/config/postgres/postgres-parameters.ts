/**
 * Every parameter that a connection URL of PostgreSQL may have: taken, or refused by name
 * with what to write instead.
 */

import type * as z from 'zod';
import { nearestName } from '../checks/nearest-name.ts';
import { describeAllowed } from '../checks/problems.ts';
import { postgresAddressKeys } from '../schema/schema-postgres.ts';

export type AddressKey = keyof typeof postgresAddressKeys;
/** Values of the keys of an address, of whichever form it was written in. */
export type AddressValues = { [K in AddressKey]?: z.output<(typeof postgresAddressKeys)[K]> };

export interface PostgresParameters {
  readonly values: AddressValues;
  readonly applicationName?: string;
  readonly connectTimeoutMs?: number;
  /** What is wrong, without any value that may be secret. */
  readonly faults: readonly string[];
}

const ADDRESS_KEYS = Object.keys(postgresAddressKeys) as AddressKey[];
/** Those whose name in a URL is another one. */
const URL_NAMES: Readonly<Record<string, AddressKey>> = { dbname: 'database' };
/** In a URL alone; a source has keys for them. */
const OWN_NAMES = ['application_name', 'fallback_application_name', 'connect_timeout'];
/** Values that ask for nothing, of parameters that are refused otherwise. */
const IDLE_VALUES: Readonly<Record<string, RegExp>> = {
  client_encoding: /^(?:utf-?8|auto)$/i,
  gssencmode: /^(?:disable|prefer)$/,
  keepalives_count: /^0$/,
  keepalives_interval: /^0$/,
  max_protocol_version: /^(?:latest|3\.[02])$/,
  min_protocol_version: /^3\.0$/,
  replication: /^(?:false|off|no|0)$/,
  sslcertmode: /^allow$/,
  sslcompression: /^0$/,
  tcp_user_timeout: /^0$/,
  uselibpqcompat: /^true$/,
};

const GSS = 'GSSAPI is not supported; log in by a password or a certificate';
const PROBES =
  'it is a setting of the operating system here; inactivityTimeout bounds how long silence may last';
const OAUTH = 'OAuth is not supported; log in by a password or a certificate';
const REFUSED: Readonly<Record<string, string>> = {
  binary: 'leave it out',
  client_encoding: 'text is always read as UTF-8; leave it out',
  connection_limit: 'a run has one connection; leave it out',
  currentSchema: 'write options=-c%20search_path=NAME',
  database: 'write dbname, or the name behind the / of the host',
  encoding: 'text is always read as UTF-8; leave it out',
  gssdelegation: GSS,
  gssencmode: GSS,
  gsslib: GSS,
  idle_in_transaction_session_timeout: 'it is switched off in every run; leave it out',
  keepAlive: 'write keepalives',
  keepalives_count: PROBES,
  keepalives_interval: PROBES,
  krbsrvname: GSS,
  lock_timeout: 'write the key lockTimeout of the source',
  max_protocol_version: 'version 3.0 of the protocol is spoken; leave it out',
  min_protocol_version: 'version 3.0 of the protocol is spoken; leave it out',
  oauth_client_id: OAUTH,
  oauth_client_secret: OAUTH,
  oauth_issuer: OAUTH,
  oauth_scope: OAUTH,
  pgbouncer: 'nothing depends on it; leave it out',
  pool_timeout: 'a run has one connection; write the key connectTimeout of the source',
  query_timeout:
    'write the key statementTimeout (the server ends the query) or inactivityTimeout of the source',
  replication: 'a connection for replication cannot run queries; leave it out',
  requirepeer: 'the owner of a socket is not checked; use a folder that only the server may write to',
  schema: 'write options=-c%20search_path=NAME',
  scram_client_key: 'write the password',
  scram_server_key: 'write the password',
  scramMaxIterations: 'up to 10,000,000 rounds are always accepted; leave it out',
  search_path: 'write options=-c%20search_path=NAME',
  service: 'write host, port, dbname and user',
  servicefile: 'write host, port, dbname and user',
  socketTimeout: 'write the key inactivityTimeout of the source',
  sslcertmode: 'leave it out; sslcert decides whether a certificate is sent',
  sslcompression: 'TLS is never compressed; leave it out',
  sslcrldir: 'write the revoked certificates to one file and name it with sslcrl',
  sslkeylogfile: 'keys of TLS are never written to a file; leave it out',
  sslrootcertdir: 'write the certificates to one file and name it with sslrootcert',
  statement_timeout: 'write the key statementTimeout of the source',
  tcp_user_timeout: PROBES,
  uselibpqcompat: 'parameters always have the meaning of libpq; leave it out',
};

const KNOWN = [...ADDRESS_KEYS.filter(key => key !== 'database'), ...Object.keys(URL_NAMES), ...OWN_NAMES];

/** What the parameters of a URL say. Empty values say nothing, as in libpq. */
export function readParameters(parameters: ReadonlyMap<string, string>): PostgresParameters {
  const values: Record<string, unknown> = {};
  const faults: string[] = [];
  const given = new Map([...parameters].filter(([, value]) => value !== ''));
  for (const [name, value] of given) {
    const [key, text] = named(name, value);
    if (isAddressKey(key)) {
      const schema: z.ZodType = postgresAddressKeys[key];
      const parsed = schema.safeParse(text, { error: describeAllowed });
      if (parsed.success) values[key] = parsed.data;
      else faults.push(`has the parameter ${name}${shown(value)}; expected ${allowed(parsed.error, text)}`);
    } else if (!OWN_NAMES.includes(name) && !IDLE_VALUES[name]?.test(value)) {
      faults.push(Object.hasOwn(REFUSED, name) ? refusal(name) : unknown(name));
    }
  }
  const timeout = given.get('connect_timeout');
  if (timeout !== undefined && !/^[1-9]\d{0,5}$/.test(timeout)) {
    faults.push('has the parameter connect_timeout; expected seconds, a whole number of at least 1');
  }
  const name = given.get('application_name') ?? given.get('fallback_application_name');
  return {
    values,
    ...(name === undefined ? {} : { applicationName: name }),
    ...(timeout === undefined ? {} : { connectTimeoutMs: Number(timeout) * 1000 }),
    faults,
  };
}

/** Under the name of its key, with the spellings that others have for libpq's values. */
function named(name: string, value: string): [key: string, text: string] {
  // libpq reads JDBC's ssl=true so.
  if (name === 'ssl' && /^(?:true|1|no-verify)$/.test(value)) return ['sslmode', 'require'];
  if (name === 'ssl' && /^(?:false|0)$/.test(value)) return ['sslmode', 'disable'];
  if (name === 'ssl') return ['sslmode', value];
  if (name === 'sslmode' && value === 'no-verify') return ['sslmode', 'require'];
  return name === 'database' ? ['', value] : [URL_NAMES[name] ?? name, value];
}

function isAddressKey(key: string): key is AddressKey {
  return Object.hasOwn(postgresAddressKeys, key);
}

/** Only what can be no secret: a word where one of a few words belongs. */
function shown(value: string): string {
  return /^[\w.-]{1,20}$/.test(value) ? `=${value}` : '';
}

function allowed(error: z.ZodError, seen: string): string {
  const [issue] = error.issues;
  const words = issue?.message ?? 'another value';
  const near = nearestName(seen, words.replace(/^one of /, '').split(', '));
  return near === undefined ? words : `${words} (did you mean ${near}?)`;
}

function refusal(name: string): string {
  return `has the parameter ${name}, which a source does not take: ${REFUSED[name]}`;
}

function unknown(name: string): string {
  const near = nearestName(name, KNOWN);
  const hint = near === undefined ? '' : ` (did you mean ${near}?)`;
  return `has the unknown parameter ${name}${hint}; allowed are ${KNOWN.join(', ')}`;
}
