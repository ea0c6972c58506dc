import type { DaemonClock } from '../../clock.ts';
import type { Secret } from '../../config/secrets.ts';
import { SluiceError } from '../../errors.ts';
import { blankOf, toRunError } from '../../history/new-record.ts';
import type { RunAttempt, RunError, RunRecord } from '../../history/run-record.ts';
import { isSuccess } from '../../history/run-state.ts';
import type { RunProgress } from '../../run/export-run.ts';
import { unexpectedError } from '../../system-errors.ts';
import type { Configuration } from '../configuration.ts';
import type { RunHistory } from '../history/run-history.ts';
import type { Log } from '../parts.ts';
import type { Plans } from '../plans/plans.ts';
import type { StartProcess } from '../processes/process-starter.ts';
import type { Job } from '../processes/run-messages.ts';
import type { ProcessOutcome } from '../processes/run-process.ts';
import { givenUpError, isDecided, unfinishedError, unfinishedProblem } from './decided-run.ts';
import { type LiveRun, toAccepted, withAttempt } from './live-run.ts';
import type { RequestLog } from './request-log.ts';
import { lockedDelayMs, retryDelayMs } from './retry-policy.ts';
import type { RunQueue } from './run-queue.ts';

export interface DispatcherOptions {
  readonly configuration: Configuration;
  readonly queue: RunQueue;
  /** They count as runs that are under way. */
  readonly plans: Pick<Plans, 'running' | 'beginOne'>;
  readonly requests: RequestLog;
  readonly history: RunHistory;
  readonly clock: DaemonClock;
  readonly log: Log;
  readonly start: StartProcess;
  readonly random?: () => number;
  isPaused(activation: string): boolean;
  /** Whether a run waits for an activation that a reload took away. */
  mayReturn(activation: string): boolean;
  /** The run has another state, or begins another attempt. */
  onChange(record: RunRecord): void;
  onProgress(record: RunRecord, progress: RunProgress): void;
  /** An attempt failed, and another follows. */
  onAttemptFailed(record: RunRecord): void;
  /** A decided run cannot be finished until somebody fixes what is in its way. */
  onUnfinished(record: RunRecord): void;
  /** How far the clock of the activation's destination is ahead of ours. */
  onClockSeen(activation: string, aheadMs: number): void;
  /** The run has ended, and is in the history. */
  onEnd(record: RunRecord): void;
}

/** The history could not be written; the disk may have room again. */
const KEEP_AGAIN_MS = 5_000;
/** How long an accepted run waits for an activation that a reload took away. */
const MISSING_MS = 60_000;
/** How long a run that was told to stop may take, where the daemon itself ends. */
const LAST_PATIENCE_MS = 5_000;

