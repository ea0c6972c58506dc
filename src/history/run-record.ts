import type { ErrorCategory, ErrorCode, ErrorStage } from '../errors.ts';
import type { ChecksumName, Checksums } from '../sinks/sink.ts';
import type { ChangeSample } from '../transforms/change-sampler.ts';
import type { RunState } from './run-state.ts';

/**
 * What is known of a run; the same for logs, history, HTTP and the console. Plain data.
 */
export interface RunRecord {
  readonly run: string;
  readonly activation: string;
  readonly trigger: 'command' | 'schedule' | 'http' | 'library' | 'demo';
  readonly state: RunState;
  readonly runType: 'full_only' | 'full_then_delta';
  readonly syncMode: 'snapshot' | 'upsert' | 'insert' | 'difference';
  /** The local folder that `run --to` named, in the place of the destination. */
  readonly to?: string;
  /**
   * Whether every row was exported rather than the changes since the baseline; before the
   * run has looked at it, whether that was asked for.
   */
  readonly full: boolean;
  /** The generation that the run made, and the one it was taken against; 0 is none. */
  readonly generation: number;
  readonly previousGeneration: number;
  /**
   * ISO 8601, UTC. A run made in several attempts keeps the first one's. Until it begins
   * this is when it was requested.
   */
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly snapshotTime?: string;
  /**
   * How changes were found, where the activation has it that not every row need be read.
   */
  readonly changeDetection?: ChangeDetection;
  /** How the source was read, where `parallel` asks for more than one reader. */
  readonly readers?: Readers;
  /** How the source was read, where that was done by `sluice slice`. */
  readonly slices?: SlicedReading;
  readonly counts: RunCounts;
  readonly files: readonly RunFile[];
  /** Names of the completion files that were written after them. */
  readonly completion?: readonly string[];
  readonly warnings: readonly RunWarning[];
  /** Why the run failed; while it waits for its next attempt, why the last one did. */
  readonly error?: RunError;
  /** Why the run was held, and what releases it. */
  readonly reason?: HeldReason;
  readonly release?: string;
  /** Values of the query's parameters, by name; `null` is NULL. */
  readonly params?: ParameterValues;
  /** The first rows of each change that a run which was held would have published. */
  readonly sample?: ChangeSample;

  // Only in runs that a daemon makes; all instants are ISO 8601, UTC.
  readonly requestedAt?: string;
  /** What was asked for, beside the activation. */
  readonly asked?: RunOptions;
  readonly idempotencyKey?: string;
  /** When the schedule that asked for the run was due. */
  readonly scheduledFor?: string;
  /** The attempt that is under way or was the last, counted from 1. */
  readonly attempt?: number;
  /** Earlier attempts, the newest last; of many the last ones. */
  readonly attempts?: readonly RunAttempt[];
  /** When the next attempt is due, while the run waits for it. */
  readonly retryAt?: string;
}

/** How a run found what has changed. */
export interface ChangeDetection {
  /** `xmin`: only rows were read that were written since the baseline. */
  readonly mode: 'full' | 'xmin';
  /** Why all rows were read, although that is not what was asked for. */
  readonly reason?: string;
  /** Rows that were read, where not all were. */
  readonly candidates?: number;
}

/** How many read the source at once. */
export interface Readers {
  readonly count: number;
  /** Parts of the source that they took one after the other, where there were several. */
  readonly slices?: number;
  /** Bytes that each of these has at the source, about. */
  readonly sliceBytes?: number;
  /** Why there is one, although more were asked for. */
  readonly reason?: string;
}

/** Slices of the source that were read and staged apart. */
export interface SlicedReading {
  readonly count: number;
  /** Each of several was read in a snapshot of its own, so not at one instant. */
  readonly consistency?: 'slice';
  /** Bytes that each of several has at the source, about. */
  readonly sliceBytes?: number;
  /** Those that files have otherwise; they do not follow from those of slices. */
  readonly withoutChecksums?: readonly ChecksumName[];
  /** Why there is one. */
  readonly reason?: string;
  /** Who has read them, where they came from a queue. */
  readonly workers?: readonly SliceWorker[];
}

export interface SliceWorker {
  /** Its host, and the number of its process there. */
  readonly name: string;
  readonly slices: number;
}

export interface RunOptions {
  readonly full?: boolean;
  readonly allowRemovals?: boolean;
  /** Values of parameters, by name. */
  readonly params?: Readonly<Record<string, string>>;
}

export type ParameterValues = Readonly<Record<string, string | null>>;

export interface RunAttempt {
  readonly startedAt: string;
  readonly endedAt: string;
  readonly error: RunError;
}

/**
 * The first two are released by allowing removals, the others by a full run. Never
 * changed.
 */
export type HeldReason = 'SOURCE_EMPTY' | 'REMOVALS_OVER' | 'STATE_LOST' | 'SOURCE_MOVED';

export interface RunCounts {
  readonly read: number;
  readonly added: number;
  readonly updated: number;
  readonly removed: number;
  readonly unchanged: number;
  /** Rows left out for a null or repeated key. */
  readonly skipped: number;
  readonly written: number;
  /** As stored, after compression. */
  readonly bytes: number;
}

export interface RunFile extends Checksums {
  /** Name of the blob in its container. */
  readonly name: string;
  readonly change?: 'added' | 'updated' | 'removed';
  /** Where files are partitioned: the values that all its rows have, by column. */
  readonly partition?: Readonly<Record<string, string | null>>;
  /** Counted from 1. */
  readonly part: number;
  readonly rows: number;
  readonly bytes: number;
  /**
   * Where the run's own rows and bytes begin in a file that it went on with. `rows` and
   * `bytes` count the whole file, the checksums what the run added.
   */
  readonly appended?: { readonly fromRow: number; readonly fromByte: number };
  readonly etag?: string;
}

/** Warnings that a run can carry. Codes never change. */
export type WarningCode =
  | 'COLUMNS_CHANGED'
  | 'DUPLICATE_KEYS'
  | 'NULL_KEYS'
  | 'EMPTY_RESULT'
  | 'FOREIGN_BLOB_OVERWRITTEN'
  | 'DELTA_OVERWRITTEN'
  | 'MANIFESTS_LEFT'
  | 'STALE_PARTS_LEFT'
  | 'COMPLETION_STOOD'
  | 'APPEND_PART_MISSING'
  | 'EXISTS_SKIPPED'
  | 'VALUE_COERCED'
  | 'DESTINATION_RESET'
  | 'STATE_LOST'
  | 'STATE_STALE'
  | 'SOURCE_MOVED'
  | 'SOURCE_FAILED_OVER'
  | 'RECORD_NOT_KEPT'
  | 'HELD'
  | 'REMOVALS_OVER'
  | 'ROWS_DROPPED'
  | 'ROWS_SPIKED'
  | 'SLOW_RUN'
  | 'SAS_EXPIRES'
  | 'CRC64_REFUSED';

export interface RunWarning {
  readonly code: WarningCode;
  readonly message: string;
}

export interface RunError {
  readonly code: ErrorCode;
  readonly category: ErrorCategory;
  readonly stage?: ErrorStage;
  readonly message: string;
  readonly hint: string;
  readonly retryable: boolean;
}

export const NO_COUNTS: RunCounts = {
  read: 0,
  added: 0,
  updated: 0,
  removed: 0,
  unchanged: 0,
  skipped: 0,
  written: 0,
  bytes: 0,
};
