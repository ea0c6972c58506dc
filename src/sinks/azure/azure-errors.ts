import type { WebProxy } from '../../addresses/proxies.ts';
import { isTlsFailure } from '../../addresses/tls-failure.ts';
import { type ErrorCode, SluiceError } from '../../errors.ts';
import type { AzureFailure, FailureContext } from './azure-failure.ts';
import type { Redact } from './redaction.ts';
import { lacksAccountPath, permissionsNeeded, propertyHint, refusesApiVersion } from './refusals.ts';
import { AttemptTimeout } from './retry.ts';
import { timeFault } from './sas-time.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly text: string;
  readonly hint?: string;
  readonly retryable?: boolean;
}

const meaning = (code: ErrorCode, text: string, hint?: string): Meaning => ({
  code,
  text,
  ...(hint && { hint }),
});

const LEASE = 'end the lease on the blob or the container, or change fileName';
const IMMUTABLE = 'change fileName, or end the immutability policy or legal hold on the blob';

const CHANGED_ON_THE_WAY = 'the bytes that arrived are not those that were sent';
const CHECK_THE_WAY = 'check what lies on the way, such as a proxy that changes what it passes on';

/** Azure's error code (x-ms-error-code) to ours. */
export const BY_AZURE_CODE: Readonly<Record<string, Meaning>> = {
  AuthenticationFailed: meaning('DESTINATION_CREDENTIALS', 'the credentials were not accepted'),
  InvalidAuthenticationInfo: meaning('DESTINATION_CREDENTIALS', 'the credentials were not accepted'),
  NoAuthenticationInformation: meaning('DESTINATION_CREDENTIALS', 'the request had no credentials'),
  KeyBasedAuthenticationNotPermitted: meaning(
    'DESTINATION_CREDENTIALS',
    'the storage account does not permit account keys',
    'use auth.identity, or a user delegation SAS',
  ),
  AccountIsDisabled: meaning('DESTINATION_CREDENTIALS', 'the storage account is disabled'),
  AuthorizationFailure: meaning(
    'DESTINATION_PERMISSION',
    "not authorized: a right is missing, or the storage account's firewall refuses this network",
    'grant the permission that the message names, and check the network rules of the storage account; an emulator says the same of a wrong key',
  ),
  AuthorizationPermissionMismatch: meaning('DESTINATION_PERMISSION', 'the credentials lack a permission'),
  InsufficientAccountPermissions: meaning('DESTINATION_PERMISSION', 'the credentials lack a permission'),
  AuthorizationServiceMismatch: meaning('DESTINATION_PERMISSION', 'the SAS token is not for blobs'),
  AuthorizationResourceTypeMismatch: meaning('DESTINATION_PERMISSION', 'the SAS token is not for objects'),
  AuthorizationSourceIPMismatch: meaning(
    'DESTINATION_PERMISSION',
    'the SAS token is not for the address of this machine',
  ),
  AuthorizationProtocolMismatch: meaning('DESTINATION_PERMISSION', 'the SAS token is for https only'),
  PublicAccessNotPermitted: meaning('DESTINATION_CREDENTIALS', 'the request had no credentials'),
  ContainerNotFound: meaning('DESTINATION_NOT_FOUND', 'the container does not exist'),
  ContainerDisabled: meaning('DESTINATION_NOT_FOUND', 'the container is disabled'),
  ContainerBeingDeleted: meaning('DESTINATION_NOT_FOUND', 'the container is being deleted'),
  BlobNotFound: meaning('DESTINATION_NOT_FOUND', 'the blob does not exist', 'see the message'),
  ServerBusy: meaning('DESTINATION_THROTTLED', 'the storage service is busy'),
  OperationTimedOut: meaning('DESTINATION_TIMEOUT', 'the storage service did not finish in time'),
  InternalError: meaning('DESTINATION_CONNECT_FAILED', 'the storage service failed', 'run again later'),
  Crc64Mismatch: meaning('DESTINATION_CONNECT_FAILED', CHANGED_ON_THE_WAY, CHECK_THE_WAY),
  Md5Mismatch: meaning('DESTINATION_CONNECT_FAILED', CHANGED_ON_THE_WAY, CHECK_THE_WAY),
  ConditionNotMet: meaning('DESTINATION_CONFLICT', 'the blob is not the one that was seen before'),
  BlobAlreadyExists: meaning('DESTINATION_EXISTS', 'the blob exists already'),
  InvalidBlockList: meaning('DESTINATION_CONFLICT', 'staged blocks are missing'),
  InvalidBlobOrBlock: meaning(
    'DESTINATION_CONFLICT',
    'another writer stages blocks on this blob whose ids have another length',
    'stop the other writer, or change fileName',
  ),
  InvalidBlobType: meaning(
    'DESTINATION_REFUSED',
    'the name belongs to a blob that is not a block blob',
    'delete the blob, or change fileName',
  ),
  ResourceTypeMismatch: meaning(
    'DESTINATION_REFUSED',
    'the name belongs to a directory',
    'change fileName, or delete the directory',
  ),
  PathConflict: meaning(
    'DESTINATION_REFUSED',
    'a folder of the name is a blob',
    'change fileName or folder, or delete that blob',
  ),
  InvalidHeaderValue: meaning(
    'DESTINATION_REFUSED',
    'the storage service does not take the value of a header',
    'check what the storage account supports',
  ),
  InvalidResourceName: meaning(
    'DESTINATION_REFUSED',
    'the name of the account, the container or the blob is not valid',
    'correct accountUrl, container, folder or fileName',
  ),
  InvalidUri: meaning(
    'DESTINATION_REFUSED',
    'the address of the blob is not valid',
    'correct accountUrl, container, folder or fileName',
  ),
  InvalidMetadata: meaning('DESTINATION_REFUSED', 'the storage service does not take the metadata'),
  EmptyMetadataKey: meaning('DESTINATION_REFUSED', 'the storage service does not take the metadata'),
  MetadataTooLarge: meaning('DESTINATION_REFUSED', 'the metadata is too large'),
  TagsTooLarge: meaning('DESTINATION_REFUSED', 'the tags are too large'),
  InvalidBlobTier: meaning('DESTINATION_REFUSED', 'the storage account does not have the access tier'),
  BlobTierInadequateForContentLength: meaning(
    'DESTINATION_REFUSED',
    'the blob is too large for the access tier',
  ),
  AccessTierNotSupportedForBlobType: meaning(
    'DESTINATION_REFUSED',
    'block blobs of the storage account have no access tier',
  ),
  EncryptionScopeNotFound: meaning('DESTINATION_REFUSED', 'the encryption scope does not exist'),
  EncryptionScopeDisabled: meaning('DESTINATION_REFUSED', 'the encryption scope is disabled'),
  FeatureNotSupportedForAccount: meaning(
    'DESTINATION_REFUSED',
    'the storage account does not support what the request asks for',
    'check what the storage account supports',
  ),
  FeatureVersionMismatch: meaning(
    'DESTINATION_REFUSED',
    'the storage service does not support what the request asks for in this API version',
    'check what the storage account supports',
  ),
  SnapshotsPresent: meaning('DESTINATION_REFUSED', 'the blob has snapshots', 'delete the snapshots first'),
  LeaseIdMissing: meaning('DESTINATION_REFUSED', 'the blob or the container is leased', LEASE),
  LeaseIdMismatchWithBlobOperation: meaning('DESTINATION_REFUSED', 'the blob is leased', LEASE),
  LeaseLost: meaning('DESTINATION_REFUSED', 'the blob was leased', LEASE),
  BlobImmutableDueToPolicy: meaning('DESTINATION_REFUSED', 'the blob is immutable', IMMUTABLE),
  BlobImmutableDueToLegalHold: meaning('DESTINATION_REFUSED', 'the blob is under a legal hold', IMMUTABLE),
  BlobArchived: meaning('DESTINATION_REFUSED', 'the blob is archived', 'change fileName, or delete the blob'),
  BlobBeingRehydrated: meaning('DESTINATION_REFUSED', 'the blob is being brought back from the archive'),
  BlockCountExceedsLimit: meaning('DESTINATION_REFUSED', 'the blob has too many blocks'),
  BlockListTooLong: meaning('DESTINATION_REFUSED', 'the blob has too many blocks'),
  RequestBodyTooLarge: meaning('DESTINATION_REFUSED', 'the block is larger than the service takes'),
  BlobOverwriteNotAllowed: meaning('DESTINATION_REFUSED', 'the blob may not be overwritten'),
};

