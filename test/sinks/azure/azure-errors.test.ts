import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { RestError } from '@azure/storage-blob';
import { parseSasToken } from '../../../src/addresses/sas-token.ts';
import type { ErrorCode } from '../../../src/errors.ts';
import { BY_AZURE_CODE, describeFailure, toDestinationError } from '../../../src/sinks/azure/azure-errors.ts';
import type { FailureContext } from '../../../src/sinks/azure/azure-failure.ts';
import { redactorOf } from '../../../src/sinks/azure/redaction.ts';
import { AttemptTimeout } from '../../../src/sinks/azure/retry.ts';
import { describeSas, type SasDescription } from '../../../src/sinks/azure/sas.ts';

const TOKEN = 'sv=2025-01-05&sr=c&sp=w&se=2999-01-01T00:00:00Z&sig=Q0FOQVJZ%2Bx%3D';
const SECRETS = /Q0FOQVJZ/;
const describe = (token: string): SasDescription => describeSas(parseSasToken(token));
const CONTEXT: FailureContext = {
  doing: 'staging a block of exports/a.csv',
  permission: 'w',
  redact: redactorOf([TOKEN]),
  sas: describe(TOKEN),
};

/** As the SDK makes it, with the request and its SAS in it. */
function restError(
  status: number,
  code: string | undefined,
  headers: Record<string, string> = {},
  { method = 'PUT', message, details }: { method?: string; message?: string; details?: object } = {},
): RestError {
  const url = `https://acme.blob.core.windows.net/c/a.csv?comp=block&${TOKEN}`;
  const all: Record<string, string> = { 'x-ms-request-id': 'request-7', ...headers };
  if (code) all['x-ms-error-code'] = code;
  const request = { url, method, headers: { get: (name: string) => all[name] } };
  const response = { status, request, headers: { get: (name: string) => all[name] } };
  const error = new RestError(message ?? `Refused ${url}.\nRequestId:request-7`, {
    statusCode: status,
    request: request as never,
    response: response as never,
  });
  return Object.assign(error, { details });
}

/** As the SDK reports a refusal of HEAD, whose answer has no body. */
const ofHead = (status: number, code: string | undefined): RestError =>
  restError(status, code, {}, { method: 'HEAD', message: '' });

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
  [409, 'SomethingNew', 'DESTINATION_REFUSED'],
  [409, undefined, 'DESTINATION_REFUSED'],
  [409, 'ResourceTypeMismatch', 'DESTINATION_REFUSED'],
  [409, 'FeatureNotSupportedForAccount', 'DESTINATION_REFUSED'],
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
  const sas = describe(TOKEN.replace('2999', '2025'));
  const expired = toDestinationError(restError(403, 'AuthenticationFailed'), { ...CONTEXT, sas });
  assert.match(expired.message, /expired at 2025-01-01T00:00:00.000Z/);
});

