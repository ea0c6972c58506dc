/** The shapes of the API's answers: those that the daemon works with. */

import type { ActivationStatus } from '../src/daemon/operations.ts';
import type { RunRecord } from '../src/history/run-record.ts';

export type { CallerAnswer as Me } from '../src/daemon/api/schemas/caller-schema.ts';
export type {
  ActivationConfiguration,
  ActiveWarning,
  Health,
  RecentRun,
  ReloadOutcome,
} from '../src/daemon/operations.ts';
export type { RunCounts, RunError, RunFile, RunRecord } from '../src/history/run-record.ts';
export type { RunState } from '../src/history/run-state.ts';
export type { RunProgress } from '../src/run/export-run.ts';
export type { Preview } from '../src/run/preview.ts';
export type { ValidationReport } from '../src/run/validation/validation-report.ts';
export type { SampledRow } from '../src/transforms/change-sampler.ts';

/** As lists and streams have it. */
export type ListedRun = Omit<RunRecord, 'files' | 'sample'>;

export type Activation = Omit<ActivationStatus, 'lastRun'> & { readonly lastRun?: ListedRun };

export interface RunPage {
  readonly runs: readonly RunRecord[];
  readonly more: boolean;
  readonly next?: string;
}
