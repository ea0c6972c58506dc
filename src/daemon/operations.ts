import type { ResolvedTable } from '../config/activation.ts';
import type { RunCounts, RunError, RunRecord } from '../history/run-record.ts';
import type { RunState } from '../history/run-state.ts';
import type { RunProgress } from '../run/export-run.ts';
import type { Plan } from '../run/plan/plan-activation.ts';
import type { Preview } from '../run/preview.ts';
import type { Validation } from '../run/validation/validate.ts';

/**
 * What can be asked of the daemon: the one contract between those who ask (HTTP,
 * scheduler, signals) and what carries it out (`Daemon`).
 *
 * What the world can cause rejects with a `SluiceError`: an unknown activation with
 * NAME_UNKNOWN, an unknown run with RUN_UNKNOWN, a trigger while the daemon ends with
 * SHUTTING_DOWN, one of a paused activation with ACTIVATION_PAUSED.
 */
export interface Operations {
  /**
   * Accepts a run. When this resolves the request is on disk: whatever ends the daemon,
   * the run is made, once. The same `idempotencyKey` for the same activation answers the
   * run that it first made, for as long as the history holds it, which is a day at least;
   * with other options it rejects with IDEMPOTENCY_KEY_REUSED.
   */
  trigger(request: TriggerRequest): Promise<Triggered>;

  /** The run as it stands. */
  run(id: string): Promise<RunRecord>;
  /**
   * Runs, the newest first; also those of an activation that was removed from the
   * configuration.
   */
  runs(query: RunQuery): Promise<RunPage>;
  /**
   * The run as soon as it has ended, or as it stands after `timeoutMs` or when `signal`
   * aborts.
   */
  wait(id: string, options: { readonly timeoutMs: number; readonly signal: AbortSignal }): Promise<RunRecord>;
  /**
   * A queued run ends at once. One that is under way is asked to stop, and forced after a
   * while; one that is decided is finished all the same. Resolves with the run as it then
   * stands; one that has ended is left as it is.
   */
  cancel(id: string): Promise<RunRecord>;
  /** Calls `listener` at each event of the run, until the returned function is called. */
  observe(id: string, listener: (event: RunEvent) => void): () => void;
  /**
   * Calls `listener` at each event of every run, and whenever an activation stands
   * otherwise than before.
   */
  observeAll(listener: (change: Change) => void): () => void;

