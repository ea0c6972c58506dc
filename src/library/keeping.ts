/** What is kept from run to run, for programs: the baseline and the history. */

import { type ListRunsOptions, listRuns as list, type RunList } from '../history/record-files.ts';
import {
  type BackupRequest as BackingUp,
  type BackupReport,
  backupState as backUp,
} from '../state/back-up-state.ts';
import {
  type BackupList,
  listBackups as backups,
  type BackupListRequest as Listing,
} from '../state/list-backups.ts';
import {
  type ResetReport,
  type ResetRequest as Resetting,
  resetState as reset,
} from '../state/reset-state.ts';
import {
  type RestoreReport,
  type RestoreRequest as Restoring,
  restoreState as restore,
} from '../state/restore-state.ts';
import { type Abortable, signalOf } from './optional.ts';

const LISTED_RUNS = 100;

export interface RunsRequest extends Omit<ListRunsOptions, 'limit'> {
  /** At most so many; default 100. */
  readonly limit?: number;
}

/** Runs that a data directory remembers, the newest first. Runs may be under way. */
export function listRuns(request: RunsRequest): Promise<RunList> {
  return list({ ...request, limit: request.limit ?? LISTED_RUNS });
}

export interface ResetRequest extends Pick<Resetting, 'activation' | 'params' | 'allSets'> {
  /** Give up runs that are decided and not finished, and keep the baseline. */
  readonly abandonDecided?: boolean;
}

/**
 * Removes the baseline: the next run exports every row. Rejects with STATE_STALE while a
 * decided run is not finished.
 */
export function resetState(request: ResetRequest): Promise<ResetReport> {
  return reset({ ...request, abandonDecided: request.abandonDecided ?? false });
}

export interface BackupRequest extends Abortable, Pick<BackingUp, 'activation' | 'params'> {
  /** Make this the latest backup, though there is one of a later generation. */
  readonly force?: boolean;
}

/** Backs the baseline up to the destination. */
export function backupState(request: BackupRequest): Promise<BackupReport> {
  return backUp({ ...request, force: request.force ?? false, signal: signalOf(request) });
}

export interface BackupListRequest extends Abortable, Pick<Listing, 'activation' | 'params'> {}

/** What `restoreState` can restore. */
export function listBackups(request: BackupListRequest): Promise<BackupList> {
  return backups({ ...request, signal: signalOf(request) });
}

export interface RestoreRequest extends Abortable, Pick<Restoring, 'activation' | 'params' | 'backup'> {
  /** Restore though the destination, or the local state, has moved on since. */
  readonly force?: boolean;
}

/**
 * Puts a backup in the place of the baseline. Rejects with STATE_STALE where the
 * destination or the local state is ahead of it, with STATE_DAMAGED where it is not
 * whole.
 */
export function restoreState(request: RestoreRequest): Promise<RestoreReport> {
  return restore({ ...request, force: request.force ?? false, signal: signalOf(request) });
}
