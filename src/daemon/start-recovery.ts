import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError } from '../errors.ts';
import { activationsIn } from '../run/history.ts';
import { toRunError } from '../run/new-record.ts';
import type { RunRecord } from '../run/run-record.ts';
import { activationsFolder, exists } from '../run/state-folder.ts';
import type { Configuration } from './configuration.ts';
import { blankOf, withAttempt } from './dispatcher.ts';
import type { DaemonClock, Log } from './parts.ts';
import type { AcceptedRun, RequestLog } from './request-log.ts';
import { lockedDelayMs, retryDelayMs } from './retry-policy.ts';
import type { RunHistory } from './run-history.ts';
import type { LiveRun, RunQueue } from './run-queue.ts';
import type { SideJobs } from './side-jobs.ts';

/** What the last daemon accepted and did not bring to an end, ready to be queued. */
export async function requeueAccepted(
  requests: RequestLog,
  { clock }: { readonly clock: DaemonClock },
  history: RunHistory,
): Promise<LiveRun[]> {
  const runs: LiveRun[] = [];
  for (const accepted of requests.runs) {
    const { run } = accepted.record;
    if (history.has(run)) await requests.drop(run);
    else runs.push(toLive(accepted, clock.now().toISOString()));
  }
  return runs;
}

function toLive({ record, cancelled, attemptStartedAt }: AcceptedRun, now: string): LiveRun {
  const live: LiveRun = { record: blankOf(record), cancelled: cancelled === true, lockedAttempts: 0 };
  if (attemptStartedAt !== undefined) {
    const error = toRunError(
      new SluiceError('SHUTTING_DOWN', 'the daemon was ended while the run was under way'),
    );
    const attempts = withAttempt({ record, attemptStartedAt }, error, now);
    live.record = { ...live.record, attempts };
  } else if (record.error) {
    live.record = { ...live.record, error: record.error };
  }
  return live;
}

export interface StartRecoveryOptions {
  readonly configuration: Configuration;
  readonly queue: RunQueue;
  readonly clock: DaemonClock;
  readonly log: Log;
  readonly sideJobs: SideJobs;
  onRecovered(record: RunRecord): Promise<void>;
  /** An activation that was taken for recovery is free for runs. */
  onFree(): void;
}

/**
 * Finishes what is decided and has nobody who would: runs of commands that were killed, and runs that failed for good after
 * their decision. An activation with runs in the queue needs none of it, since each run begins with that.
 */
export class StartRecovery {
  readonly #options: StartRecoveryOptions;
  readonly #problems = new Map<string, string>();
  readonly #timers = new Set<() => void>();
  readonly #closing = new AbortController();

  constructor(options: StartRecoveryOptions) {
    this.#options = options;
  }

  get problems(): readonly string[] {
    return [...this.#problems.values()];
  }

  async start(): Promise<void> {
    const { configuration, queue } = this.#options;
    for (const name of await activationsIn(configuration.dataDirectory)) {
      if (!configuration.find(name) || queue.isBusy(name)) continue;
      if (await this.#hasDecided(name)) this.#recover(name, 1);
    }
  }

  close(): void {
    this.#closing.abort();
    for (const callOff of this.#timers) callOff();
  }

  #recover(name: string, attempt: number): void {
    const { queue, log, onFree } = this.#options;
    // A run that came meanwhile does it.
    const free = queue.take(name);
    if (free === undefined) {
      this.#problems.delete(name);
      return;
    }
    void this.#carryOut(name)
      .then(() => this.#problems.delete(name))
      .catch(error => {
        if (this.#closing.signal.aborted) return;
        log.error({ activation: name, error }, 'a decided run could not be finished; it is tried again');
        this.#problems.set(name, `${name}: a decided run is not finished: ${(error as Error).message}`);
        this.#again(name, attempt, error);
      })
      .finally(() => {
        free();
        onFree();
      });
  }

  async #carryOut(activation: string): Promise<void> {
    const { sideJobs, onRecovered, log } = this.#options;
    const { recovered } = await sideJobs.run({ kind: 'recover', activation }, this.#closing.signal);
    for (const record of recovered) {
      log.info({ run: record.run, activation }, 'an earlier run was finished');
      await onRecovered(record);
    }
  }

  #again(name: string, attempt: number, error: unknown): void {
    const { clock, configuration } = this.#options;
    const known = error instanceof SluiceError ? error : new SluiceError('INTERNAL', String(error));
    const delayMs =
      known.code === 'STATE_LOCKED'
        ? lockedDelayMs(attempt)
        : retryDelayMs(known, attempt, configuration.daemon.retry);
    const callOff = clock.after(delayMs, () => {
      this.#timers.delete(callOff);
      this.#recover(name, attempt + 1);
    });
    this.#timers.add(callOff);
  }

  async #hasDecided(name: string): Promise<boolean> {
    const runs = join(activationsFolder(this.#options.configuration.dataDirectory), name, 'runs');
    for (const run of await readdir(runs).catch((): string[] => []))
      if (await exists(join(runs, run, 'commit.json'))) return true;
    return false;
  }
}
