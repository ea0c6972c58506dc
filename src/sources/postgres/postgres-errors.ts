import { type ErrorCode, SluiceError } from '../../errors.ts';
import { type ModelQuery, placeInUserText } from './model-query.ts';

/** SQLSTATE, or the class that its first two characters name, to the project's code. The longest match wins. */
const BY_SQLSTATE: Readonly<Record<string, ErrorCode>> = {
  '08': 'SOURCE_CONNECTION_LOST',
  '0A': 'SOURCE_QUERY_INVALID',
  '22': 'SOURCE_QUERY_FAILED',
  '25006': 'SOURCE_NOT_READ_ONLY',
  '25P03': 'SOURCE_CONNECTION_LOST',
  '28': 'SOURCE_CREDENTIALS',
  '3D': 'SOURCE_CREDENTIALS',
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
  XX: 'SOURCE_TRANSIENT',
};

/** The fields of PostgreSQL's ErrorResponse that the driver passes on. */
interface ServerError {
  readonly code?: string;
  readonly message: string;
  readonly position?: string;
  readonly detail?: string;
  readonly hint?: string;
}

export interface ErrorContext {
  /** What was being done, as in "reading rows of model customers". */
  readonly doing: string;
  /** Whether the connection had been established. */
  readonly connected: boolean;
  /** The statement as sent, for the position of an error in it. */
  readonly query?: ModelQuery;
}

/** Turns whatever the driver or the server reported into the project's error. */
export function toSourceError(cause: unknown, context: ErrorContext): SluiceError {
  if (cause instanceof SluiceError) return cause;
  const error = cause as ServerError;
  const state = typeof error.code === 'string' ? error.code : '';
  const code = /^[0-9A-Z]{5}$/.test(state) ? codeOfState(state) : codeOfSocket(state, error, context);
  const parts = [`${context.doing}: ${error.message}`];
  if (/^[0-9A-Z]{5}$/.test(state)) parts.push(`(SQLSTATE ${state})`);
  const place = context.query && error.position && placeInUserText(context.query, Number(error.position));
  if (place) parts.push(place);
  if (error.detail) parts.push(`- ${error.detail}`);
  const options = { cause, stage: 'source' } as const;
  return new SluiceError(code, parts.join(' '), error.hint ? { ...options, hint: error.hint } : options);
}

function codeOfState(state: string): ErrorCode {
  return BY_SQLSTATE[state] ?? BY_SQLSTATE[state.slice(0, 2)] ?? 'SOURCE_QUERY_FAILED';
}

function codeOfSocket(state: string, error: ServerError, context: ErrorContext): ErrorCode {
  if (/password|SASL|authentication/i.test(error.message)) return 'SOURCE_CREDENTIALS';
  return context.connected ? 'SOURCE_CONNECTION_LOST' : 'SOURCE_CONNECT_FAILED';
}
