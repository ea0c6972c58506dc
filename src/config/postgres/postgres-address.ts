/** From the keys or the URL of a postgres source to the address that it connects by. */

import { existsSync } from 'node:fs';
import { isIP, isIPv6 } from 'node:net';
import { homedir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import {
  AUTH_METHODS,
  type AuthMethod,
  type PostgresAddress,
  type SslMode,
} from '../../addresses/postgres-address.ts';
import { NO_PROXIES, type Proxies } from '../../addresses/proxies.ts';
import type { PostgresConfig } from '../schema/schema.ts';
import { postgresAddressKeys } from '../schema/schema-postgres.ts';
import { Secret } from '../secrets.ts';
import type { ReferenceContext } from '../tree/references.ts';
import { type AddressKey, type AddressValues, readParameters } from './postgres-parameters.ts';
import { parsePostgresUrl } from './postgres-url.ts';

/** What is wrong with an address, at which key; `url` where there is one. */
export interface SourceFault {
  readonly key: string;
  readonly message: string;
}

interface Written {
  readonly values: AddressValues;
  readonly applicationName?: string;
  readonly connectTimeoutMs?: number;
  readonly faults: readonly SourceFault[];
}

const ADDRESS_KEYS = Object.keys(postgresAddressKeys) as AddressKey[];
const DEFAULT_KEEP_ALIVE_S = 30;

/** Where OpenSSL looks on the systems that people use; the first that is there. */
const SYSTEM_AUTHORITIES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/**
 * Everything that is wrong with where a source is; nothing is connected to and no file is
 * read.
 */
export function addressFaults(source: Partial<PostgresConfig>): SourceFault[] {
  const given = ADDRESS_KEYS.filter(key => source[key] !== undefined);
  const [first] = given;
  if (source.url === undefined && first === undefined) {
    return [{ key: '', message: 'has neither url nor host; expected one of them' }];
  }
  if (source.url !== undefined && first !== undefined) {
    const message = `stands beside url, which says where the server is; keep url, or write all of it as keys`;
    return given.map(key => ({ key, message }));
  }
  const { values, faults } = writtenIn(source);
  if (faults.length > 0) return [...faults];
  const keyOf = (key: AddressKey): string => (source.url === undefined ? key : 'url');
  return [...valueFaults(values, keyOf), ...(source.auth ? identityFaults(values, keyOf) : [])];
}

/** A token travels as the password, in clear to whoever is at the other end. */
function identityFaults(values: AddressValues, keyOf: (key: AddressKey) => string): SourceFault[] {
  const faults: SourceFault[] = [];
  if (values.password !== undefined) {
    faults.push({ key: 'auth', message: 'stands beside a password; expected one of the two' });
  }
  if (values.user === undefined) {
    const message = 'needs a user: the role in the database that the identity logs in as';
    faults.push({ key: 'auth', message });
  }
  const mode = modeOf(values);
  const expected = 'expected sslmode require, verify-ca or verify-full';
  if (!/^(?:require|verify)/.test(mode)) {
    const key = values.sslmode === undefined ? 'auth' : keyOf('sslmode');
    const message = `logs in with a token, which must not travel in clear, and sslmode is ${mode}; ${expected}`;
    faults.push({ key, message });
  } else if (listed(values.host).some(host => host.startsWith('/'))) {
    const message = 'logs in with a token, and host is the folder of a socket, which has no TLS';
    faults.push({ key: 'auth', message });
  }
  return faults;
}

/**
 * Where a source without faults is, and the settings that its URL brings where no key
 * says otherwise.
 */
export function postgresAddress(
  source: PostgresConfig,
  { environment, directory }: ReferenceContext,
  proxies: Proxies = NO_PROXIES,
): { address: PostgresAddress; applicationName?: string; connectTimeoutMs?: number } {
  const { values, applicationName, connectTimeoutMs } = writtenIn(source);
  const user = values.user ?? systemUser()!;
  const fromEnvironment = environment['PGPASSWORD'] ? new Secret(environment['PGPASSWORD']) : undefined;
  const password = values.password ?? fromEnvironment;
  const file = (name: AddressKey) =>
    typeof values[name] === 'string' ? resolve(directory, values[name]) : undefined;
  const address: PostgresAddress = {
    hosts: hostsOf(values),
    shuffled: values.load_balance_hosts === 'random',
    user,
    database: values.database ?? user,
    ...(source.auth
      ? { identity: { scope: source.auth.scope, proxies } }
      : {
          ...optional('password', password),
          ...optional('passwordFile', file('passfile') ?? homeFile('.pgpass')),
        }),
    tls: {
      mode: modeOf(values),
      ...optional(
        'authorities',
        values.sslrootcert === 'system' ? systemAuthorities(environment) : listOf(file('sslrootcert')),
      ),
      ...optional('certificate', file('sslcert')),
      ...optional('key', file('sslkey')),
      ...optional('keyPassword', values.sslpassword),
      ...optional('revoked', file('sslcrl')),
      minVersion: values.ssl_min_protocol_version ?? 'TLSv1.2',
      ...optional('maxVersion', values.ssl_max_protocol_version),
      sendsName: values.sslsni !== '0',
      direct: values.sslnegotiation === 'direct',
    },
    channelBinding: values.channel_binding ?? 'prefer',
    ...optional('authMethods', authMethods(values.require_auth)),
    session: values.target_session_attrs ?? 'any',
    ...optional('options', values.options),
    ...optional('keepAliveMs', keepAliveMs(values)),
  };
  return {
    address,
    ...optional('applicationName', applicationName),
    ...optional('connectTimeoutMs', connectTimeoutMs),
  };
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };
}

