import { openDestination } from '../assemble.ts';
import { SluiceError } from '../errors.ts';
import type { Destination } from '../sinks/sink.ts';
import { backupPrefix } from './back-up-state.ts';
import { type BackupDescriptor, backupsAmong, descriptorFolder, findBackup } from './backup-files.ts';
import { boundTo, type StateRequest } from './state-request.ts';

export interface BackupSummary {
  readonly backup: string;
  readonly createdAt: string;
  readonly generation: number;
  /** That made the generation. */
  readonly run: string;
  readonly keys: number;
  readonly bytes: number;
}

export interface BackupList {
  /** The newest first. */
  readonly backups: readonly BackupSummary[];
  /** Whether these are all: without the permission to list there is only the latest. */
  readonly complete: boolean;
}

export interface BackupListRequest extends StateRequest {
  readonly signal: AbortSignal;
}

/**
 * What `state restore --backup` can restore. Rejects with STATE_DAMAGED where the latest
 * is not what was written.
 */
export async function listBackups(request: BackupListRequest): Promise<BackupList> {
  const { signal } = request;
  const activation = await boundTo(request);
  const store = await openDestination(activation.destination, { signal });
  await store.checkAccess();
  const prefix = backupPrefix(activation);
  const find = (backup?: string) => findBackup(store, prefix, { activation: activation.name, backup });
  const ids = await backupIds(store, prefix);
  if (ids === undefined) {
    const latest = await find();
    return { backups: latest === undefined ? [] : [summary(latest)], complete: false };
  }
  const backups: BackupSummary[] = [];
  for (const id of ids) {
    const found = await find(id);
    if (found !== undefined) backups.push(summary(found));
  }
  return { backups, complete: true };
}

/** The newest first; `undefined` where they cannot be listed. */
export async function backupIds(store: Destination, prefix: string): Promise<string[] | undefined> {
  try {
    return backupsAmong(await store.listBlobs(descriptorFolder(prefix)), prefix);
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'DESTINATION_PERMISSION') return undefined;
    throw error;
  }
}

function summary({ backup, createdAt, state, files }: BackupDescriptor): BackupSummary {
  const { generation, run, count } = state;
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return { backup, createdAt, generation, run, keys: count, bytes };
}