const BY_STATUS: Readonly<Record<number, Meaning>> = {
  401: meaning('DESTINATION_CREDENTIALS', 'the credentials were not accepted'),
  403: meaning('DESTINATION_PERMISSION', 'the request was not authorized'),
  404: meaning('DESTINATION_NOT_FOUND', 'the container or the blob does not exist'),
  408: meaning('DESTINATION_TIMEOUT', 'the storage service did not get the request in time'),
  409: meaning(
    'DESTINATION_REFUSED',
    'the request does not fit the state or the features of the storage account',
    'look the code of the message up in the documentation of Azure Storage',
  ),
  412: meaning('DESTINATION_CONFLICT', 'the blob is not the one that was seen before'),
  429: meaning('DESTINATION_THROTTLED', 'too many requests'),
  503: meaning('DESTINATION_THROTTLED', 'the storage service is busy'),
  504: meaning('DESTINATION_TIMEOUT', 'the storage service did not answer in time'),
};

const PROXY = 'check the proxy that HTTPS_PROXY or HTTP_PROXY names, or name the host in NO_PROXY';
const IDENTITY = 'check what identities this machine has: managed identity, workload identity or `az login`';
const API_VERSION: Meaning = meaning(
  'DESTINATION_REFUSED',
  'the storage service does not know the API version of the request',
  'start Azurite with --skipApiVersionCheck, or use a newer Azurite',
);
const NO_ACCOUNT_PATH: Meaning = meaning(
  'DESTINATION_REFUSED',
  'the address has no storage account: an emulator takes the first part of the path for it',
  'add the account to accountUrl, as in http://127.0.0.1:10000/devstoreaccount1',
);
/**
 * Refusals that do not say what is wrong with the credentials; the emulator has another
 * than Azure.
 */
