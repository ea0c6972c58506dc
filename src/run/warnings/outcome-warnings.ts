import { credentialsExpireOn } from '../../assemble.ts';
import type { ResolvedActivation } from '../../config/activation.ts';
import type { RunCounts, RunRecord, RunWarning } from '../../history/run-record.ts';
import { isSuccess } from '../../history/run-state.ts';

/**
 * What is worth a warning about a run that works: pure rules, each over what it is given,
 * for a run that warns of itself and for a daemon that watches many.
 */

const percentOf = (ratio: number): string => `${Number((100 * ratio).toFixed(1))} %`;

/**
 * Whether the run looked at every row of its source: only then its counts say something.
 */
export function hasReadAll(record: Pick<RunRecord, 'state' | 'reason' | 'warnings'>): boolean {
  const { state, reason, warnings } = record;
  // Held before it has read anything.
  if (reason === 'STATE_LOST' || reason === 'SOURCE_MOVED') return false;
  const isWhole = isSuccess(record) || state === 'held';
  return isWhole && !warnings.some(({ code }) => code === 'EXISTS_SKIPPED');
}

export function emptyResultWarning(
  { name, warnings }: ResolvedActivation,
  { read }: Pick<RunCounts, 'read'>,
): RunWarning | undefined {
  if (!warnings.emptyResult || read > 0) return undefined;
  return { code: 'EMPTY_RESULT', message: `the source of ${name} returned no rows` };
}

/** What share of the rows that were known a run removes, where that is over the limit. */
export function removalsOver(
  { warnings }: ResolvedActivation,
  { removed }: Pick<RunCounts, 'removed'>,
  known: number,
): string | undefined {
  const limit = warnings.removedRowsOverRatio;
  if (limit === undefined || known === 0 || removed <= known * limit) return undefined;
  return `${removed} of ${known} rows (${((100 * removed) / known).toFixed(1)} %)`;
}

/** Rows dropped or spiked against the last run that read everything. */
export function rowsChangedWarning(
  { warnings }: ResolvedActivation,
  read: number,
  previousRead: number,
): RunWarning | undefined {
  const { rowsDroppedOverRatio: droppedOver, rowsSpikedOverRatio: spikedOver } = warnings;
  const seen = `the source returned ${read} rows, and ${previousRead} in the last run`;
  // Compared as ratios of whole rows, so that exactly the limit is not over it.
  if (droppedOver !== undefined && previousRead - read > previousRead * droppedOver) {
    return { code: 'ROWS_DROPPED', message: `${seen}: over ${percentOf(droppedOver)} fewer` };
  }
  if (spikedOver !== undefined && read - previousRead > previousRead * spikedOver) {
    return { code: 'ROWS_SPIKED', message: `${seen}: over ${percentOf(spikedOver)} more` };
  }
  return undefined;
}

export function slowRunWarning({ warnings }: ResolvedActivation, tookMs: number): RunWarning | undefined {
  const limit = warnings.durationOverMs;
  if (limit === undefined || tookMs <= limit) return undefined;
  return {
    code: 'SLOW_RUN',
    message: `the run took ${inUnits(tookMs)}, over the limit of ${inUnits(limit)}`,
  };
}

export function sasExpiresWarning(
  { warnings, destination }: Pick<ResolvedActivation, 'warnings' | 'destination'>,
  now: Date,
): RunWarning | undefined {
  const expiresOn = warnings.sasExpiresWithinMs > 0 ? credentialsExpireOn(destination) : undefined;
  const left = expiresOn === undefined ? Number.POSITIVE_INFINITY : expiresOn.getTime() - now.getTime();
  if (left >= warnings.sasExpiresWithinMs) return undefined;
  const when = left > 0 ? `expires at ${expiresOn!.toISOString()}` : `expired at ${expiresOn!.toISOString()}`;
  return { code: 'SAS_EXPIRES', message: `the SAS token of ${destination.name} ${when}` };
}

const UNITS: readonly (readonly [name: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
];

/** As the configuration writes durations, in the two largest units: `1h 5m`. */
export function inUnits(milliseconds: number): string {
  let rest = Math.round(milliseconds);
  const parts: string[] = [];
  for (const [name, ms] of UNITS) {
    const count = Math.floor(rest / ms);
    rest -= count * ms;
    if (count > 0) parts.push(`${count}${name}`);
  }
  return parts.length === 0 ? `${rest}ms` : parts.slice(0, 2).join(' ');
}