function modeOf({ sslmode, sslrootcert }: AddressValues): SslMode {
  return sslmode ?? (sslrootcert === 'system' ? 'verify-full' : 'prefer');
}

function listOf<T>(item: T | undefined): T[] | undefined {
  return item === undefined ? undefined : [item];
}

function writtenIn(source: Partial<PostgresConfig>): Written {
  if (source.url === undefined) {
    const given = ADDRESS_KEYS.flatMap(key => (source[key] === undefined ? [] : [[key, source[key]]]));
    return { values: Object.fromEntries(given) as AddressValues, faults: [] };
  }
  const inUrl = (message: string): SourceFault => ({ key: 'url', message });
  const url = parsePostgresUrl(source.url.reveal());
  if ('fault' in url) return { values: {}, faults: [inUrl(url.fault)] };
  const { faults, ...rest } = readParameters(url.parameters);
  return { ...rest, faults: faults.map(inUrl) };
}

/** What several values are together. */
function valueFaults(values: AddressValues, keyOf: (key: AddressKey) => string): SourceFault[] {
  const faults: SourceFault[] = [];
  const report = (key: AddressKey, message: string): void => {
    const where = keyOf(key);
    faults.push({ key: where, message: where === key ? message : `cannot be used: its ${key} ${message}` });
  };
  checkHosts(values, report);
  const { sslmode, sslrootcert, sslcert, sslkey, channel_binding: binding } = values;
  if (values.user === undefined && systemUser() === undefined) {
    report('user', 'is missing, and the operating system has no name for the user of this process');
  }
  if (sslrootcert === 'system' && sslmode !== undefined && sslmode !== 'verify-full') {
    report(
      'sslmode',
      `is ${sslmode} with sslrootcert system, where anybody can have a certificate; expected verify-full`,
    );
  }
  if (sslmode === 'verify-ca' && sslrootcert === undefined) {
    report(
      'sslmode',
      'is verify-ca without sslrootcert; name the file with the certificate of the authority, or use verify-full',
    );
  }
  if ((sslcert === undefined) !== (sslkey === undefined)) {
    report(sslcert === undefined ? 'sslkey' : 'sslcert', 'needs sslcert and sslkey both');
  }
  if (binding === 'require' && sslmode === 'disable') {
    report('channel_binding', 'is require with sslmode disable; only a TLS connection can be bound to');
  }
  if (values.sslnegotiation === 'direct' && !/^(?:require|verify)/.test(modeOf(values))) {
    report('sslnegotiation', 'is direct, which needs sslmode require, verify-ca or verify-full');
  }
  const { ssl_min_protocol_version: min = 'TLSv1.2', ssl_max_protocol_version: max } = values;
  if (max !== undefined && max < min) {
    report('ssl_max_protocol_version', `is ${max}, which is older than ssl_min_protocol_version ${min}`);
  }
  const methods = values.require_auth?.split(',') ?? [];
  if (methods.some(method => method.startsWith('!')) && !methods.every(method => method.startsWith('!'))) {
    report('require_auth', 'has ! in front of some ways to log in; expected of all or of none');
  }
  return faults;
}

