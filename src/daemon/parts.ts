import type { DaemonClock } from '../clock.ts';
import type { ResolvedActivation } from '../config/activation.ts';
import type { RunRecord } from '../history/run-record.ts';
import type { ActiveWarning, LeftOut, Pause } from './operations.ts';

/** What the parts of the daemon are given, and what they promise each other. */

/**
 * Small documents that outlive the daemon. A write is durable and whole when it has
 * resolved.
 */
export interface DocumentStore {
  /**
   * `undefined` where it was never written; rejects with STATE_DAMAGED where it cannot be
   * understood.
   */
  read(name: string): Promise<unknown>;
  write(name: string, content: object): Promise<void>;
  remove(name: string): Promise<void>;
  /** Where it is kept, for messages. */
  placeOf(name: string): string;
}

/** Is told how each write to the data directory went. */
export interface WriteWatch {
  wrote(path: string): void;
  /** The message says what cannot be written. */
  failed(path: string, error: Error): void;
}

/** Structured lines. Every text passes the redactor before it is written. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}
export interface LogFields {
  /** On every line that is about a run. */
  readonly run?: string;
  readonly activation?: string;
  readonly error?: unknown;
  readonly [field: string]: unknown;
}

/** Begins runs by itself, when they are due. */
export interface Scheduler {
  /**
   * Takes the place of what was scheduled before; called at start and at every reload.
   */
  schedule(activations: readonly ResolvedActivation[]): Promise<void>;
  /** When the next run of the activation is due. */
  nextRunAt(activation: string): Date | undefined;
  /** The next instants that are due, whether or not the activation is paused. */
  upcoming(activation: string, count: number): readonly Date[];
  /** Runs that were left out since the start, the newest last. */
  leftOut(activation: string): readonly LeftOut[];
  /** A run has ended, and its record is kept. */
  runEnded?(record: RunRecord): void;
  stop(): void;
}

/** A run of which another one may be the next step. */
export interface Success {
  readonly run: string;
  /** ISO 8601, UTC. */
  readonly endedAt?: string | undefined;
}

/** What is asked for runs that come after others. */
export interface FollowTarget {
  isPaused(activation: string): boolean;
  /** Successes that the history holds, in the order in which they were made. */
  successesOf(activation: string): Promise<readonly Success[]>;
  /**
   * Accepts a run, durably. Asked again for the same success, as after a crash, it makes
   * no second one.
   */
  follow(activation: string, other: string, success: Success): Promise<void>;
}

/** What a scheduler is given; `Target` is whoever makes its runs. */
export interface SchedulerOptions<Target> {
  readonly target: Target;
  readonly clock: DaemonClock;
  readonly documents: DocumentStore;
  readonly log: Log;
}

/** What the scheduler asks of whoever makes runs. */
export interface ScheduleTarget {
  /**
   * Whether a run of the activation is under way or waits: `overlap` decides what then.
   */
  isBusy(activation: string): boolean;
  /**
   * Whether a scheduled run of the activation waits to begin: with `overlap: queue` a
   * second one is left out.
   */
  hasScheduledWaiting(activation: string): boolean;
  isPaused(activation: string): boolean;
  /**
   * Accepts a run, durably. Asked again with the same `dueAt`, as after a crash, it makes
   * no second one: `dueAt` is the idempotency key, with `setBackAt`, when the clock was
   * last set far back: an instant that comes again after that is another.
   */
  trigger(activation: string, dueAt: Date, setBackAt: Date | undefined): Promise<void>;
}

/** Knows which warnings hold, and has those told of that want to be. */
export interface Warnings {
  /** Reads what held when the daemon last ended. */
  open(): Promise<void>;
  /** `previous`: earlier runs of the activation, the newest first. */
  runEnded(
    activation: ResolvedActivation,
    record: RunRecord,
    previous: readonly RunRecord[],
  ): Promise<readonly ActiveWarning[]>;
  /**
   * Runs of the time before the daemon began, the newest first: it may have ended before
   * it told of them.
   */
  caughtUp(activation: ResolvedActivation, runs: readonly RunRecord[]): Promise<void>;
  /** A decided run cannot be finished until somebody fixes what is in its way. */
  unfinished(activation: ResolvedActivation, record: RunRecord): Promise<void>;
  paused(activation: ResolvedActivation, pause: Pause): Promise<void>;
  resumed(activation: ResolvedActivation): Promise<void>;
  /** The clock by which the credentials of the activation's destination expire. */
  clockSeen(activation: string, aheadMs: number): void;
  /** Rules that time alone can break: no success since, SAS expires soon. */
  timePassed(
    activations: readonly ResolvedActivation[],
    lastSuccessAt: (name: string) => Date | undefined,
  ): Promise<void>;
  active(activation: string): readonly ActiveWarning[];
  /** Notifications that could not be delivered, one line each, without a secret. */
  undelivered(): readonly string[];
  /** Stops retrying; what is undelivered is on disk and goes on at the next start. */
  close(): Promise<void>;
}
