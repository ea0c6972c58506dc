import { randomInt } from 'node:crypto';

const RANDOM_DIGITS = 6;

/**
 * `20250414-070000-123-k3f9ab`: the instant in UTC, so that ids sort by time, and 31 random bits, so that none is used
 * twice. All have one length, which block ids rely on.
 */
export function newRunId(instant: Date): string {
  const random = randomInt(36 ** RANDOM_DIGITS)
    .toString(36)
    .padStart(RANDOM_DIGITS, '0');
  return `${stampOf(instant)}-${random}`;
}

/** What ids of that instant begin with. */
export function stampOf(instant: Date): string {
  const [date, time] = instant.toISOString().slice(0, 23).split('T') as [string, string];
  return `${date.replaceAll('-', '')}-${time.replaceAll(':', '').replace('.', '-')}`;
}

export const RUN_ID = /^\d{8}-\d{6}-\d{3}-[0-9a-z]{6}$/;
