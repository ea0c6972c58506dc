import { randomInt } from 'node:crypto';
import { isoInstant } from './iso-instant.ts';

const RANDOM_DIGITS = 6;

/**
 * `20250414-070000-123-k3f9ab`: the instant in UTC, so that ids sort by time, and 31
 * random bits, so that none is used twice. All have one length, which block ids rely on.
 */
export function newRunId(instant: Date): string {
  const random = randomInt(36 ** RANDOM_DIGITS)
    .toString(36)
    .padStart(RANDOM_DIGITS, '0');
  return `${stampOf(instant)}-${random}`;
}

/** What ids of that instant begin with. */
export function stampOf(instant: Date): string {
  const iso = isoInstant(instant);
  const date = `${iso.slice(0, 4)}${iso.slice(5, 7)}${iso.slice(8, 10)}`;
  const time = `${iso.slice(11, 13)}${iso.slice(14, 16)}${iso.slice(17, 19)}-${iso.slice(20, 23)}`;
  return `${date}-${time}`;
}

export const RUN_ID = /^\d{8}-\d{6}-\d{3}-[0-9a-z]{6}$/;
