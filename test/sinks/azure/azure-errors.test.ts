import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { RestError } from '@azure/storage-blob';
import type { ErrorCode } from '../../../src/errors.ts';
import {
  BY_AZURE_CODE,
  describeFailure,
  type FailureContext,
  toDestinationError,
} from '../../../src/sinks/azure/azure-errors.ts';
import { redactorOf } from '../../../src/sinks/azure/redaction.ts';
import { AttemptTimeout } from '../../../src/sinks/azure/retry.ts';
import { describeSas } from '../../../src/sinks/azure/sas.ts';

const TOKEN = 'sv=2025-01-05&sr=c&sp=w&se=2025-01-01T00:00:00Z&sig=Q0FOQVJZ%2Bx%3D';
const SECRETS = /Q0FOQVJZ/;
const CONTEXT: FailureContext = {
  doing: 'staging a block of exports/a.csv',
  permission: 'w',
  redact: redactorOf([TOKEN]),
  sas: describeSas(TOKEN),
};

/** As the SDK makes it, with the request and its SAS in it. */
function restError(
  status: number,
  code: string | undefined,
  headers: Record<string, string> = {},
): RestError {
  const url = `https://acme.blob.core.windows.net/c/a.csv?comp=block&${TOKEN}`;
  const all: Record<string, string> = { 'x-ms-request-id': 'request-7', ...headers };
  if (code) all['x-ms-error-code'] = code;
  const request = { url, headers: { get: (name: string) => all[name] } };
  const response = { status, request, headers: { get: (name: string) => all[name] } };
  return new RestError(`Refused ${url}.\nRequestId:request-7`, {
    statusCode: status,
    request: request as never,
    response: response as never,
  });
}

const TABLE: readonly (readonly [number, string | undefined, ErrorCode])[] = [
  [403, 'AuthenticationFailed', 'DESTINATION_CREDENTIALS'],
  [401, 'NoAuthenticationInformation', 'DESTINATION_CREDENTIALS'],
  [403, 'AuthorizationFailure', 'DESTINATION_PERMISSION'],
  [403, 'AuthorizationPermissionMismatch', 'DESTINATION_PERMISSION'],
  [403, 'AuthorizationSourceIPMismatch', 'DESTINATION_PERMISSION'],
  [404, 'ContainerNotFound', 'DESTINATION_NOT_FOUND'],
  [409, 'ContainerBeingDeleted', 'DESTINATION_NOT_FOUND'],
  [409, 'BlobImmutableDueToPolicy', 'DESTINATION_REFUSED'],
  [412, 'LeaseIdMissing', 'DESTINATION_REFUSED'],
  [503, 'ServerBusy', 'DESTINATION_THROTTLED'],
  [500, 'OperationTimedOut', 'DESTINATION_TIMEOUT'],
  [500, 'InternalError', 'DESTINATION_CONNECT_FAILED'],
  [400, 'InvalidBlockList', 'DESTINATION_CONFLICT'],
  [400, 'InvalidBlobOrBlock', 'DESTINATION_CONFLICT'],
  [412, 'ConditionNotMet', 'DESTINATION_CONFLICT'],
  [409, 'BlobAlreadyExists', 'DESTINATION_EXISTS'],
  [409, 'SomethingNew', 'DESTINATION_CONFLICT'],
  [403, undefined, 'DESTINATION_PERMISSION'],
  [404, undefined, 'DESTINATION_NOT_FOUND'],
  [408, undefined, 'DESTINATION_TIMEOUT'],
  [412, undefined, 'DESTINATION_CONFLICT'],
  [429, undefined, 'DESTINATION_THROTTLED'],
  [503, undefined, 'DESTINATION_THROTTLED'],
  [502, undefined, 'DESTINATION_CONNECT_FAILED'],
  [400, 'InvalidHeaderValue', 'DESTINATION_REFUSED'],
];

for (const [status, azureCode, code] of TABLE) {
  test(`turns ${status} ${azureCode ?? 'without a code'} into ${code}`, () => {
    const error = toDestinationError(restError(status, azureCode), CONTEXT);
    assert.equal(error.code, code);
    assert.equal(error.stage, 'destination');
    assert.match(error.message, /^staging a block of exports\/a\.csv: /);
    assert.match(error.message, new RegExp(`${status}.*request-7`));
    assert.doesNotMatch(error.message, /\n/);
  });
}

