import type { RunRecord } from '../../history/run-record.ts';
import type { RecentRun } from '../operations.ts';
import type { HistoryEntry } from './history-index.ts';
import type { RunHistory } from './run-history.ts';

/** How many runs of an activation the console draws. */
export const RECENT_RUNS = 30;

/**
 * The last runs of each activation in short. Records of runs that have ended hardly ever
 * change, so each is read once: an entry of the history is another one when its record
 * was written anew.
 */
export class RecentRuns {
  readonly #history: Pick<RunHistory, 'inOrder' | 'recall'>;
  readonly #known = new WeakMap<HistoryEntry, RecentRun>();
  /**
   * Records are read for one activation at a time: there may be many, with few files to
   * open at once.
   */
  #reading: Promise<unknown> = Promise.resolve();

  constructor(history: Pick<RunHistory, 'inOrder' | 'recall'>) {
    this.#history = history;
  }

  /** The oldest first. Those that cannot be read are left out. */
  async of(activation: string): Promise<readonly RecentRun[]> {
    const entries = this.#history.inOrder(activation).slice(-RECENT_RUNS);
    if (entries.some(entry => !this.#known.has(entry))) {
      this.#reading = this.#reading.then(() => Promise.all(entries.map(entry => this.#read(entry))));
      await this.#reading;
    }
    return entries.map(entry => this.#known.get(entry)).filter(run => run !== undefined);
  }

  async #read(entry: HistoryEntry): Promise<void> {
    if (this.#known.has(entry)) return;
    const record = await this.#history.recall(entry).catch(() => undefined);
    if (record === undefined) return;
    this.#known.set(entry, inShort(record));
  }
}

/** What a bar of a chart needs to know. */
export function inShort({ run, state, startedAt, endedAt, counts }: RunRecord): RecentRun {
  const { added, updated, removed, written, bytes } = counts;
  const tookMs = endedAt === undefined ? Number.NaN : Date.parse(endedAt) - Date.parse(startedAt);
  const seconds = tookMs >= 0 ? { seconds: tookMs / 1000 } : {};
  return { run, state, startedAt, ...seconds, added, updated, removed, written, bytes };
}
