import pg from 'pg';
import { type ErrorCode, SluiceError } from '../../errors.ts';
import { findPlace, type ModelQuery } from './model-query.ts';

/** SQLSTATE, or the class that its first two characters name, to the project's code. The longest match wins. */
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

/** Refusals of which the SQLSTATE says too little, with the server's function that made them. */
const BY_ROUTINE: Readonly<Record<string, ErrorCode>> = {
  // "cannot insert multiple commands into a prepared statement"
  '42601 exec_parse_message': 'SOURCE_NOT_READ_ONLY',
  // "bind message supplies 0 parameters, but prepared statement "" requires 1": there is a `$1` in the model
  '08P01 exec_bind_message': 'SOURCE_QUERY_INVALID',
};

const UNTRUSTED_CERTIFICATE = /^(CERT_|ERR_TLS_CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_)/;

export interface ErrorContext {
  /** What was being done, as in "reading model customers". */
  readonly doing: string;
  /** Whether the connection had been established. */
  readonly connected: boolean;
  /** The statement as sent, for the position of an error in it. */
  readonly query?: ModelQuery;
}

/** Turns whatever the driver or the server reported into the project's error. */
export function toSourceError(cause: unknown, context: ErrorContext): SluiceError {
  if (cause instanceof SluiceError) return cause;
  // The driver also makes a DatabaseError, without a code, of a message that it does not know.
  if (cause instanceof pg.DatabaseError && cause.code !== undefined) return toServerError(cause, context);
  return toDriverError(cause as NodeJS.ErrnoException, context);
}

function toServerError(cause: pg.DatabaseError, { doing, query }: ErrorContext): SluiceError {
  const { code: state = '', message, detail, hint, position, routine } = cause;
  const code =
    BY_ROUTINE[`${state} ${routine}`] ??
    BY_SQLSTATE[state] ??
    BY_SQLSTATE[state.slice(0, 2)] ??
    'SOURCE_QUERY_FAILED';
  const place = query && position ? findPlace(query, Number(position)) : undefined;
  const parts = [`${doing}: ${message} (SQLSTATE ${state})`];
  if (place) parts.push(`at line ${place.line}, column ${place.column} of ${place.name}`);
  if (detail) parts.push(`- ${detail}`);
  return new SluiceError(code, parts.join(' '), { cause, stage: 'source', ...(hint ? { hint } : {}) });
}

/** What came from the network, from TLS or from the driver itself. */
function toDriverError(cause: NodeJS.ErrnoException, { doing, connected }: ErrorContext): SluiceError {
  // Where a host has several addresses, the message is empty and there is an error for each of them.
  const each = cause instanceof AggregateError ? cause.errors.map(({ message }: Error) => message) : [];
  const message = `${doing}: ${each.length > 0 ? each.join(', ') : cause.message}`;
  const options = { cause, stage: 'source' } as const;
  if (connected) return new SluiceError('SOURCE_CONNECTION_LOST', message, options);
  if (UNTRUSTED_CERTIFICATE.test(cause.code ?? '')) {
    const hint =
      "name the certificate's authority with sslrootcert in the URL, and the host as it is certified";
    return new SluiceError('SOURCE_CREDENTIALS', message, { ...options, hint });
  }
  if (/does not support SSL/.test(cause.message)) {
    const hint = 'switch TLS on at the server, or leave sslmode out of the URL';
    return new SluiceError('SOURCE_CREDENTIALS', message, { ...options, hint });
  }
  const code = /password|SASL|SCRAM|authentication/i.test(cause.message)
    ? 'SOURCE_CREDENTIALS'
    : 'SOURCE_CONNECT_FAILED';
  return new SluiceError(code, message, options);
}
