import { type ErrorCode, SluiceError } from '../../errors.ts';
import { toRunError } from '../../history/new-record.ts';
import type { ErrorAnswer } from './schemas/error-schema.ts';

export const JSON_TYPE = 'application/json; charset=utf-8';

export interface FailedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly json: string;
}

/** Seconds after which asking again makes sense. */
const RETRY_AFTER: Readonly<Record<number, string>> = { 429: '5', 503: '10' };
/** What stands in the way ends by itself. */
const RETRY_AFTER_CONFLICT = '60';
const CHALLENGE = 'Bearer realm="sluice"';
/** Nothing can follow on the connection. */
const ENDS_CONNECTION: ReadonlySet<ErrorCode> = new Set([
  'SHUTTING_DOWN',
  'REQUEST_TIMEOUT',
  'HEADERS_TOO_LARGE',
]);

/** What the framework refuses by itself, as one of our codes. */
const FRAMEWORK_CODES: Readonly<Record<string, () => SluiceError>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: () =>
    new SluiceError('BODY_TOO_LARGE', 'the body is larger than the daemon takes'),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () =>
    new SluiceError('MEDIA_TYPE_UNSUPPORTED', 'the Content-Type is not JSON'),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () =>
    new SluiceError('REQUEST_INVALID', 'the body has another size than Content-Length says'),
  FST_ERR_BAD_URL: () => new SluiceError('REQUEST_INVALID', 'the path is not well-formed'),
};

/**
 * Whatever made a request fail, as a `SluiceError`. What nobody foresaw says nothing of
 * the inside: the log has it, under the id of the request.
 */
export function toFailure(cause: unknown, requestId: string): SluiceError {
  if (cause instanceof SluiceError) return cause;
  const { code = '', statusCode = 500 } = cause as { code?: string; statusCode?: number };
  const known = Object.hasOwn(FRAMEWORK_CODES, code) ? FRAMEWORK_CODES[code] : undefined;
  if (known !== undefined) return known();
  if (statusCode >= 400 && statusCode < 500) {
    return new SluiceError('REQUEST_INVALID', 'the request is not well-formed', { cause });
  }
  return new SluiceError('INTERNAL', `request ${requestId} met a defect`, {
    cause,
    hint: 'this is a defect of Sluice; please report it with the lines of the log that have the id of the request',
  });
}

export function failedAnswer(failure: SluiceError, toJson: (value: unknown) => string): FailedAnswer {
  const { status } = failure;
  const headers: Record<string, string> = {};
  const wait = status === 409 && failure.retryable ? RETRY_AFTER_CONFLICT : RETRY_AFTER[status];
  if (wait !== undefined) headers['Retry-After'] = wait;
  if (failure.code === 'UNAUTHORIZED') headers['WWW-Authenticate'] = CHALLENGE;
  if (ENDS_CONNECTION.has(failure.code)) headers['Connection'] = 'close';
  const body: ErrorAnswer = { error: toRunError(failure) };
  return { status, headers, json: toJson(body) };
}