const MAY_BE_TIME = new Set([
  undefined,
  'AuthenticationFailed',
  'InvalidAuthenticationInfo',
  'AuthorizationFailure',
]);

/** What arrived was not what was sent. */
const MISMATCHES: ReadonlySet<string> = new Set(['Crc64Mismatch', 'Md5Mismatch']);

const RETRYABLE_STATUS = new Set([408, 429, 500, 502, 503, 504]);
/** Failures of a connection that was never made: the request has not been sent. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);
/**
 * The connection failed, or an answer was cut short. Misuse of Node (`ERR_…`) does not
 * get better.
 */
const CONNECTION_FAILURE =
  /^(?:E(?!PROTO$|RR_)[A-Z_]+|REQUEST_SEND_ERROR|PARSE_ERROR|HPE_\w+|ERR_STREAM_PREMATURE_CLOSE)$/;
const MAX_MESSAGE_LENGTH = 2000;

/** The fields of the SDK's RestError that are looked at. */
interface RestErrorLike {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly statusCode?: unknown;
  readonly response?: { readonly headers?: { get?(name: string): string | undefined } };
}

export function describeFailure(error: unknown): AzureFailure {
  if (error instanceof SluiceError) return { retryable: false, throttled: false, neverDone: false };
  if (error instanceof AttemptTimeout) return { retryable: true, throttled: false, neverDone: false };
  const { code: ownCode, statusCode, response } = (error ?? {}) as RestErrorLike;
  const header = (name: string): string | undefined => response?.headers?.get?.(name);
  const code = header('x-ms-error-code') ?? (typeof ownCode === 'string' ? ownCode : undefined);
  if (typeof statusCode === 'number' && statusCode >= 300) {
    const throttled = statusCode === 429 || statusCode === 503;
    return {
      status: statusCode,
      code,
      requestId: header('x-ms-request-id'),
      server: header('server'),
      serviceTime: timeOf(header('date')),
      retryable: RETRYABLE_STATUS.has(statusCode) || MISMATCHES.has(code ?? ''),
      throttled,
      retryAfterMs: retryAfter(header),
      neverDone: statusCode === 429 || (statusCode === 503 && code === 'ServerBusy'),
    };
  }
  const ofProxy = /^PROXY_(\d+)$/.exec(code ?? '')?.[1];
  if (ofProxy !== undefined) {
    return { code, retryable: RETRYABLE_STATUS.has(Number(ofProxy)), throttled: false, neverDone: true };
  }
  // Without a status: the connection failed, was cut, or gave an answer that could not be
  // read to its end.
  const retryable = isConnectionFailure(error, code);
  return { code, retryable, throttled: false, neverDone: NEVER_SENT.has(code ?? '') };
}

