import type { RunRecord } from '../../history/run-record.ts';
import { hasEnded } from '../../history/run-state.ts';
import type { RunProgress } from '../../run/run-progress.ts';
import { displayProgress, type ProgressDisplay } from '../terminal/progress.ts';
import type { Terminal } from '../terminal/terminal.ts';
import type { DaemonClient } from './daemon-client.ts';

export interface FollowOptions {
  readonly client: DaemonClient;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** Whether nothing is shown on the way. */
  readonly isSilent: boolean;
}

/**
 * The run once it has ended, with its progress shown meanwhile. Where its events cannot
 * be had or break off, as behind some proxies, the run is asked for until it has ended.
 */
export async function followRun(run: RunRecord, options: FollowOptions): Promise<RunRecord> {
  const { client, signal, isSilent } = options;
  const shown = new FollowedRun(run, options);
  try {
    if (!isSilent) {
      try {
        for await (const event of client.events(run.run)) {
          if (event.type === 'progress') shown.move(event.progress);
          else shown.become(event.record);
          if (hasEnded(shown.record)) break;
        }
      } catch {
        signal.throwIfAborted();
      }
    }
    return await client.waitForEnd(shown.record, record => shown.become(record));
  } finally {
    shown.stop();
  }
}

class FollowedRun {
  record: RunRecord;
  readonly #options: FollowOptions;
  #display: ProgressDisplay | undefined;
  #progress: RunProgress | undefined;

  constructor(record: RunRecord, options: FollowOptions) {
    this.record = record;
    this.#options = options;
    this.#say();
  }

  become(record: RunRecord): void {
    const isNews = record.state !== this.record.state || record.error?.message !== this.record.error?.message;
    this.record = record;
    if (isNews && !hasEnded(record)) this.#say();
  }

  move(progress: RunProgress): void {
    this.#progress = progress;
    if (this.#options.isSilent || this.#display !== undefined) return;
    const { terminal } = this.#options;
    this.#display = displayProgress({ activation: this.record.activation, terminal });
    this.#display.observe(() => this.#progress ?? progress);
  }

  stop(): void {
    this.#display?.stop();
    this.#display = undefined;
  }

  /** A run that waits has no progress; one that is under way shows its own. */
  #say(): void {
    const { activation, state, run, error, retryAt } = this.record;
    if (this.#options.isSilent || state !== 'queued') return;
    this.stop();
    const why =
      error === undefined ? '' : `: ${error.code}: ${error.message}; next attempt ${retryAt ?? 'soon'}`;
    this.#options.terminal.note(`${activation}: run ${run} is queued${why}`);
  }
}