test('keeps secrets out of message and cause of every error, however deep one looks', () => {
  const token = new URLSearchParams(TOKEN);
  const failures = [
    ...Object.keys(BY_AZURE_CODE).map(code => restError(403, code)),
    restError(400, 'InvalidHeaderValue'),
    restError(500, undefined),
    new RestError(`connect ECONNREFUSED ${TOKEN}`, {
      code: 'ECONNREFUSED',
      request: { url: TOKEN } as never,
    }),
    Object.assign(new TypeError('Invalid URL'), { input: TOKEN, code: 'ERR_INVALID_URL' }),
    new Error(`cannot connect to https://a/b?${TOKEN}`),
    new Error(`long ${'x'.repeat(1990)} ${TOKEN}`),
    new Error(`cut in two ${'x'.repeat(1980)} ${token.get('sig')}`),
    new Error(`string to sign ${token.get('sig')}, ${encodeURIComponent(TOKEN)}`),
    `a string ${TOKEN}`,
    { message: TOKEN, toString: () => TOKEN },
  ];
  for (const failure of failures) {
    const error = toDestinationError(failure, CONTEXT);
    const seen = inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error) + error.stack;
    assert.doesNotMatch(seen, SECRETS);
    assert.equal(Object.getPrototypeOf(error.cause), Error.prototype);
    assert.deepEqual(Object.keys(error.cause as Error).sort(), ['code', 'name', 'requestId', 'status']);
  }
});

test('names the permission that is missing and the expiry that has passed', () => {
  const permission = toDestinationError(restError(403, 'AuthorizationPermissionMismatch'), CONTEXT);
  assert.match(permission.message, /write \(w\)/);
  const expired = toDestinationError(restError(403, 'AuthenticationFailed'), CONTEXT);
  assert.match(expired.message, /expired at 2025-01-01T00:00:00.000Z/);
});

test('repeats 408, 429, 500, 502, 503, 504, failures of the connection and timeouts, nothing else', () => {
  const retryable = (error: unknown): boolean => describeFailure(error).retryable;
  const statuses = [400, 401, 403, 404, 408, 409, 412, 413, 416, 429, 500, 501, 502, 503, 504, 505];
  assert.deepEqual(
    statuses.filter(status => retryable(restError(status, undefined))),
    [408, 429, 500, 502, 503, 504],
  );
  const codes = {
    ECONNRESET: true,
    ECONNREFUSED: true,
    EPIPE: true,
    ETIMEDOUT: true,
    EAI_AGAIN: true,
    ENOTFOUND: true,
    REQUEST_SEND_ERROR: true,
    PARSE_ERROR: true,
    CERT_HAS_EXPIRED: false,
    DEPTH_ZERO_SELF_SIGNED_CERT: false,
    ERR_TLS_CERT_ALTNAME_INVALID: false,
    EPROTO: false,
    ERR_INVALID_CHAR: false,
    ERR_INVALID_URL: false,
  };
  for (const [code, expected] of Object.entries(codes)) {
    assert.equal(retryable(new RestError('', { code })), expected, code);
  }
  assert.equal(retryable(new RestError('cut short', { code: 'PARSE_ERROR', statusCode: 201 })), true);
  assert.equal(retryable(new AttemptTimeout(1)), true);
  assert.equal(retryable(new TypeError('a defect')), false);
});

test('reads how long the service asks to wait, in seconds, milliseconds or until a date', () => {
  const after = (headers: Record<string, string>) =>
    describeFailure(restError(503, 'ServerBusy', headers)).retryAfterMs;
  assert.equal(after({ 'retry-after': '7' }), 7000);
  assert.equal(after({ 'retry-after': '7', 'x-ms-retry-after-ms': '250' }), 250);
  assert.equal(after({}), undefined);
  assert.equal(after({ 'retry-after': 'soon' }), undefined);
  assert.equal(after({ 'retry-after': 'Wed, 01 Jan 2020 00:00:00 GMT' }), 0);
  const future = after({ 'retry-after': new Date(Date.now() + 3_600_000).toUTCString() });
  assert.ok(future! > 3_500_000 && future! <= 3_600_000);
});

test('knows which failures cannot have had an effect', () => {
  const never = (error: unknown): boolean => describeFailure(error).neverDone;
  assert.equal(never(restError(503, 'ServerBusy')), true);
  assert.equal(never(restError(429, undefined)), true);
  assert.equal(never(new RestError('', { code: 'ECONNREFUSED' })), true);
  assert.equal(never(restError(503, undefined)), false);
  assert.equal(never(restError(500, 'OperationTimedOut')), false);
  assert.equal(never(new RestError('', { code: 'ECONNRESET' })), false);
  assert.equal(never(new AttemptTimeout(1)), false);
});
