import pg from 'pg';
import type { PostgresHost } from '../../addresses/postgres-address.ts';
import { type ErrorCode, notUtf8Hint, SluiceError } from '../../errors.ts';
import { findPlace, type ModelQuery } from './model-query.ts';

/**
 * SQLSTATE, or the class that its first two characters name, to the project's code. The
 * longest match wins.
 */
const BY_SQLSTATE: Readonly<Record<string, ErrorCode>> = {
  '08': 'SOURCE_CONNECTION_LOST',
  '0A': 'SOURCE_QUERY_INVALID',
  '22': 'SOURCE_QUERY_FAILED',
  '25001': 'SOURCE_NOT_READ_ONLY',
  '25006': 'SOURCE_NOT_READ_ONLY',
  '25P03': 'SOURCE_CONNECTION_LOST',
  '25P04': 'SOURCE_QUERY_CANCELLED',
  '28': 'SOURCE_CREDENTIALS',
  '3D': 'SOURCE_CREDENTIALS',
  '3F': 'SOURCE_QUERY_INVALID',
  '40': 'SOURCE_TRANSIENT',
  '42': 'SOURCE_QUERY_INVALID',
  '42501': 'SOURCE_PERMISSION',
  '53': 'SOURCE_RATE_LIMIT',
  '55P03': 'SOURCE_QUERY_CANCELLED',
  '57014': 'SOURCE_QUERY_CANCELLED',
  '57P01': 'SOURCE_CONNECTION_LOST',
  '57P02': 'SOURCE_CONNECTION_LOST',
  '57P03': 'SOURCE_CONNECT_FAILED',
  '57P05': 'SOURCE_CONNECTION_LOST',
  '58': 'SOURCE_TRANSIENT',
  '72': 'SOURCE_TRANSIENT',
  XX: 'SOURCE_TRANSIENT',
  XX001: 'SOURCE_QUERY_FAILED',
  XX002: 'SOURCE_QUERY_FAILED',
};

/** What the SQLSTATE alone says too little of. The first that fits. */
interface Refinement {
  readonly state: string;
  /** The server's function that reported it: texts are in the language of the server. */
  readonly routine?: string;
  /**
   * Only what no translation changes, what poolers say, or where another language gets a
   * vaguer hint.
   */
  readonly message?: RegExp;
  /** The statement had lasted as long as `statement_timeout` lets it. */
  readonly timedOut?: true;
  readonly code?: ErrorCode;
  readonly hint?: string;
  /** A limit that was reached will be reached again. */
  readonly retryable?: false;
}