  /** Every activation of the configuration, by name. */
  activations(): Promise<readonly ActivationStatus[]>;
  activation(name: string): Promise<ActivationStatus>;
  /** What the activation is made of, and when it is due. */
  configured(name: string): Promise<ActivationConfiguration>;
  validate(name: string, signal: AbortSignal): Promise<Validation>;
  /**
   * Accepts a plan, which waits its turn as a run does. No run of the activation begins
   * while it is under way.
   */
  plan(request: PlanRequested): Promise<PlanRecord>;
  /**
   * The plan as it stands, or with `wait` as `wait` of a run. An unknown one rejects with
   * PLAN_UNKNOWN.
   */
  planned(
    id: string,
    wait?: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<PlanRecord>;
  preview(name: string, options: { readonly rows: number; readonly signal: AbortSignal }): Promise<Preview>;
  /**
   * No run begins until `resume`; those that are queued wait, the one under way goes on.
   */
  pause(name: string, reason?: string): Promise<ActivationStatus>;
  resume(name: string): Promise<ActivationStatus>;

  /**
   * Reads the configuration again. A bad one is refused (CONFIG_INVALID), and the old one
   * stays.
   */
  reload(): Promise<ReloadOutcome>;
  health(): Health;
}

export interface TriggerRequest {
  readonly activation: string;
  readonly trigger: RunRecord['trigger'];
  readonly full?: boolean;
  readonly allowRemovals?: boolean;
  /** Values of the query's parameters, by name; of none that it has PARAMETER_INVALID. */
  readonly params?: Readonly<Record<string, string>>;
  readonly idempotencyKey?: string;
  /** When the schedule that asks was due. */
  readonly scheduledFor?: Date;
}

export interface PlanRequested {
  readonly activation: string;
  readonly full?: boolean;
  readonly params?: Readonly<Record<string, string>>;
  /** Rows to show of each change. */
  readonly rows: number;
}

/** A plan that was asked for, and what came of it. */
export interface PlanRecord {
  readonly plan: string;
  readonly activation: string;
  readonly state: 'queued' | 'reading' | 'succeeded' | 'failed';
  readonly asked: Omit<PlanRequested, 'activation'>;
  /** ISO 8601, UTC. */
  readonly requestedAt: string;
  readonly startedAt?: string;
  readonly endedAt?: string;
  readonly result?: Plan;
  readonly error?: RunError;
}

export interface Triggered {
  readonly record: RunRecord;
  /** False where an earlier request with the same key had made the run. */
  readonly isNew: boolean;
}

export interface RunQuery {
  readonly activation?: string;
  /** Only runs of activations for which it holds. */
  readonly sees?: (activation: string) => boolean;
  readonly states?: readonly RunState[];
  /** Only runs with an id below it: the last id of the page before. */
  readonly before?: string;
  readonly limit: number;
}

export interface RunPage {
  readonly records: readonly RunRecord[];
  /** Whether there are older ones that fit the query. */
  readonly more: boolean;
}

export type RunEvent =
  /** The run has another state, or begins another attempt. */
  | { readonly type: 'state'; readonly record: RunRecord }
  | { readonly type: 'progress'; readonly run: string; readonly progress: RunProgress };

export type Change =
  | RunEvent
  /** It was paused or resumed, or other warnings hold. */
  | { readonly type: 'activation'; readonly name: string }
  /** Activations may have come, gone or changed. */
  | { readonly type: 'configuration' };

export interface ActivationStatus {
  readonly name: string;
  readonly model: string;
  readonly segment?: string;
  readonly destination: string;
  readonly format: string;
  readonly runType: RunRecord['runType'];
  readonly syncMode: RunRecord['syncMode'];
  readonly paused?: Pause;
  /** The run under way, and those that wait. */
  readonly running?: string;
  readonly queued: readonly string[];
  readonly lastRun?: RunRecord;
  /** The last runs that have ended, the newest last. */
  readonly recent: readonly RecentRun[];
  /** When a run last succeeded; ISO 8601, UTC. */
  readonly lastSuccessAt?: string;
  /** When the next scheduled run is due; ISO 8601, UTC. Absent without a schedule. */
  readonly nextRunAt?: string;
  /** Warnings that hold now. */
  readonly warnings: readonly ActiveWarning[];
}

/** A run that has ended, in short. */
export interface RecentRun
  extends Pick<RunRecord, 'run' | 'state' | 'startedAt'>,
    Pick<RunCounts, 'added' | 'updated' | 'removed' | 'written' | 'bytes'> {
  readonly seconds?: number;
}

export interface ActivationConfiguration {
  readonly activation: string;
  readonly source: string;
  /**
   * The query of the model. Absent where there is a table in its place, or the source
   * takes none.
   */
  readonly sql?: string;
  readonly table?: ResolvedTable;
  /** The filter of the segment. */
  readonly where?: string;
  readonly primaryKey: readonly string[];
  /**
   * Where files go, without credentials, with a slash at the end; the name of a file
   * follows.
   */
  readonly url: string;
  readonly fileName: string;
  readonly schedule: readonly ScheduleEntry[];
  /** The next instants that are due; ISO 8601, UTC. */
  readonly upcoming: readonly string[];
  /** Scheduled runs that were left out since the daemon began, the newest last. */
  readonly leftOut: readonly LeftOut[];
  /** Every setting, with defaults; secrets are hidden. */
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface ScheduleEntry {
  /** As it is configured. */
  readonly entry: string;
  readonly words: string;
}

export interface LeftOut {
  /** ISO 8601, UTC. */
  readonly dueAt: string;
  readonly reason: string;
}

export interface Pause {
  readonly by: 'user' | 'failures';
  /** ISO 8601, UTC. */
  readonly since: string;
  readonly reason: string;
}

/**
 * A warning of an activation, from the run that raised it to the one that finds it gone.
 */
export interface ActiveWarning {
  readonly code: string;
  readonly message: string;
  /** ISO 8601, UTC. */
  readonly since: string;
  /** The run that raised it, where a run did. */
  readonly run?: string;
}

export interface ReloadOutcome {
  /** Names of activations that are new, gone, or otherwise. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
  /**
   * Settings of the section `daemon` that are otherwise, such as `daemon.concurrency`.
   */
  readonly settings: readonly string[];
  /** Those of them that hold from the next start on only. */
  readonly needsRestart: readonly string[];
}

export interface Health {
  readonly state: 'starting' | 'ready' | 'stopping';
  readonly version: string;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly running: number;
  readonly queued: number;
  /**
   * What is wrong and does not keep the daemon from working, such as a notification that
   * cannot be delivered.
   */
  readonly problems: readonly string[];
}
