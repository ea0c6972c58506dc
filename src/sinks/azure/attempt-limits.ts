import { describeFailure } from './azure-errors.ts';
import { AttemptTimeout } from './retry.ts';

/**
 * What the system has taken of a body and not sent yet moves unseen, and it says that
 * there is room for more in large steps. A slow line with several blocks in flight still
 * moves this much of each.
 */
const SLOWEST_BYTES_PER_MS = 40;
/** The most that systems usually take in advance. */
const MAX_UNSEEN_BYTES = 8 * 1024 * 1024;
const DEFAULT_REQUEST_TIMEOUT_MS = 30_000;
/** Proxies and firewalls end requests after a time that is rarely shorter. */
const LONG_ATTEMPT_MS = 10_000;

export interface AttemptLimits {
  /**
   * An attempt is given up when nothing moved for this long; one with a body gets more by
   * its size. Default 30 s.
   */
  readonly requestTimeoutMs?: number | undefined;
  /** What a line still moves of each of the requests on it. Default 40 KB/s. */
  readonly slowestBytesPerMs?: number | undefined;
}

/** For how long nothing may move in an attempt with a body of so many bytes. */
export function attemptTimeoutMs(
  bodyBytes: number,
  { requestTimeoutMs = DEFAULT_REQUEST_TIMEOUT_MS, slowestBytesPerMs = SLOWEST_BYTES_PER_MS }: AttemptLimits,
): number {
  return requestTimeoutMs + Math.ceil(Math.min(bodyBytes, MAX_UNSEEN_BYTES) / slowestBytesPerMs);
}

/**
 * Whether an attempt that took so long may have failed because its body takes too long on
 * this line, be it that somebody on the way ended it.
 */
export function isTooSlow(error: unknown, tookMs: number): boolean {
  if (error instanceof AttemptTimeout) return true;
  const { status, code, retryable, neverDone } = describeFailure(error);
  if (status === 408 || status === 504 || code === 'OperationTimedOut') return true;
  return status === undefined && retryable && !neverDone && tookMs >= LONG_ATTEMPT_MS;
}
