import type { RunAttempt, RunError, RunRecord } from '../../history/run-record.ts';
import type { RunProcess } from '../processes/run-process.ts';
import type { AcceptedRun } from './request-log.ts';

/**
 * Where a run stands from its acceptance until its end is in the history. Nothing else is
 * possible:
 *
 *   from        to          when
 *   queued      beginning   it is its turn
 *   queued      ending      it was cancelled or given up
 *   waiting     queued      the pause before the next attempt is over, or called off
 *   beginning   running     the attempt is written down, and its process starts
 *   beginning   settling    it cannot be made
 *   running     settling    its process has ended
 *   settling    waiting     another attempt follows after a pause
 *   settling    queued      another attempt follows at once
 *   settling    ending      the run has ended
 *   ending      queued      the daemon stops before that is in the history
 */
export type Stage =
  | { readonly at: 'queued' }
  | { readonly at: 'waiting'; readonly callOff: () => void }
  | { readonly at: 'beginning'; readonly since: string }
  | { readonly at: 'running'; readonly since: string; readonly process: RunProcess }
  | { readonly at: 'settling'; readonly since: string }
  | { readonly at: 'ending' };

const NEXT: Readonly<Record<Stage['at'], readonly Stage['at'][]>> = {
  queued: ['beginning', 'ending'],
  waiting: ['queued'],
  beginning: ['running', 'settling'],
  running: ['settling'],
  settling: ['waiting', 'queued', 'ending'],
  ending: ['queued'],
};

/** A record keeps at most this many attempts, the newest. */
const ATTEMPTS_TOLD = 20;

/** A run that was accepted and has not ended. */
export class LiveRun {
  record: RunRecord;
  /** Somebody asked for it to stop. */
  cancelled = false;
  /** Why the last attempt to finish the decided run failed. */
  unfinished: RunError | undefined;
  /**
   * When an attempt first found that its activation is not in the configuration; in
   * milliseconds.
   */
  missingSince: number | undefined;
  /** Attempts in a row that met a locked state folder. */
  lockedAttempts = 0;
  #decided = false;
  #stage: Stage = { at: 'queued' };

  constructor(record: RunRecord) {
    this.record = record;
  }

  get stage(): Stage {
    return this.#stage;
  }

  /** Throws where that does not follow on the stage. */
  to(stage: Stage): void {
    const { at } = this.#stage;
    if (!NEXT[at].includes(stage.at))
      throw new TypeError(`run ${this.record.run} is ${at}, and cannot be ${stage.at}`);
    this.#stage = stage;
  }

  /** The next attempt need not wait any longer. */
  callOffPause(): void {
    if (this.#stage.at !== 'waiting') return;
    this.#stage.callOff();
    this.to({ at: 'queued' });
  }

  /** The process of the attempt that is under way. */
  get process(): RunProcess | undefined {
    return this.#stage.at === 'running' ? this.#stage.process : undefined;
  }

  /** When the attempt that is under way began. */
  get attemptStartedAt(): string | undefined {
    return 'since' in this.#stage ? this.#stage.since : undefined;
  }

  /**
   * An attempt got so far that the run can only be finished; or given up, by a command.
   */
  get decided(): boolean {
    return this.#decided;
  }

  /** Nobody can cancel it any more. */
  noteDecision(): void {
    this.#decided = true;
    this.cancelled = false;
  }
}

/** As the log of requests keeps it. */
export function toAccepted({ record, cancelled, decided, attemptStartedAt }: LiveRun): AcceptedRun {
  return {
    record,
    ...(cancelled && { cancelled: true as const }),
    ...(decided && { decided: true as const }),
    ...(attemptStartedAt !== undefined && { attemptStartedAt }),
  };
}

/** With one more attempt that failed. */
export function withAttempt(
  record: RunRecord,
  {
    startedAt = record.startedAt,
    endedAt,
    error,
  }: Omit<RunAttempt, 'startedAt'> & { readonly startedAt?: string | undefined },
): readonly RunAttempt[] {
  return [...(record.attempts ?? []), { startedAt, endedAt, error }].slice(-ATTEMPTS_TOLD);
}