const CLIENT_CERTIFICATE = 'name the certificate of the role and its key with sslcert and sslkey';
const SNAPSHOT_GONE = {
  code: 'SOURCE_TRANSIENT',
  hint: 'run again; where a pooler or several servers answer at the address, connect to one server, or set parallel: 1',
} as const;
const REFINEMENTS: readonly Refinement[] = [
  // "invalid byte sequence for encoding"
  { state: '22021', hint: notUtf8Hint('column') },
  // "cannot insert multiple commands into a prepared statement"
  { state: '42601', routine: 'exec_parse_message', code: 'SOURCE_NOT_READ_ONLY' },
  // "bind message supplies 0 parameters, but prepared statement "" requires 1": there is
  // a `$1` in the model
  { state: '08P01', routine: 'exec_bind_message', code: 'SOURCE_QUERY_INVALID' },
  {
    // What a pooler answers.
    state: '08P01',
    message: /^unsupported startup parameter/,
    code: 'SOURCE_CREDENTIALS',
    hint: 'the pooler does not pass this parameter on: leave it out of the source, or add it to ignore_startup_parameters of PgBouncer',
  },
  { state: '08P01', message: /^no such (?:database|user)/, code: 'SOURCE_CREDENTIALS' },
  {
    state: '25P04',
    retryable: false,
    hint: 'the transaction lasted longer than transaction_timeout allows; raise it for the role with `alter role … set transaction_timeout`, or let the query return less',
  },
  {
    state: '28000',
    message: /pg_hba\.conf/,
    hint: 'if the server wants TLS, set sslmode: require or verify-full; else allow this user, database and address in pg_hba.conf',
  },
  // "connection requires a valid client certificate"
  { state: '28000', routine: 'ClientAuthentication', hint: CLIENT_CERTIFICATE },
  { state: '28000', message: /certificate/i, hint: CLIENT_CERTIFICATE },
  {
    state: '28P01',
    hint: 'check user and password of the source; in a URL, special characters of a password are percent-encoded (% itself is %25), as the key password it is taken as it is',
  },
  // A reader does not find the snapshot that another connection has exported.
  { state: '22023', routine: 'ImportSnapshot', ...SNAPSHOT_GONE },
  { state: '42704', routine: 'ImportSnapshot', ...SNAPSHOT_GONE },
  { state: '55000', routine: 'SetTransactionSnapshot', ...SNAPSHOT_GONE },
  { state: '3D000', hint: 'correct the name of the database, or create it' },
  {
    state: '42501',
    routine: 'check_enable_rls',
    hint: 'policies would hide rows from this role: set rowSecurity: apply at the source to export what the role may see, or use a role that may see all rows (the owner of the table, or one with BYPASSRLS)',
  },
  {
    state: '42501',
    message: /^permission denied for (?:table|view|materialized view|foreign table|sequence|column|relation)/,
    hint: 'let the role of the source read it: `grant select on … to …`',
  },
  {
    state: '42501',
    message: /^permission denied for schema/,
    hint: 'let the role of the source use it: `grant usage on schema … to …`',
  },
  {
    state: '42501',
    message: /^permission denied for (?:function|procedure|routine)/,
    hint: 'let the role of the source call it: `grant execute on function … to …`',
  },
  {
    state: '42501',
    message: /^permission denied for database/,
    hint: 'let the role of the source connect: `grant connect on database … to …`',
  },
  { state: '53100', hint: 'the disk of the database server is full; free space there, then run again' },
  {
    state: '53200',
    hint: 'the database server has no memory left; run again later, or let the query need less',
  },
  {
    state: '53400',
    retryable: false,
    hint: 'the query needs more than the limit in the message allows; raise it for the role (for temporary files `alter role … set temp_file_limit`), or let the query sort and join less',
  },
  // "canceling statement due to lock timeout"
  {
    state: '55P03',
    routine: 'ProcessInterrupts',
    retryable: false,
    hint: "raise lockTimeout of the source; where it is 0 the limit is the server's or the role's lock_timeout, and lockTimeout: none switches it off",
  },
  { state: '55P03', hint: 'another session holds a lock that the query needs; run again later' },
  // "canceling statement due to …": the timeout, or somebody's request, with the same
  // code and function.
  {
    state: '57014',
    timedOut: true,
    retryable: false,
    hint: "raise statementTimeout of the source; where it is 0 the limit is the server's or the role's statement_timeout, and statementTimeout: none switches it off",
  },
  {
    state: '57014',
    hint: 'somebody cancelled the query on the server (pg_cancel_backend, or a pooler); run again',
  },
];

interface DriverFault {
  /** Code of the error, or else its message. */
  readonly test: RegExp;
  readonly code?: ErrorCode;
  readonly hint: string;
}

