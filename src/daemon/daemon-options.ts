import type { DaemonClock } from '../clock.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { RunRecord } from '../history/run-record.ts';
import type { RunProgress } from '../run/export-run.ts';
import type { Configuration } from './configuration.ts';
import type { DocumentStore, FollowTarget, Log, Scheduler, ScheduleTarget, Warnings } from './parts.ts';
import type { RunProgram } from './processes/run-process.ts';

export interface DaemonOptions {
  /** Reads the configuration; also at each reload. */
  readonly load: () => LoadedConfig;
  readonly version: string;
  readonly log: Log;
  readonly clock?: DaemonClock;
  readonly random?: () => number;
  /** What runs are made with. */
  readonly program?: RunProgram;
  readonly createWarnings?: (parts: DaemonParts) => Warnings;
  readonly createScheduler?: (parts: DaemonParts, target: ScheduleTarget & FollowTarget) => Scheduler;
  readonly observer?: DaemonObserver;
}

/** What the parts beside the daemon are made of. */
export interface DaemonParts {
  readonly configuration: Configuration;
  readonly documents: DocumentStore;
  readonly clock: DaemonClock;
  readonly log: Log;
}

/** Is told what happens, for metrics. */
export interface DaemonObserver {
  /** An attempt came to nothing, and another follows. */
  attemptFailed?(record: RunRecord): void;
  runEnded?(record: RunRecord): void;
  runProgressed?(record: RunRecord, progress: RunProgress): void;
  /** A configuration holds from now on. */
  configured?(configuration: Configuration): void;
}
