import { type ErrorCode, SluiceError } from '../../errors.ts';
import type { Redact } from './redaction.ts';
import { AttemptTimeout, type AttemptVerdict } from './retry.ts';
import { permissionName, type SasDescription } from './sas.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly text: string;
  readonly hint?: string;
}

const meaning = (code: ErrorCode, text: string, hint?: string): Meaning => ({
  code,
  text,
  ...(hint && { hint }),
});

const LEASE = 'end the lease on the blob or the container, or change fileName';
const IMMUTABLE = 'change fileName, or end the immutability policy or legal hold on the blob';

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
    'grant the permission that the message names, and check the network rules of the storage account',
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
  ConditionNotMet: meaning('DESTINATION_CONFLICT', 'the blob is not the one that was seen before'),
  BlobAlreadyExists: meaning('DESTINATION_EXISTS', 'the blob exists already'),
  InvalidBlockList: meaning('DESTINATION_CONFLICT', 'staged blocks are missing'),
  InvalidBlobOrBlock: meaning(
    'DESTINATION_CONFLICT',
    'another writer has staged blocks on this blob whose ids have another length',
    'delete or overwrite the blob, or change fileName',
  ),
  InvalidBlobType: meaning(
    'DESTINATION_REFUSED',
    'the name belongs to a blob that is no block blob',
    'delete the blob, or change fileName',
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
  409: meaning('DESTINATION_CONFLICT', 'the request conflicts with the state of the blob'),
  412: meaning('DESTINATION_CONFLICT', 'the blob is not the one that was seen before'),
  429: meaning('DESTINATION_THROTTLED', 'too many requests'),
  503: meaning('DESTINATION_THROTTLED', 'the storage service is busy'),
  504: meaning('DESTINATION_TIMEOUT', 'the storage service did not answer in time'),
};

const RETRYABLE_STATUS = new Set([408, 429, 500, 502, 503, 504]);
/** Failures of a connection that was never made: the request has not been sent. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);
/** Of the connection, or of an answer that was cut short. Misuse of Node (`ERR_…`) does not get better. */
const CONNECTION_FAILURE =
  /^(?:E(?!PROTO$|RR_)[A-Z_]+|REQUEST_SEND_ERROR|PARSE_ERROR|HPE_\w+|ERR_STREAM_PREMATURE_CLOSE)$/;
/** Of the service's certificate, or of a service that does not speak TLS: neither gets better by itself. */
const TLS_FAILURE =
  /^(?:CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|EPROTO$)/;
const MAX_MESSAGE_LENGTH = 2000;

/** What can be told from an error of the SDK, whichever of its packages made it. */
export interface AzureFailure extends AttemptVerdict {
  readonly status?: number | undefined;
  /** Azure's code, or that of the socket. */
  readonly code?: string | undefined;
  readonly requestId?: string | undefined;
  /** The request cannot have had an effect, though it failed in a way that may be repeated. */
  readonly neverDone: boolean;
}

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
      retryable: RETRYABLE_STATUS.has(statusCode),
      throttled,
      retryAfterMs: retryAfter(header),
      neverDone: statusCode === 429 || (statusCode === 503 && code === 'ServerBusy'),
    };
  }
  // Without a status: the connection failed, was cut, or gave an answer that could not be read to its end.
  const retryable = isConnectionFailure(error, code);
  return { code, retryable, throttled: false, neverDone: NEVER_SENT.has(code ?? '') };
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

export interface FailureContext {
  /** What was being done, as in "staging a block of exports/a.csv". */
  readonly doing: string;
  /** The letter of the permission that it takes. */
  readonly permission: string;
  readonly redact: Redact;
  readonly sas?: SasDescription | undefined;
}

/** Turns whatever the SDK reported into the project's error, without anything that could hold a credential. */
export function toDestinationError(error: unknown, context: FailureContext): SluiceError {
  if (error instanceof SluiceError) return error;
  const failure = describeFailure(error);
  const { code, text, hint } = meaningOf(error, failure);
  const notes: string[] = [];
  if (code === 'DESTINATION_PERMISSION') notes.push(`it takes ${permissionName(context.permission)}`);
  const expiresOn = context.sas?.expiresOn;
  if (code === 'DESTINATION_CREDENTIALS' && expiresOn && expiresOn.getTime() <= Date.now()) {
    notes.push(`the SAS token expired at ${expiresOn.toISOString()}`);
  }
  const seen = [failure.status, failure.code].filter(part => part !== undefined).join(' ');
  if (seen) notes.push(seen);
  if (failure.requestId) notes.push(`request ${failure.requestId}`);
  const message = `${context.doing}: ${text}${notes.length > 0 ? ` (${notes.join('; ')})` : ''}`;
  return new SluiceError(code, shortened(context.redact(message)), {
    cause: sanitized(error, failure, context.redact),
    stage: 'destination',
    ...(hint && { hint }),
  });
}

function meaningOf(error: unknown, { status, code }: AzureFailure): Meaning {
  const byCode = status === undefined ? undefined : BY_AZURE_CODE[code ?? ''];
  const known = byCode ?? BY_STATUS[status ?? 0];
  if (known) return known;
  if (status !== undefined) {
    return status >= 500
      ? meaning('DESTINATION_CONNECT_FAILED', 'the storage service failed', 'run again later')
      : meaning('DESTINATION_REFUSED', `the storage service refused the request: ${firstLineOf(error)}`);
  }
  if (error instanceof AttemptTimeout) return meaning('DESTINATION_TIMEOUT', error.message);
  if (isIdentityError(error)) return meaning('DESTINATION_CREDENTIALS', 'no identity could be used');
  if (TLS_FAILURE.test(code ?? '')) {
    return meaning('DESTINATION_CONNECT_FAILED', 'no secure connection to the storage account could be made');
  }
  if (isConnectionFailure(error, code)) {
    return meaning('DESTINATION_CONNECT_FAILED', 'the connection to the storage account failed');
  }
  return meaning('DESTINATION_REFUSED', `the request could not be made: ${firstLineOf(error)}`);
}

function isConnectionFailure(error: unknown, code: string | undefined): boolean {
  if (CONNECTION_FAILURE.test(code ?? '')) return true;
  // Ours are told apart before; the SDK also calls it so when a body is cut short.
  return ((error ?? {}) as RestErrorLike).name === 'AbortError';
}

/** Of @azure/identity. */
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

/** A cause that holds only what is picked here: the SDK's own error refers to the request, and so to the SAS. */
function sanitized(error: unknown, failure: AzureFailure, redact: Redact): Error {
  const { name } = (error ?? {}) as RestErrorLike;
  const { status, code, requestId } = failure;
  const cause = new Error(shortened(redact(firstLineOf(error))));
  cause.name = typeof name === 'string' ? name : 'Error';
  return Object.assign(cause, { code, status, requestId });
}