/**
 * Takes runs out of the queue and makes them, each attempt in a process of its own, until
 * they have ended. Their records show it so; live-run.ts has what lies between.
 *
 *   queued ──▶ reading ──▶ publishing ──▶ succeeded, recovered
 *     ▲           └────────────┴────────▶ failed, held, cancelled
 *     └── waits for the next attempt ◀────┘  (what may pass, is decided already, or was cut short by the daemon's end)
 *
 * What is decided may be visible, so it has not failed whatever is in its way: it keeps
 * its place and is tried again, until it is finished or somebody gives it up.
 *
 * A run leaves the log of requests only after its end is in the history, so that a daemon
 * which is killed finds each run in one of the two.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  #isStopping = false;
  #isForcing = false;
  #isTurnOfPlans = true;
  #onIdle: (() => void)[] = [];

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** Begins what can begin. To be called whenever that may have changed. */
  dispatch(): void {
    const { queue, plans, configuration } = this.#options;
    while (!this.#isStopping && queue.running + plans.running < configuration.daemon.concurrency) {
      // Runs and plans take turns, so that neither keeps the other waiting.
      const isBegun = this.#isTurnOfPlans
        ? plans.beginOne() || this.#beginRun()
        : this.#beginRun() || plans.beginOne();
      if (!isBegun) return;
      this.#isTurnOfPlans = !this.#isTurnOfPlans;
    }
  }

  #beginRun(): boolean {
    const { queue, isPaused } = this.#options;
    const run = queue.next(isPaused);
    if (run === undefined) return false;
    void this.#attempt(run);
    return true;
  }

  /** Decided runs that wait, one line each. */
  get problems(): readonly string[] {
    return this.#options.queue.runs.flatMap(({ record: { run, activation }, unfinished }) =>
      unfinished ? [unfinishedProblem([run], activation, unfinished)] : [],
    );
  }

  /** A reload may bring back what runs wait for: they are tried at once. */
  retryBlocked(): void {
    for (const run of this.#options.queue.runs)
      if (run.unfinished || run.missingSince !== undefined) run.callOffPause();
    this.dispatch();
  }

  /** A person changed something: faults that do not pass are tried again at once. */
  retryDecidedOf(activation: string): void {
    const [head] = this.#options.queue.waitingOf(activation);
    if (head?.unfinished?.retryable === false) head.callOffPause();
    this.dispatch();
  }

  /** See `Operations.cancel`. */
  async cancel(run: LiveRun): Promise<void> {
    const { queue, requests, configuration } = this.#options;
    const { run: id, activation } = run.record;
    // It is finished whatever anybody wishes.
    if (await this.#isDecided(run.record)) return;
    if (run.cancelled || queue.find(id) !== run) return;
    run.cancelled = true;
    if (queue.runningOf(activation) === run) {
      run.process?.stop(configuration.daemon.gracePeriod, 'cancelled');
      await requests.put(toAccepted(run));
      return;
    }
    run.callOffPause();
    // A decided run cannot be cancelled: it was finished since, or given up.
    await this.#end(run, run.decided ? this.#givenUp(run.record) : this.#cancelled(run.record));
  }

  /**
   * Begins nothing more. What is under way may go on for `gracePeriodMs`; then it is told
   * to stop, and what does not is ended. Resolves when no process is left. Runs that have
   * not ended are still in the log of requests.
   */
  async stop(gracePeriodMs: number): Promise<void> {
    const { queue, clock } = this.#options;
    this.#isStopping = true;
    for (const run of queue.runs) run.callOffPause();
    if (queue.running === 0) return;
    const idle = new Promise<void>(resolve => this.#onIdle.push(resolve));
    const callOff = clock.after(gracePeriodMs, () => this.#force());
    await idle;
    callOff();
  }

  #force(): void {
    this.#isForcing = true;
    for (const { process } of this.#options.queue.runs) process?.stop(LAST_PATIENCE_MS, 'ending');
  }

  async #attempt(run: LiveRun): Promise<void> {
    const { log } = this.#options;
    const since = this.#now();
    run.to({ at: 'beginning', since });
    try {
      const outcome = await this.#carryOut(run, since).finally(() => run.to({ at: 'settling', since }));
      await this.#settle(run, outcome);
    } catch (error) {
      // Nothing of ours may end the daemon; the run is tried again.
      log.error(
        { run: run.record.run, activation: run.record.activation, error },
        'an attempt could not be made',
      );
      await this.#wait(run, toRunError(unexpectedError(error)), KEEP_AGAIN_MS);
    } finally {
      if (this.#options.queue.running === 0) for (const tell of this.#onIdle.splice(0)) tell();
      this.dispatch();
    }
  }

  async #carryOut(run: LiveRun, since: string): Promise<ProcessOutcome> {
    const { configuration, requests, log, start } = this.#options;
    const { activation } = run.record;
    let snapshot: Secret;
    try {
      snapshot = configuration.snapshotOf(activation);
    } catch (error) {
      return { error: unexpectedError(error) };
    }
    run.missingSince = undefined;
    const attempt = (run.record.attempt ?? 0) + 1;
    const startedAt = attempt === 1 ? since : run.record.startedAt;
    run.record = { ...blankOf(run.record), state: 'reading', attempt, startedAt };
    // Before the attempt begins: block ids of two attempts must never be the same.
    await requests.put(toAccepted(run));
    const decided = await this.#lookForDecision(run);
    if (run.decided && !decided) return { error: givenUpError(run.record.run) };
    if (run.cancelled) return { error: cancelledError() };
    this.#options.onChange(run.record);
    const job: Job = { kind: 'export', activation, record: run.record };
    const tellWaiting = this.#waitingTeller(run.record);
    const onProgress = (progress: RunProgress): void => {
      tellWaiting(progress);
      this.#onProgress(run, progress);
    };
    const process = start(job, { snapshot, onProgress });
    run.to({ at: 'running', since, process });
    const { pid } = process;
    log.info({ run: run.record.run, activation, attempt, pid }, 'run begins');
    if (run.cancelled) process.stop(configuration.daemon.gracePeriod, 'cancelled');
    else if (this.#isForcing) process.stop(LAST_PATIENCE_MS, 'ending');
    return process.ended;
  }

  /** Logs once that an attempt waits for its destination, and once that it continues. */
  #waitingTeller({ run, activation }: RunRecord): (progress: RunProgress) => void {
    const { log } = this.#options;
    let isWaiting = false;
    return ({ waiting }) => {
      if (isWaiting === (waiting !== undefined)) return;
      isWaiting = !isWaiting;
      if (isWaiting) log.warn({ run, activation }, `run waits: ${waiting}`);
      else log.info({ run, activation }, 'run goes on: the destination answers again');
    };
  }

  #onProgress(run: LiveRun, progress: RunProgress): void {
    if (progress.phase === 'publishing' && run.record.state === 'reading') {
      run.record = { ...run.record, state: 'publishing' };
      this.#options.onChange(run.record);
    }
    this.#options.onProgress(run.record, progress);
  }

  async #settle(run: LiveRun, { result, error }: ProcessOutcome): Promise<void> {
    if (result?.kind !== 'export')
      return this.#fail(run, toRunError(error ?? new SluiceError('INTERNAL', 'no result')));
    const { record, recovered, causes, clockAheadMs } = result;
    if (clockAheadMs !== undefined) this.#options.onClockSeen(record.activation, clockAheadMs);
    for (const earlier of recovered) await this.onRecovered(earlier);
    if (isSuccess(record)) return this.#end(run, record);
    if (record.state === 'held') return this.#end(run, record);
    const fields = { run: record.run, activation: record.activation, attempt: record.attempt, causes };
    this.#options.log.warn(
      { ...fields, code: record.error?.code },
      record.error?.message ?? 'the attempt failed',
    );
    await this.#fail(run, record.error!, record);
  }

  /** Takes in a run that a later process has finished. */
  async onRecovered(record: RunRecord): Promise<void> {
    const { queue, history, onEnd, onChange, requests } = this.#options;
    const live = queue.find(record.run);
    history.add(record);
    if (live) {
      live.callOffPause();
      queue.remove(live);
      await requests.drop(record.run);
    }
    onChange(record);
    onEnd(record);
  }

  /** An attempt failed: retry, wait or end. `made` is the process's record, if any. */
  async #fail(run: LiveRun, error: RunError, made?: RunRecord): Promise<void> {
    const { configuration, random } = this.#options;
    const { retry } = configuration.daemon;
    const success = await this.#successOf(run.record);
    if (success) return this.#end(run, success);
    const decided = await this.#lookForDecision(run);
    if (error.code === 'STATE_LOCKED') {
      if (run.cancelled) return this.#end(run, this.#cancelled(run.record));
      // Not a failure: the folder will be free. Nothing was staged for the attempt.
      run.record = { ...run.record, attempt: (run.record.attempt ?? 1) - 1 };
      return this.#wait(run, error, lockedDelayMs(++run.lockedAttempts, random));
    }
    run.lockedAttempts = 0;
    const attempts = this.#withAttempt(run, error);
    // The daemon ends: the next one makes the run.
    if (this.#isForcing && !run.cancelled) {
      const ending = toRunError(
        new SluiceError('SHUTTING_DOWN', 'the daemon ended while the run was under way'),
      );
      return this.#wait(run, undefined, 0, this.#withAttempt(run, ending));
    }
    const failures = countedFailures(attempts);
    const delayMs = retryDelayMs(error, failures, retry, random);
    if (decided) {
      run.unfinished = error;
      await this.#wait(run, unfinishedError(error, run.record.activation), delayMs, attempts);
      if (!error.retryable || failures >= retry.attempts) this.#tellUnfinished(run);
      return;
    }
    if (error.code === 'NAME_UNKNOWN' && !run.cancelled && this.#options.mayReturn(run.record.activation)) {
      const now = this.#options.clock.now().getTime();
      run.missingSince ??= now;
      const leftMs = Math.min(MISSING_MS, run.missingSince + MISSING_MS - now);
      if (leftMs > 0) return this.#wait(run, missingError(error, now + leftMs), leftMs);
    }
    // Where its decision is gone, the next attempt finds that and ends the run.
    run.unfinished = undefined;
    if (error.retryable && (run.decided || failures < retry.attempts) && !run.cancelled) {
      return this.#wait(run, error, delayMs, attempts);
    }
    if (run.cancelled) return this.#end(run, this.#cancelled(made ?? run.record));
    const endedAt = this.#now();
    await this.#end(run, { ...(made ?? blankOf(run.record)), state: 'failed', error, endedAt });
  }

  /** Puts the run back, for another attempt after a while. */
  async #wait(
    run: LiveRun,
    error: RunError | undefined,
    delayMs: number,
    attempts = run.record.attempts,
  ): Promise<void> {
    const { queue, clock, requests, onChange, log } = this.#options;
    const retryAt = new Date(clock.now().getTime() + delayMs).toISOString();
    run.record = {
      ...blankOf(run.record),
      state: 'queued',
      ...(attempts && { attempts }),
      ...(error && { error }),
      ...(delayMs > 0 && { retryAt }),
    };
    if (delayMs > 0 && !this.#isStopping) {
      const callOff = clock.after(delayMs, () => {
        run.to({ at: 'queued' });
        this.dispatch();
      });
      run.to({ at: 'waiting', callOff });
    } else {
      run.to({ at: 'queued' });
    }
    queue.putBack(run);
    onChange(run.record);
    if (error) this.#options.onAttemptFailed(run.record);
    // Without this line the next daemon begins the attempt at once, which is no loss.
    await requests.put(toAccepted(run)).catch(cause => {
      log.error(
        { run: run.record.run, activation: run.record.activation, error: cause },
        'the queue was not written',
      );
    });
  }

  /** The end is recorded, then the request is forgotten, then the next run may begin. */
  async #end(run: LiveRun, seen: RunRecord): Promise<void> {
    run.to({ at: 'ending' });
    return this.#record(run, seen);
  }

  async #record(run: LiveRun, seen: RunRecord): Promise<void> {
    const { queue, history, requests, clock, log, onChange, onEnd } = this.#options;
    const record = isSuccess(seen) ? seen : ((await this.#successOf(seen)) ?? seen);
    const { run: id, activation, state, error, counts } = record;
    try {
      // What has succeeded was recorded by its process before anything else could happen.
      if (isSuccess(record)) history.add(record);
      else await history.keep(record);
    } catch (cause) {
      log.error(
        { run: id, activation, error: cause },
        'the end of a run was not recorded; it is tried again',
      );
      if (this.#isStopping) {
        run.to({ at: 'queued' });
        return queue.runningOf(activation) === run ? queue.putBack(run) : undefined;
      }
      await new Promise<void>(resolve => clock.after(KEEP_AGAIN_MS, resolve));
      return this.#record(run, record);
    }
    run.record = record;
    queue.remove(run);
    await requests.drop(id).catch(cause => {
      // The next start finds it in the history, and drops it then.
      log.error({ run: id, activation, error: cause }, 'the queue was not written');
    });
    const { reason, release } = record;
    const fields = {
      run: id,
      activation,
      state,
      ...(error && { code: error.code }),
      ...(reason && { reason }),
      read: counts.read,
      written: counts.written,
    };
    const why = error?.message ?? release;
    log[state === 'failed' ? 'error' : 'info'](fields, why ? `run ${state}: ${why}` : `run ${state}`);
    onChange(record);
    onEnd(record);
    this.dispatch();
  }

  /** The success may be on record without the daemon having heard of it. */
  async #successOf(record: RunRecord): Promise<RunRecord | undefined> {
    const known = await this.#options.history.recall(record).catch(() => undefined);
    return known && isSuccess(known) ? known : undefined;
  }

  #cancelled(record: RunRecord): RunRecord {
    const error = toRunError(cancelledError());
    return { ...blankOf(record), state: 'cancelled', error, endedAt: this.#now() };
  }

  #givenUp(record: RunRecord): RunRecord {
    const error = toRunError(givenUpError(record.run));
    return { ...blankOf(record), state: 'failed', error, endedAt: this.#now() };
  }

  #tellUnfinished({ record, unfinished }: LiveRun): void {
    const { run, activation } = record;
    const { code, message, hint } = unfinished!;
    this.#options.log.error(
      { run, activation, code },
      unfinishedProblem([run], activation, { message, hint }),
    );
    this.#options.onUnfinished(record);
  }

  #isDecided(record: RunRecord): Promise<boolean> {
    return isDecided(this.#options.configuration.dataDirectory, record);
  }

  /**
   * Whether the run is decided and can no longer be cancelled; the run remembers it.
   */
  async #lookForDecision(run: LiveRun): Promise<boolean> {
    const decided = await this.#isDecided(run.record);
    if (decided) run.noteDecision();
    return decided;
  }

  #withAttempt({ record, attemptStartedAt }: LiveRun, error: RunError): readonly RunAttempt[] {
    return withAttempt(record, { startedAt: attemptStartedAt, endedAt: this.#now(), error });
  }

  #now(): string {
    return this.#options.clock.now().toISOString();
  }
}

/** An end of the daemon is no failure of the run. */
function countedFailures(attempts: readonly RunAttempt[]): number {
  return attempts.filter(({ error }) => error.code !== 'SHUTTING_DOWN').length;
}

function missingError(error: RunError, untilMs: number): RunError {
  const until = new Date(untilMs).toISOString();
  const message = `${error.message}; a reload took it away, and the run waits until ${until} for one that brings it back`;
  return { ...error, message };
}

function cancelledError(): SluiceError {
  return new SluiceError('CANCELLED', 'the run was cancelled', { stage: 'run' });
}
