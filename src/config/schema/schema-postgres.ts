/**
 * Keys of a postgres source that say where the server is, and how TLS and logging in are
 * done.
 */

import * as z from 'zod';
import {
  AUTH_METHODS,
  CHANNEL_BINDINGS,
  SESSION_KINDS,
  SSL_MODES,
  TLS_VERSIONS,
} from '../../addresses/postgres-address.ts';
import { secret } from './secret-schema.ts';
import { text } from './values.ts';

/** A whole number, also where it is a text, as in a URL. */
function whole(pattern: RegExp, expected: string) {
  return z
    .union([z.int().nonnegative(), z.string()], { error: expected })
    .refine(value => pattern.test(String(value)), { error: expected })
    .transform(String)
    .meta({ title: 'whole number' });
}

function flag() {
  const expected = '1 or 0';
  return z
    .union([z.literal(1), z.literal(0), z.literal('1'), z.literal('0')], { error: expected })
    .transform(String)
    .meta({ title: '1, 0' });
}

function tlsVersion() {
  return z.string().transform((value, context) => {
    const known = TLS_VERSIONS.find(version => version.toLowerCase() === value.toLowerCase());
    if (known !== undefined) return known;
    context.addIssue({ code: 'custom', message: `one of ${TLS_VERSIONS.join(', ')}` });
    return z.NEVER;
  });
}

const AUTH_LIST = new RegExp(`^(?:!?(?:${AUTH_METHODS.join('|')})(?:,|$))+(?<!,)$`);
const PORTS = /^(?:\d{1,5})?(?:,(?:\d{1,5})?)*$/;

function isPorts(value: string): boolean {
  const ports = value.split(',').filter(port => port !== '');
  return PORTS.test(value) && ports.every(port => Number(port) >= 1 && Number(port) <= 65_535);
}

/**
 * By the names of libpq's parameters, but for `database`, which is its `dbname`. In a URL
 * they have the same meaning, and are checked by the same schemas.
 */
export const postgresAddressKeys = {
  host: text().describe(
    'Name or IP address of the server, or the folder of its socket; several with commas between are tried in order.',
  ),
  hostaddr: text().describe('IP address to connect to in place of what `host` resolves to.'),
  port: z
    .union([z.int(), z.string()], {
      error: 'a port from 1 to 65535, or one for each host with commas between',
    })
    .refine(value => isPorts(String(value)), {
      error: 'a port from 1 to 65535, or one for each host with commas between',
    })
    .transform(String)
    .meta({ title: 'whole number' })
    .describe('Port, or one for each host with commas between; without it 5432.'),
  database: text().describe('Name of the database; without it that of the user.'),
  user: text().describe('Name of the role; without it that of the user of the operating system.'),
  password: secret({ expected: 'a password' }).describe(
    'Password, taken as it is. Without it, that of the environment variable `PGPASSWORD` or of `passfile`. Secret.',
  ),
  passfile: text().describe(
    'File of passwords as libpq has it, looked into where there is no password; without it `~/.pgpass`.',
  ),
  sslmode: z
    .enum(SSL_MODES)
    .describe(
      'TLS, with the meaning of libpq: `require` encrypts and does not look at the certificate (with `sslrootcert` it does as verify-ca), `verify-ca` checks who signed it, `verify-full` its name too. Without it `prefer`, with `sslrootcert: system` verify-full.',
    ),
  sslrootcert: text().describe(
    'File with the certificates of authorities, or `system` for those that the system trusts.',
  ),
  sslcert: text().describe("File with the client's certificate."),
  sslkey: text().describe("File with the key of the client's certificate."),
  sslpassword: secret({ expected: 'the password of sslkey' }).describe('Password of `sslkey`. Secret.'),
  sslcrl: text().describe('File with certificates that were revoked.'),
  ssl_min_protocol_version: tlsVersion().describe('Oldest version of TLS; without it TLSv1.2.'),
  ssl_max_protocol_version: tlsVersion().describe('Newest version of TLS.'),
  sslnegotiation: z
    .enum(['postgres', 'direct'])
    .describe('`direct` begins with TLS at once, which PostgreSQL 17 understands.'),
  sslsni: flag().describe('Whether the name of the host is sent in clear when TLS begins; without it 1.'),
  channel_binding: z
    .enum(CHANNEL_BINDINGS)
    .describe('Whether logging in is bound to the TLS connection; without it `prefer`.'),
  require_auth: z
    .string()
    .regex(AUTH_LIST, {
      error: `${AUTH_METHODS.join(', ')}, several with commas between, or all with ! in front`,
    })
    .describe('Ways to log in that are accepted; with `!` in front, that are refused.'),
  target_session_attrs: z
    .enum(SESSION_KINDS)
    .describe(
      'Which of several hosts is taken: by whether it takes writes, or is a standby; without it `any`.',
    ),
  load_balance_hosts: z
    .enum(['disable', 'random'])
    .describe('`random` tries hosts in random order; without it `disable`.'),
  options: text().describe(
    'Options for the server at the start of the session, such as `-c search_path=crm`.',
  ),
  keepalives: flag().describe('Whether an idle connection is probed; without it 1.'),
  keepalives_idle: whole(/^\d{1,6}$/, 'seconds, a whole number').describe(
    'Seconds after which an idle connection is probed; without it 30.',
  ),
};