function checkHosts(values: AddressValues, report: (key: AddressKey, message: string) => void): void {
  const hosts = listed(values.host);
  const addresses = listed(values.hostaddr);
  const ports = listed(values.port);
  const count = Math.max(hosts.length, addresses.length, 1);
  if (hosts.length > 0 && addresses.length > 0 && hosts.length !== addresses.length) {
    report(
      'hostaddr',
      `names ${addresses.length} addresses for ${hosts.length} hosts; expected one for each`,
    );
  }
  if (ports.length > 1 && ports.length !== count) {
    report('port', `names ${ports.length} ports for ${count} hosts; expected one for each, or one for all`);
  }
  if (addresses.some(address => address !== '' && isIP(address) === 0)) {
    report('hostaddr', 'holds a name; expected IP addresses');
  }
  if (hosts.some(host => host.startsWith('@'))) {
    report(
      'host',
      'begins with @, an abstract socket; expected a name, an address or the folder of a socket',
    );
  }
  if (hosts.some(host => !isHost(host))) {
    report('host', 'is not a name, an IP address or the folder of a socket, which begins with /');
  }
}

function isHost(host: string): boolean {
  // An address of IPv6 comes last: Node compiles a large expression for it, at once 10
  // ms.
  return /^[^\s:/?#[\]@]*$/.test(host) || host.startsWith('/') || host.startsWith('@') || isIPv6(host);
}

/** Values that hold one for each host. */
function listed(text: string | undefined): string[] {
  return text === undefined ? [] : text.split(',');
}

function hostsOf(values: AddressValues): PostgresAddress['hosts'] {
  const hosts = listed(values.host);
  const addresses = listed(values.hostaddr);
  const ports = listed(values.port);
  const count = Math.max(hosts.length, addresses.length, 1);
  return Array.from({ length: count }, (_, index) => ({
    host: hosts[index] || addresses[index] || 'localhost',
    ...(addresses[index] ? { hostaddr: addresses[index] } : {}),
    port: Number((ports.length === 1 ? ports[0] : ports[index]) || 5432),
  }));
}

function authMethods(list: string | undefined): AuthMethod[] | undefined {
  if (list === undefined) return undefined;
  const named = list.split(',').map(method => method.replace('!', '') as AuthMethod);
  return list.startsWith('!') ? AUTH_METHODS.filter(method => !named.includes(method)) : named;
}

function keepAliveMs({ keepalives, keepalives_idle: idle }: AddressValues): number | undefined {
  if (keepalives === '0') return undefined;
  return (Number(idle ?? 0) || DEFAULT_KEEP_ALIVE_S) * 1000;
}

function systemAuthorities(environment: ReferenceContext['environment']): string[] | undefined {
  const bundle = environment['SSL_CERT_FILE'] ?? SYSTEM_AUTHORITIES.find(path => existsSync(path));
  const extra = environment['NODE_EXTRA_CA_CERTS'];
  return bundle === undefined ? undefined : [bundle, ...(extra ? [extra] : [])];
}

function systemUser(): string | undefined {
  try {
    return userInfo().username || undefined;
  } catch {
    return undefined; // A user id without an entry in /etc/passwd, as in containers.
  }
}

function homeFile(name: string): string | undefined {
  try {
    const home = homedir();
    return home === '' ? undefined : join(home, name);
  } catch {
    return undefined; // as for the user
  }
}
