import type { DaemonClock } from '../clock.ts';
import type { RunRecord } from '../history/run-record.ts';
import type { Configuration } from './configuration.ts';
import type { DaemonObserver } from './daemon-options.ts';
import type { RunHistory } from './history/run-history.ts';
import type { Log, Scheduler, Warnings } from './parts.ts';
import type { SelfPause } from './pauses/self-pause.ts';

export interface FollowUpOptions {
  readonly configuration: Configuration;
  readonly history: RunHistory;
  readonly clock: DaemonClock;
  readonly log: Log;
  readonly selfPause: Pick<SelfPause, 'runEnded'>;
  readonly scheduler: Scheduler | undefined;
  readonly warnings: Warnings | undefined;
  readonly observer: DaemonObserver | undefined;
  /** What is shown of the activation is another now. */
  onChange(activation: string): void;
}

/** Warnings look at so many earlier runs. */
const PREVIOUS_RUNS = 30;

/** What follows a run: who is told of it, and which older ones are forgotten. */
export class FollowUp {
  readonly #options: FollowUpOptions;

  constructor(options: FollowUpOptions) {
    this.#options = options;
  }

  /** The run has ended, and is in the history. */
  async ended(record: RunRecord): Promise<void> {
    const { configuration, history, selfPause, scheduler, warnings, observer, onChange } = this.#options;
    const { activation: name } = record;
    observer?.runEnded?.(record);
    scheduler?.runEnded?.(record);
    await this.prune(name);
    const activation = configuration.find(name);
    if (activation === undefined) return;
    if (record.state === 'failed') await selfPause.runEnded(record);
    if (warnings === undefined) return;
    const previous = await history.newest(name, PREVIOUS_RUNS + 1);
    const earlier = previous.filter(({ run }) => run < record.run);
    await warnings.runEnded(activation, record, earlier);
    onChange(name);
  }

  /** The run is decided, and cannot be finished for now. */
  async unfinished(record: RunRecord): Promise<void> {
    const { configuration, warnings, onChange } = this.#options;
    const activation = configuration.find(record.activation);
    if (activation) await warnings?.unfinished(activation, record);
    onChange(record.activation);
  }

  /** Forgets runs of the activation that are older than those that are kept. */
  async prune(activation: string): Promise<void> {
    const { configuration, history, clock, log } = this.#options;
    const removed = await history.prune(activation, configuration.daemon.history, clock.now());
    if (removed > 0) log.debug({ activation, removed }, 'history pruned');
  }
}
