import { readdir } from 'node:fs/promises';
import type { DaemonClock } from '../../clock.ts';
import { runsFolder } from '../../disk/data-directory.ts';
import { SluiceError } from '../../errors.ts';
import { blankOf, toRunError } from '../../history/new-record.ts';
import { activationsIn } from '../../history/record-files.ts';
import type { RunRecord } from '../../history/run-record.ts';
import { unexpectedError } from '../../system-errors.ts';
import type { Configuration } from '../configuration.ts';
import type { RunHistory } from '../history/run-history.ts';
import type { Log } from '../parts.ts';
import type { SideJobs } from '../processes/side-jobs.ts';
import { isDecided, unfinishedProblem } from './decided-run.ts';
import { LiveRun, withAttempt } from './live-run.ts';
import type { AcceptedRun, RequestLog } from './request-log.ts';
import { lockedDelayMs, retryDelayMs } from './retry-policy.ts';
import type { RunQueue } from './run-queue.ts';

/** What the last daemon accepted and did not bring to an end, ready to be queued. */
export async function requeueAccepted(
  requests: RequestLog,
  { clock, configuration }: Pick<StartRecoveryOptions, 'clock' | 'configuration'>,
  history: RunHistory,
): Promise<LiveRun[]> {
  const runs: LiveRun[] = [];
  for (const accepted of requests.runs) {
    const { record } = accepted;
    if (history.has(record.run)) {
      await requests.drop(record.run);
      continue;
    }
    const live = toLive(accepted, clock.now().toISOString());
    if (accepted.decided || (await isDecided(configuration.dataDirectory, record))) live.noteDecision();
    runs.push(live);
  }
  return runs;
}

function toLive({ record, cancelled, attemptStartedAt }: AcceptedRun, now: string): LiveRun {
  const live = new LiveRun(blankOf(record));
  live.cancelled = cancelled === true;
  if (attemptStartedAt !== undefined) {
    const error = toRunError(
      new SluiceError('SHUTTING_DOWN', 'the daemon was ended while the run was under way'),
    );
    const attempts = withAttempt(record, { startedAt: attemptStartedAt, endedAt: now, error });
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
 * An activation whose runs are under way is looked at again after so long: they may have
 * finished it, or not.
 */
const BUSY_MS = 5_000;

/**
 * Finishes what is decided and has nobody who would: runs of commands that were killed,
 * or met a fault after their decision. Each run of an activation begins with that too;
 * where it could not do it, it is tried again here.
 */
export class StartRecovery {
  readonly #options: StartRecoveryOptions;
  readonly #problems = new Map<string, string>();
  /** By activation. */
  readonly #timers = new Map<string, () => void>();
  readonly #closing = new AbortController();

  constructor(options: StartRecoveryOptions) {
    this.#options = options;
  }

  get problems(): readonly string[] {
    return [...this.#problems.values()];
  }

  /**
   * To be called at the start and at each reload, which may have fixed what was in the
   * way.
   */
  async look(): Promise<void> {
    for (const name of await activationsIn(this.#options.configuration.dataDirectory)) {
      await this.#lookAt(name, 1);
    }
  }

  close(): void {
    this.#closing.abort();
    for (const callOff of this.#timers.values()) callOff();
  }

  async #lookAt(name: string, attempt: number): Promise<void> {
    const { queue, configuration, onFree } = this.#options;
    this.#callOff(name);
    const decided = await this.#decidedOf(name);
    if (this.#closing.signal.aborted) return;
    if (decided.length === 0) return void this.#problems.delete(name);
    try {
      configuration.resolve(name);
    } catch (error) {
      // A reload that brings the activation back looks again.
      this.#problems.set(name, unfinishedProblem(decided, name, error as SluiceError));
      return;
    }
    const free = queue.take(name);
    if (free === undefined) {
      this.#lookLater(name, attempt - 1, BUSY_MS);
      return;
    }
    void this.#carryOut(name)
      .catch(error => this.#failed(name, attempt, error))
      .catch(error => this.#lookAgain(name, attempt, error))
      .finally(() => {
        free();
        onFree();
      });
  }

  async #carryOut(activation: string): Promise<void> {
    const { sideJobs, onRecovered, log } = this.#options;
    const { recovered } = await sideJobs.run(
      { kind: 'recover', activation },
      { room: 'recovery', signal: this.#closing.signal },
    );
    this.#problems.delete(activation);
    for (const record of recovered) {
      log.info({ run: record.run, activation }, 'an earlier run was finished');
      await onRecovered(record);
    }
  }

  async #failed(name: string, attempt: number, error: unknown): Promise<void> {
    const { configuration, log } = this.#options;
    if (this.#closing.signal.aborted) return;
    const known = unexpectedError(error);
    if (known.code === 'STATE_LOCKED') {
      this.#lookLater(name, attempt, lockedDelayMs(attempt));
      return;
    }
    const decided = await this.#decidedOf(name);
    if (decided.length === 0) {
      log.error({ activation: name, error }, 'a decided run could not be finished, and was withdrawn');
      this.#problems.delete(name);
      return;
    }
    log.error({ activation: name, error }, 'a decided run could not be finished; it is tried again');
    this.#problems.set(name, unfinishedProblem(decided, name, known));
    this.#lookLater(name, attempt, retryDelayMs(known, attempt, configuration.daemon.retry));
  }

  #lookLater(name: string, attempt: number, delayMs: number): void {
    const { clock } = this.#options;
    if (this.#closing.signal.aborted) return;
    this.#callOff(name);
    const callOff = clock.after(delayMs, () => {
      void this.#lookAt(name, attempt + 1).catch(error => this.#lookAgain(name, attempt + 1, error));
    });
    this.#timers.set(name, callOff);
  }

  /** The data directory could not be read. */
  #lookAgain(name: string, attempt: number, error: unknown): void {
    this.#options.log.error({ activation: name, error }, 'decided runs could not be looked for');
    this.#lookLater(name, attempt, BUSY_MS);
  }

  #callOff(name: string): void {
    this.#timers.get(name)?.();
    this.#timers.delete(name);
  }

  /** Those that the queue does not know: its own runs are finished where they stand. */
  async #decidedOf(name: string): Promise<string[]> {
    const { configuration, queue } = this.#options;
    const folder = runsFolder(configuration.dataDirectory, name);
    const decided: string[] = [];
    for (const run of await readdir(folder).catch((): string[] => [])) {
      const isKnown = queue.find(run) !== undefined;
      if (!isKnown && (await isDecided(configuration.dataDirectory, { activation: name, run })))
        decided.push(run);
    }
    return decided.sort();
  }
}
