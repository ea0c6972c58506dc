import type { SnapshotMark } from '../../source.ts';

/**
 * What must be as it was, so that a row of the table changes only by being written: each
 * with what it means that it is not. Two servers, or one that has gone back to an earlier
 * state, give the numbers of transactions to others.
 */
export const CONDITIONS = {
  system: 'the source is another server: its system identifier is another one',
  timeline: 'the server is on another timeline, as after a failover',
  standby: 'the source was a primary and is a standby now, or the other way round',
  start: 'the server was started again, or the source is another server',
  recovery: 'the server has recovered from a crash, or its statistics were reset',
  database: 'the source is another database of the server',
  table: 'the table was created anew or rewritten, or has other partitions',
  columns: 'columns of the table have changed',
  query: 'the query is another one, as the server understands model, filter and row policies',
  settings: 'settings that constants of the query are read by have changed',
  labels: 'labels of an enum have changed',
} as const;

export type Conditions = Readonly<Record<keyof typeof CONDITIONS, string>>;

/**
 * Numbers of transactions are compared in a circle of 2^32; past its half a later one
 * looks like an earlier one.
 */
const MAX_DISTANCE = 2n ** 31n;
/** Transactions that may begin while a run reads. */
const MARGIN = 2n ** 24n;

/**
 * Why rows that were written since `before` cannot be told from others now; `undefined`
 * where they can.
 */
export function obstacleBetween(before: SnapshotMark, now: SnapshotMark): string | undefined {
  for (const [name, meaning] of Object.entries(CONDITIONS))
    if (before.conditions[name] === undefined || before.conditions[name] !== now.conditions[name])
      return meaning;
  if (BigInt(now.next) < BigInt(before.next))
    return 'the server has fewer transactions behind it than when the baseline was read';
  const distance = BigInt(now.next) - BigInt(before.horizon);
  if (distance >= MAX_DISTANCE - MARGIN)
    return `${distance} transactions have begun since the oldest that ran when the baseline was read`;
  return undefined;
}