test('gives a reason and a way out for each refusal of a HEAD, which has no body', () => {
  const codes = [undefined, 'InvalidHeaderValue', 'InvalidResourceName', 'OutOfRangeInput', 'SomethingNew'];
  for (const status of [400, 401, 403, 405, 406, 409, 410, 411, 412, 416, 422]) {
    for (const code of codes) {
      const { message, hint } = toDestinationError(ofHead(status, code), CONTEXT);
      assert.match(message, /^staging a block of exports\/a\.csv: \w[^:]{15,}(?:: .+)? \(/, message);
      assert.ok(hint.length > 15 && !/^see the message/.test(hint), `${message}; ${hint}`);
    }
  }
});

test('names the API version and what to do where an emulator does not know it', () => {
  const context = { ...CONTEXT, doing: 'checking the container' };
  const version = 'The API version 2026-04-06 is not supported by Azurite.';
  const errors = [
    ofHead(400, 'InvalidHeaderValue'),
    restError(400, 'InvalidHeaderValue', {}, { message: version }),
    restError(400, 'InvalidHeaderValue', {}, { details: { HeaderName: 'x-ms-version' } }),
  ];
  for (const error of errors) {
    const { message, hint } = toDestinationError(error, context);
    assert.match(message, /API version/);
    assert.match(hint, /--skipApiVersionCheck/);
  }
  const other = restError(400, 'InvalidHeaderValue', {}, { details: { HeaderName: 'x-ms-access-tier' } });
  assert.doesNotMatch(toDestinationError(other, context).message, /API version/);
});

test('names the path of the account where an emulator took the container for the account', () => {
  const at = (url: string) => toDestinationError(ofHead(400, 'InvalidResourceName'), { ...CONTEXT, url });
  assert.match(at('http://127.0.0.1:10000/exports').hint, /\/devstoreaccount1/);
  assert.doesNotMatch(at('http://127.0.0.1:10000/devstoreaccount1/exports').hint, /devstoreaccount1/);
  assert.doesNotMatch(at('https://acme.blob.core.windows.net/exports').hint, /devstoreaccount1/);
});

test('names the right that the refused request needed, by what it sent', () => {
  const refusal = (context: Partial<FailureContext>) =>
    toDestinationError(restError(403, 'AuthorizationPermissionMismatch'), { ...CONTEXT, ...context }).message;
  assert.match(
    refusal({ properties: { tags: { team: 'crm' } } }),
    /write \(w\), and tags \(t\) for blob\.tags/,
  );
  assert.match(refusal({ properties: { tags: { team: 'crm' } } }), /the SAS token has `w`/);
  assert.doesNotMatch(refusal({ properties: { accessTier: 'Cool' } }), /tags/);
  assert.match(refusal({ permission: 'd' }), /delete \(d\)/);
  assert.match(refusal({ permission: 'r' }), /read \(r\)/);
});

test('names the key of the configuration whose property was refused', () => {
  const properties = {
    tags: { team: 'crm' },
    accessTier: 'Cool',
    encryptionScope: 'scope',
    metadata: { run: 'r', sluice: 'a', owner: 'crm' },
  };
  const hint = (code: string, details?: object, sent: object = properties, status = 400) =>
    toDestinationError(restError(status, code, {}, { details: details ?? {} }), {
      ...CONTEXT,
      properties: sent,
    }).hint;
  assert.match(hint('InvalidMetadata'), /blob\.metadata/);
  assert.match(hint('InvalidBlobTier'), /blob\.accessTier/);
  assert.match(hint('EncryptionScopeNotFound'), /blob\.encryptionScope/);
  assert.match(hint('InvalidHeaderValue', { HeaderName: 'x-ms-access-tier' }), /blob\.accessTier/);
  assert.match(hint('InvalidHeaderValue', { HeaderName: 'x-ms-tags' }), /blob\.tags/);
  assert.match(hint('InvalidHeaderValue', undefined, { accessTier: 'Cool' }), /blob\.accessTier/);
  assert.match(
    hint('FeatureNotSupportedForAccount', undefined, { accessTier: 'Cool' }, 409),
    /blob\.accessTier/,
  );
  assert.match(
    hint('SomethingNotSupported', undefined, properties, 409),
    /tags.*metadata.*accessTier.*encryptionScope/,
  );
  assert.doesNotMatch(hint('FeatureNotSupportedForAccount', undefined, { metadata: { run: 'r' } }), /blob\./);
});

test('lets the clock of the service decide about the time of a SAS, and tells how far ours is off', () => {
  const refusal = (
    serviceOffsetMs: number,
    times: { st?: number; se?: number },
    code = 'AuthenticationFailed',
  ) => {
    const at = (ms: number) => new Date(Date.now() + ms).toISOString();
    const st = times.st === undefined ? '' : `&st=${at(times.st)}`;
    const sas = describe(`sv=1&sr=c&sp=rw${st}&se=${at(times.se ?? 3_600_000)}&sig=x`);
    const date = new Date(Date.now() + serviceOffsetMs).toUTCString();
    return toDestinationError(restError(403, code, { date }), { ...CONTEXT, sas });
  };
  const early = refusal(-120_000, { st: -60_000 });
  assert.deepEqual([early.code, early.retryable, early.exitCode], ['DESTINATION_CREDENTIALS', true, 75]);
  assert.match(early.message, /not valid yet.*clock of this machine is 1(?:19|20|21) s ahead/);
  const soon = refusal(0, { st: 90_000 }, 'AuthorizationFailure');
  assert.deepEqual([soon.retryable, soon.exitCode], [true, 75]);
  assert.match(soon.message, /clock/);
  assert.deepEqual(
    [refusal(0, { st: 86_400_000 }).retryable, refusal(0, { st: 86_400_000 }).exitCode],
    [false, 1],
  );
  assert.match(refusal(7_200_000, {}).message, /expired at .*behind/);
  const valid = refusal(0, { st: -60_000 });
  assert.match(valid.message, /not accepted/);
  assert.doesNotMatch(valid.message, /clock/);
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