function timeOf(text: string | undefined): Date | undefined {
  const time = new Date(text ?? Number.NaN);
  return Number.isNaN(time.getTime()) ? undefined : time;
}

function retryAfter(header: (name: string) => string | undefined): number | undefined {
  const ms = Number(header('x-ms-retry-after-ms') ?? header('retry-after-ms') ?? Number.NaN);
  if (ms >= 0) return ms;
  const value = header('retry-after');
  if (value === undefined) return undefined;
  const seconds = Number(value);
  if (seconds >= 0) return seconds * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

/**
 * Turns whatever the SDK reported into the project's error, without anything that could
 * hold a credential.
 */
export function toDestinationError(error: unknown, context: FailureContext): SluiceError {
  if (error instanceof SluiceError) return error;
  const failure = describeFailure(error);
  const { code, text, hint, retryable } = meaningOf(error, failure, context);
  const notes: string[] = [];
  if (code === 'DESTINATION_PERMISSION') notes.push(`it needs ${permissionsNeeded(context)}`);
  const seen = [failure.status, failure.code].filter(part => part !== undefined).join(' ');
  if (seen) notes.push(seen);
  if (failure.requestId) notes.push(`request ${failure.requestId}`);
  const message = `${context.doing}: ${text}${notes.length > 0 ? ` (${notes.join('; ')})` : ''}`;
  return new SluiceError(code, shortened(context.redact(message)), {
    cause: sanitized(error, failure, context.redact),
    stage: 'destination',
    ...(hint && { hint }),
    ...(retryable === undefined ? {} : { retryable }),
  });
}

function meaningOf(error: unknown, failure: AzureFailure, context: FailureContext): Meaning {
  const { status, code } = failure;
  const { proxy } = context;
  const ofProxy = proxy && statusOfProxy(failure);
  if (proxy && ofProxy !== undefined) return proxyRefusal(proxy, ofProxy);
  if (status !== undefined) return meaningOfAnswer(error, failure, context);
  if (error instanceof AttemptTimeout) return meaning('DESTINATION_TIMEOUT', error.message);
  if (isIdentityError(error))
    return meaning('DESTINATION_CREDENTIALS', 'no identity could be used', IDENTITY);
  if (isTlsFailure(code)) {
    return meaning('DESTINATION_CONNECT_FAILED', 'no secure connection to the storage account could be made');
  }
  if (isConnectionFailure(error, code)) {
    return proxy
      ? meaning('DESTINATION_CONNECT_FAILED', `the connection through the proxy ${proxy.label} failed`, PROXY)
      : meaning('DESTINATION_CONNECT_FAILED', 'the connection to the storage account failed');
  }
  return meaning('DESTINATION_REFUSED', `the request could not be made: ${firstLineOf(error)}`);
}

/**
 * The status of an answer that the proxy gave itself: the storage service numbers its
 * own.
 */
function statusOfProxy({ status, code, requestId }: AzureFailure): number | undefined {
  const tunnel = /^PROXY_(\d+)$/.exec(code ?? '')?.[1];
  if (tunnel !== undefined) return Number(tunnel);
  const isOurs = status === 407 || (status !== undefined && (status >= 500 || status === 403));
  return isOurs && requestId === undefined && BY_AZURE_CODE[code ?? ''] === undefined ? status : undefined;
}

function proxyRefusal({ label }: WebProxy, status: number): Meaning {
  if (status === 407) {
    const text = `the proxy ${label} asks for a user and a password, or does not accept those it was given`;
    const hint = 'put them into the URL of the proxy, percent-encoded, or name the host in NO_PROXY';
    return { ...meaning('DESTINATION_CONNECT_FAILED', text, hint), retryable: false };
  }
  return {
    ...meaning('DESTINATION_CONNECT_FAILED', `the proxy ${label} answered ${status} itself`, PROXY),
    retryable: RETRYABLE_STATUS.has(status),
  };
}

/** An answer to HEAD has no body, so what its code and its status mean must be enough. */
function meaningOfAnswer(error: unknown, failure: AzureFailure, context: FailureContext): Meaning {
  const { status = 0, code } = failure;
  if ((status === 401 || status === 403) && MAY_BE_TIME.has(code)) {
    const fault = timeFault(context.sas, failure.serviceTime);
    if (fault) return { code: 'DESTINATION_CREDENTIALS', ...fault };
  }
  if (refusesApiVersion(error, failure)) return API_VERSION;
  if (status === 400 && lacksAccountPath(context.url)) return NO_ACCOUNT_PATH;
  const known = BY_AZURE_CODE[code ?? ''] ?? BY_STATUS[status] ?? unknownAnswer(error, status);
  const hint = known.code === 'DESTINATION_REFUSED' ? propertyHint(error, failure, context) : undefined;
  return hint === undefined ? known : { ...known, hint };
}

function unknownAnswer(error: unknown, status: number): Meaning {
  if (status >= 500)
    return meaning('DESTINATION_CONNECT_FAILED', 'the storage service failed', 'run again later');
  const said = firstLineOf(error);
  return said === ''
    ? meaning(
        'DESTINATION_REFUSED',
        'the storage service refused the request without a reason',
        'check that accountUrl is the blob endpoint of a storage account, and look the code of the message up',
      )
    : meaning('DESTINATION_REFUSED', `the storage service refused the request: ${said}`);
}

function isConnectionFailure(error: unknown, code: string | undefined): boolean {
  if (CONNECTION_FAILURE.test(code ?? '')) return true;
  // Ours are told apart before; the SDK also calls it so when a body is cut short.
  return ((error ?? {}) as RestErrorLike).name === 'AbortError';
}

/** Whether @azure/identity failed. */
function isIdentityError(error: unknown): boolean {
  const { name } = (error ?? {}) as RestErrorLike;
  return /^(?:CredentialUnavailable|AggregateAuthentication|Authentication(?:Required)?)Error$/.test(
    `${name}`,
  );
}

/** Azure appends request id and time in further lines. */
function firstLineOf(error: unknown): string {
  const { message } = (error ?? {}) as RestErrorLike;
  return `${message ?? error}`.split('\n', 1)[0] ?? '';
}

/** To be done after redaction: half a secret would not be found. */
function shortened(text: string): string {
  return text.length > MAX_MESSAGE_LENGTH ? `${text.slice(0, MAX_MESSAGE_LENGTH)}…` : text;
}

/**
 * A cause that holds only what is picked here: the SDK's own error refers to the request,
 * and so to the SAS.
 */
function sanitized(error: unknown, failure: AzureFailure, redact: Redact): Error {
  const { name } = (error ?? {}) as RestErrorLike;
  const { status, code, requestId } = failure;
  const cause = new Error(shortened(redact(firstLineOf(error))));
  cause.name = typeof name === 'string' ? name : 'Error';
  return Object.assign(cause, { code, status, requestId });
}