/** What fails before the server says anything, by what helps. The first that fits. */
const DRIVER_FAULTS: readonly DriverFault[] = [
  {
    test: /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    code: 'SOURCE_CREDENTIALS',
    hint: 'the certificate is for another host name: write the name that it holds as host (hostaddr may give the address), or set sslmode: verify-ca with sslrootcert, which checks who signed it and not the name',
  },
  {
    test: /^CERT_HAS_EXPIRED$/,
    code: 'SOURCE_CREDENTIALS',
    hint: 'renew the certificate of the server, and check the clock of this machine',
  },
  {
    test: /^CERT_NOT_YET_VALID$/,
    code: 'SOURCE_CREDENTIALS',
    hint: 'check the clock of this machine and that of the server; the certificate is not valid yet',
  },
  {
    test: /^CERT_REVOKED$/,
    code: 'SOURCE_CREDENTIALS',
    hint: 'the certificate of the server is in the list of sslcrl; give the server another one',
  },
  {
    test: /CRL/,
    code: 'SOURCE_CREDENTIALS',
    hint: 'sslcrl needs a current list of each authority in the chain of the certificate; renew the file, or leave sslcrl out',
  },
  {
    test: /^DEPTH_ZERO_SELF_SIGNED_CERT$/,
    code: 'SOURCE_CREDENTIALS',
    hint: 'the server has a certificate that it signed itself: name a file with that certificate with sslrootcert, or set sslmode: require, which encrypts and does not check who answers',
  },
  {
    test: /^(?:SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|CERT_UNTRUSTED|INVALID_CA)/,
    code: 'SOURCE_CREDENTIALS',
    hint: 'the authority that signed the certificate is not known here: name a file with its certificate with sslrootcert, or set sslmode: require without sslrootcert, which encrypts and does not check who answers',
  },
  {
    test: /^CERT_|^ERR_TLS_CERT/,
    code: 'SOURCE_CREDENTIALS',
    hint: 'give the server a certificate that passes, or set sslmode: require without sslrootcert, which encrypts and does not check who answers',
  },
  {
    test: /^The server does not support SSL connections$/,
    code: 'SOURCE_CREDENTIALS',
    hint: 'switch TLS on at the server (ssl = on), or set sslmode: prefer, which does without where there is none, or disable',
  },
  {
    test: /^ERR_SSL_.*(?:VERSION|PROTOCOL)/,
    code: 'SOURCE_CREDENTIALS',
    hint: 'server and source have no version of TLS in common; see ssl_min_protocol_version and ssl_max_protocol_version',
  },
  {
    test: /^ERR_SSL_.*CERTIFICATE/,
    code: 'SOURCE_CREDENTIALS',
    hint: 'the server wants another certificate of the client: name it and its key with sslcert and sslkey',
  },
  {
    test: /iteration count/,
    code: 'SOURCE_CREDENTIALS',
    hint: 'set the password of the role again after lowering scram_iterations of the server',
  },
  {
    test: /require_auth/,
    code: 'SOURCE_CREDENTIALS',
    hint: 'let the server ask for one of the ways in require_auth (pg_hba.conf), or add the one that it asks for',
  },
  {
    test: /channel_binding|SCRAM-SHA-256-PLUS/,
    code: 'SOURCE_CREDENTIALS',
    hint: 'channel binding needs TLS to the server itself (sslmode: require or stricter) and scram-sha-256 in pg_hba.conf; else set channel_binding: prefer',
  },
  {
    test: /password|SASL|SCRAM|authentication/i,
    code: 'SOURCE_CREDENTIALS',
    hint: 'check user and password of the source, and how the server lets this user log in (pg_hba.conf)',
  },
  {
    test: /^timeout expired$/,
    hint: 'check host and port and that a firewall lets the connection through, or raise connectTimeout of the source',
  },
  {
    test: /^(?:ENOTFOUND|EAI_AGAIN)$/,
    hint: 'check the host of the source and the name service; in a URL, special characters of user and password are percent-encoded',
  },
];

/** The session is not of the kind that `target_session_attrs` wants. */
export class WrongSessionError extends Error {
  constructor(wanted: string, seen: string) {
    super(`target_session_attrs is ${wanted}, and the session is ${seen}`);
  }
}

/** The server asks for a password, and there is none. */
export class PasswordMissingError extends Error {
  constructor() {
    super('the server asks for a password, and the source has none');
  }
}

/** `connectTimeout` ended while what the password is checked with was computed. */
export class ScramTooSlowError extends Error {
  constructor(rounds: number) {
    super(
      `timeout expired while ${rounds.toLocaleString('en')} SCRAM iterations of the password were computed`,
    );
  }
}

/** Each of several hosts failed. */
export class HostsFailedError extends Error {
  readonly failures: readonly { readonly host: PostgresHost; readonly cause: unknown }[];

  constructor(failures: HostsFailedError['failures']) {
    super('no host of the source could be connected to');
    this.failures = failures;
  }
}

export interface ErrorContext {
  /** What was being done, as in "reading model customers". */
  readonly doing: string;
  /** Whether the connection had been established. */
  readonly connected: boolean;
  /** The statement as sent, for the position of an error in it. */
  readonly query?: ModelQuery;
  /** Whether logging in was tried with a token in the place of a password. */
  readonly byToken?: boolean;
  /** Whether the statement had lasted as long as `statement_timeout` lets it. */
  readonly timedOut?: boolean;
}

