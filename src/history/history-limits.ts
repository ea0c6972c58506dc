import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { recallRecord, runsIn } from './record-files.ts';
import { stampOf } from './run-id.ts';
import type { RunRecord } from './run-record.ts';
import { isSuccess } from './run-state.ts';

export interface HistoryLimits {
  readonly keepRuns: number;
  /** In milliseconds; 0 is forever. */
  readonly keepFor: number;
}

/** What is to be known of a run to say whether it is kept. */
export type KeptRun = Pick<RunRecord, 'run' | 'state' | 'trigger'> & {
  readonly endedAt?: string | undefined;
  readonly idempotencyKey?: string | undefined;
};

/** A clock that is put right by no more than this changes the order of nothing. */
export const MAX_CORRECTION_MS = 3_600_000;

/**
 * A client finds its run by the key for so long after the run's end, however many runs
 * came since.
 */
const KEEP_KEYS_MS = 24 * 60 * 60 * 1000;

/**
 * In the order in which they were made, the newest last; `runs` are in the order of their
 * ids. That is the same, but for those dated later than now: they were made before the
 * clock was set back, and would be the newest until it is there again.
 */
export function inOrderMade<T extends Pick<RunRecord, 'run'>>(runs: readonly T[], now: Date): readonly T[] {
  const latest = stampOf(new Date(now.getTime() + MAX_CORRECTION_MS));
  let end = runs.length;
  while (end > 0 && runs[end - 1]!.run > latest) end--;
  return end === runs.length ? runs : [...runs.slice(end), ...runs.slice(0, end)];
}

/**
 * What is over the limits: never the last success, and none for the number of runs while
 * a client may repeat its request. `runs` are in the order in which they were made.
 */
export function surplusRuns<T extends KeptRun>(
  runs: readonly T[],
  { keepRuns, keepFor }: HistoryLimits,
  now: Date,
): T[] {
  const lastSuccess = runs.findLast(isSuccess);
  const oldest = keepFor === 0 ? Number.NEGATIVE_INFINITY : now.getTime() - keepFor;
  return runs.filter(
    (run, index) =>
      run !== lastSuccess &&
      ((index < runs.length - keepRuns && !isKeyKept(run, now)) ||
        (run.endedAt !== undefined && Date.parse(run.endedAt) < oldest)),
  );
}

/** One that is dated later than now has no age that anybody knows. */
function isKeyKept({ idempotencyKey, trigger, endedAt }: KeptRun, now: Date): boolean {
  if (idempotencyKey === undefined || trigger === 'schedule' || endedAt === undefined) return false;
  const ageMs = now.getTime() - Date.parse(endedAt);
  return ageMs < KEEP_KEYS_MS && ageMs > -MAX_CORRECTION_MS;
}

/**
 * Removes the records of an activation that are over the limits. `folder` is its history.
 */
export async function pruneHistory(folder: string, limits: HistoryLimits, now: Date): Promise<void> {
  const ids = await runsIn(folder);
  // Ids begin with the time of the start, so that few records have to be read.
  const oldest = limits.keepFor === 0 ? '' : stampOf(new Date(now.getTime() - limits.keepFor));
  const order = inOrderMade(
    ids.map(run => ({ run })),
    now,
  );
  const mayGo = (index: number): boolean =>
    index < order.length - limits.keepRuns || order[index]!.run < oldest;
  if (!order.some((_, index) => mayGo(index))) return;
  const read = async (run: string): Promise<KeptRun> => {
    // Also where it is damaged.
    return (await recallRecord(folder, run).catch(() => undefined)) ?? unread(run);
  };
  const runs = order.map(({ run }) => unread(run));
  for (const index of order.keys()) if (mayGo(index)) runs[index] = await read(order[index]!.run);
  for (let index = runs.length - 1; index >= 0 && !isSuccess(runs[index]!); index--)
    runs[index] = await read(runs[index]!.run);
  for (const { run } of surplusRuns(runs, limits, now))
    await rm(join(folder, `${run}.json`), { force: true });
}

/** Nothing is known of it: it goes for the number of runs only. */
function unread(run: string): KeptRun {
  return { run, state: 'failed', trigger: 'command' };
}
