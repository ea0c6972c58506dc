import type { ErrorCategory } from '../../errors.ts';
import type { RunError } from '../../history/run-record.ts';

/** `daemon.retry` of the configuration, in milliseconds. */
export interface RetryLimits {
  readonly attempts: number;
  readonly minDelay: number;
  readonly maxDelay: number;
}

/** How long to wait, as multiples of the configured delays. */
const PATIENCE: Readonly<Record<ErrorCategory, number>> = {
  connection: 1,
  timeout: 1,
  // Coming back soon is what made it.
  'rate limit': 3,
  // Codes of these that can be repeated are rare, and seldom fixed within seconds.
  credentials: 2,
  configuration: 2,
  'not found': 2,
};

/**
 * Somebody else works on the activation: what ends soon is looked at soon, and is no
 * failure.
 */
const LOCKED_MIN_MS = 250;
const LOCKED_MAX_MS = 5_000;

/**
 * The pause after `failures` failures in a row (from 1): exponential with full jitter,
 * between a tenth of the ceiling and the ceiling, so that runs which failed together do
 * not come back together.
 */
export function retryDelayMs(
  { category }: Pick<RunError, 'category'>,
  failures: number,
  { minDelay, maxDelay }: Pick<RetryLimits, 'minDelay' | 'maxDelay'>,
  random: () => number = Math.random,
): number {
  const patience = PATIENCE[category];
  const ceiling = Math.min(maxDelay * patience, minDelay * patience * 2 ** Math.min(failures - 1, 40));
  return Math.round(ceiling * (0.1 + 0.9 * random()));
}

export function lockedDelayMs(failures: number, random: () => number = Math.random): number {
  const ceiling = Math.min(LOCKED_MAX_MS, LOCKED_MIN_MS * 2 ** Math.min(failures - 1, 10));
  return Math.round(ceiling * (0.5 + 0.5 * random()));
}
