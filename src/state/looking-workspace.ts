import { mkdir, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Baseline } from '../baseline/baseline.ts';
import { activationFolder, BASELINE } from '../disk/data-directory.ts';
import type { Journal } from '../publish/journal.ts';
import { stateError } from '../system-errors.ts';
import { copyBaseline, removeAbandoned, snapshotPath } from './baseline-links.ts';
import { checkRoomForSet } from './room-for-set.ts';
import { pendingError, StateFolder } from './state-folder.ts';
import { exists } from './state-io.ts';
import { type OpenWorkspace, openBaseline, type WorkspaceOptions } from './workspace.ts';

/**
 * What an activation has on local disk, for a plan: it looks as it does to a run, and
 * nothing of it changes. The baseline is a copy by links, which goes with the plan. Locks
 * the state as a run does. Rejects with STATE_STALE while a decided run is not finished:
 * what a run would be taken against is not known before.
 */
export async function openToLook(
  dataDirectory: string,
  activation: string,
  options: WorkspaceOptions,
): Promise<OpenWorkspace> {
  const path = activationFolder(dataDirectory, activation);
  const isThere = await exists(path);
  const folder = isThere ? await StateFolder.open(dataDirectory, activation, options.holder) : undefined;
  const scratch = snapshotPath(path);
  let madeFirst: string | undefined;
  try {
    if (folder) {
      const decided = await folder.decidedRuns();
      if (decided.length > 0) throw pendingError('planned', activation, decided, { retryable: true });
      await removeAbandoned(path);
    }
    madeFirst = await makeScratch(scratch);
    const { set } = options;
    const place = folder?.placeOf(set?.name);
    const baselinePath = join(scratch, BASELINE);
    if (place && (await exists(place.baselinePath))) await copyBaseline(place.baselinePath, baselinePath);
    const copy = {
      openBaseline: () => Baseline.open(baselinePath),
      removeBaseline: () => rm(baselinePath, { recursive: true, force: true }),
    };
    const baseline = await openBaseline(copy, options.discardDamaged === true);
    return {
      baseline,
      journal: scratchJournal(scratch),
      wasReset: baseline.state === undefined && (await place?.wasReset()) === true,
      checkRoom: async most => {
        if (folder && set && baseline.state === undefined) await checkRoomForSet(folder, set, most);
      },
      // No run is pending.
      withBaselineOf: (_set, act) => act(baseline),
      remember: async () => {},
      recall: async () => undefined,
      close: async () => {
        await baseline.close().catch(() => {});
        await removeScratch(scratch, madeFirst);
        await folder?.close();
      },
    };
  } catch (error) {
    await removeScratch(scratch, madeFirst);
    await folder?.close();
    throw error;
  }
}

/** Returns the first of the folders that had to be made. */
async function makeScratch(scratch: string): Promise<string | undefined> {
  try {
    return await mkdir(scratch, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw stateError(cause, `making the folder ${scratch} failed`);
  }
}

/** Takes away what was made, and folders above it that nobody else has used since. */
async function removeScratch(scratch: string, madeFirst: string | undefined): Promise<void> {
  await rm(scratch, { recursive: true, force: true }).catch(() => {});
  for (let folder = scratch; madeFirst !== undefined && folder !== madeFirst; ) {
    folder = dirname(folder);
    await rmdir(folder).catch(() => {});
  }
}

/** Knows of no run, and keeps nothing but the files that a run sets aside. */
function scratchJournal(scratch: string): Journal {
  return {
    list: async () => [],
    create: async () => {},
    write: async () => {},
    read: async () => undefined,
    path: (_run, file) => join(scratch, file),
    remove: async () => {},
  };
}