/** Turns whatever the driver or the server reported into the project's error. */
export function toSourceError(cause: unknown, context: ErrorContext): SluiceError {
  if (cause instanceof SluiceError) return cause;
  if (cause instanceof HostsFailedError) return toHostsError(cause, context);
  // The driver also makes a DatabaseError, without a code, of a message that it does not
  // know.
  if (cause instanceof pg.DatabaseError && cause.code !== undefined) return toServerError(cause, context);
  return toDriverError(cause as NodeJS.ErrnoException, context);
}

const REFUSED_TOKEN =
  'user of the source names the role that the identity logs in as, which the database has to know by the name of the identity: `select pgaadauth_create_principal(…)` makes it';

function toServerError(
  cause: pg.DatabaseError,
  { doing, query, timedOut = false, byToken = false }: ErrorContext,
): SluiceError {
  const { code: state = '', message, detail, hint: serverHint, position, routine } = cause;
  const refined = REFINEMENTS.find(
    each =>
      each.state === state &&
      (each.routine ?? routine) === routine &&
      (each.timedOut ?? timedOut) === timedOut &&
      (each.message?.test(message) ?? true),
  );
  const code = refined?.code ?? BY_SQLSTATE[state] ?? BY_SQLSTATE[state.slice(0, 2)] ?? 'SOURCE_QUERY_FAILED';
  const place = query && position ? findPlace(query, Number(position)) : undefined;
  const parts = [`${doing}: ${message} (SQLSTATE ${state})`];
  if (place) parts.push(`at line ${place.line}, column ${place.column} of ${place.name}`);
  if (detail) parts.push(`- ${detail}`);
  const hint = byToken && state === '28P01' ? REFUSED_TOKEN : (refined?.hint ?? serverHint);
  return new SluiceError(code, parts.join(' '), {
    cause,
    stage: 'source',
    ...(hint ? { hint } : {}),
    ...(refined?.retryable === false ? { retryable: false } : {}),
  });
}

/** What came from the network, from TLS or from the driver itself. */
function toDriverError(cause: NodeJS.ErrnoException, { doing, connected }: ErrorContext): SluiceError {
  // Where a host has several addresses, the message is empty and there is an error for
  // each of them.
  const each = cause instanceof AggregateError ? cause.errors.map(({ message }: Error) => message) : [];
  const message = `${doing}: ${each.length > 0 ? each.join(', ') : cause.message}`;
  const options = { cause, stage: 'source' } as const;
  if (connected) return new SluiceError('SOURCE_CONNECTION_LOST', message, options);
  if (cause instanceof WrongSessionError) {
    const hint =
      'name a host whose session is of that kind, several with commas between, or set another target_session_attrs';
    return new SluiceError('SOURCE_CONNECT_FAILED', message, { ...options, hint });
  }
  if (cause instanceof PasswordMissingError) {
    const hint = 'set password of the source, or the environment variable PGPASSWORD';
    return new SluiceError('SOURCE_CREDENTIALS', message, { ...options, hint });
  }
  if (cause instanceof ScramTooSlowError) {
    const hint =
      'raise connectTimeout of the source, or lower scram_iterations of the server and set the password again';
    return new SluiceError('SOURCE_CONNECT_FAILED', message, { ...options, hint });
  }
  const fault = DRIVER_FAULTS.find(({ test }) => test.test(cause.code ?? '') || test.test(cause.message));
  const { code = 'SOURCE_CONNECT_FAILED', hint } = fault ?? {};
  return new SluiceError(code, message, hint === undefined ? options : { ...options, hint });
}

/** As the one that no retry helps, where there is one; else as the last. */
function toHostsError(cause: HostsFailedError, context: ErrorContext): SluiceError {
  const errors = cause.failures.map(failure => toSourceError(failure.cause, { ...context, doing: '' }));
  const told = cause.failures.map(({ host }, index) => `${host.host}:${host.port}${errors[index]!.message}`);
  const { code, hint } = errors.find(({ retryable }) => !retryable) ?? errors.at(-1)!;
  return new SluiceError(code, `${context.doing}: ${told.join('; ')}`, { cause, hint, stage: 'source' });
}
