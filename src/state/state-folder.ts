import { rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Baseline } from '../baseline/baseline.ts';
import {
  activationFolder,
  activationsFolder,
  baselineFolder,
  historyFolder,
  lockPath,
  runsFolder,
} from '../disk/data-directory.ts';
import { makeFolder, writeDurably } from '../disk/durable-file.ts';
import { type FolderLock, lockFolder } from '../disk/folder-lock.ts';
import { syncFolder } from '../disk/sync-folder.ts';
import { checkFolder, nearestExisting } from '../disk/usable-folder.ts';
import { SluiceError, type SluiceErrorOptions } from '../errors.ts';
import { DiskJournal, type Journal } from '../publish/journal.ts';
import { stateError } from '../system-errors.ts';

const RESET_FILE = 'reset';

/**
 * The folder of one activation, locked: baseline, journal and history belong to whoever
 * has it open. The lock is not the baseline's own, so that it also holds while the
 * baseline is closed, copied or replaced.
 *
 * A baseline is replaced by renames, of which each leaves something that the next `open`
 * goes on from:
 *
 *   baseline.download   being put together; what a crash leaves of it is removed
 *   baseline.restored   complete and checked. From this rename on the replacement is decided
 *   baseline.replaced   the old one, kept until the new one is in its place
 */
export class StateFolder {
  readonly path: string;
  readonly baselinePath: string;
  readonly historyPath: string;
  readonly journal: Journal;
  readonly #lock: FolderLock;

  private constructor(dataDirectory: string, activation: string, lock: FolderLock) {
    this.path = activationFolder(dataDirectory, activation);
    this.baselinePath = baselineFolder(dataDirectory, activation);
    this.historyPath = historyFolder(dataDirectory, activation);
    this.journal = new DiskJournal(runsFolder(dataDirectory, activation));
    this.#lock = lock;
  }

  /**
   * Creates the folder where there is none. Rejects with a `FolderLockedError` where
   * another process has it open; that one is told `holder`, which says who opens it here.
   */
  static async open(dataDirectory: string, activation: string, holder: string): Promise<StateFolder> {
    const path = activationFolder(dataDirectory, activation);
    try {
      await makeFolder(historyFolder(dataDirectory, activation));
      // Also those that a killed process made and did not come to sync.
      for (const made of [path, activationsFolder(dataDirectory), dataDirectory]) await syncFolder(made);
    } catch (cause) {
      throw stateError(cause, `the data directory ${dataDirectory} cannot be used`);
    }
    const lock = await lockFolder(lockPath(dataDirectory, activation), holder);
    try {
      const folder = new StateFolder(dataDirectory, activation, lock);
      await folder.#finishReplacement();
      await rm(folder.downloadPath, { recursive: true, force: true });
      return folder;
    } catch (error) {
      await lock.close();
      throw error;
    }
  }

  /** Where a baseline is put together that is to replace the present one. */
  get downloadPath(): string {
    return join(this.path, 'baseline.download');
  }

  async openBaseline(): Promise<Baseline> {
    // LevelDB would make it too, but a power cut could then take it away with all that
    // was applied to it.
    await writing('making the folder of the baseline', () => makeFolder(this.baselinePath));
    return Baseline.open(this.baselinePath);
  }

  /**
   * Runs that are decided and not finished: they will be applied to the baseline that is
   * there now, and to no other.
   */
  async decidedRuns(): Promise<string[]> {
    const decided: string[] = [];
    // Also one whose decision cannot be read.
    for (const run of await this.journal.list())
      if (await exists(this.journal.path(run, 'commit.json'))) decided.push(run);
    return decided;
  }

  /**
   * Puts what is at `downloadPath`, which must be complete, checked and on disk, in the
   * place of the baseline.
   */
  async replaceBaseline(): Promise<void> {
    await writing('replacing the baseline', async () => {
      await rename(this.downloadPath, this.#restoredPath);
      await syncFolder(this.path);
    });
    await this.#finishReplacement();
  }

  /**
   * Removes the baseline, whether it can be opened or not. A crash leaves it whole or
   * gone.
   */
  async removeBaseline(): Promise<void> {
    await writing('replacing the baseline', async () => {
      if (!(await exists(this.baselinePath))) return;
      await rm(this.#replacedPath, { recursive: true, force: true });
      await rename(this.baselinePath, this.#replacedPath);
      await syncFolder(this.path);
      await rm(this.#replacedPath, { recursive: true, force: true });
    });
  }

  /**
   * That the destination knows a baseline, and this folder has none, is meant from now
   * on.
   */
  async noteReset(): Promise<void> {
    await writing('noting the reset', () => writeDurably(join(this.path, RESET_FILE), ''));
  }

  async wasReset(): Promise<boolean> {
    return exists(join(this.path, RESET_FILE));
  }

  /** There is a baseline again: should it be lost, that is not meant. */
  async forgetReset(): Promise<void> {
    await writing('forgetting a reset', () => rm(join(this.path, RESET_FILE), { force: true }));
  }

  async close(): Promise<void> {
    await this.#lock.close();
  }

  get #restoredPath(): string {
    return join(this.path, 'baseline.restored');
  }

  get #replacedPath(): string {
    return join(this.path, 'baseline.replaced');
  }

  async #finishReplacement(): Promise<void> {
    const replaced = this.#replacedPath;
    await writing('replacing the baseline', async () => {
      if (await exists(this.#restoredPath)) {
        // Absent where the crash came between the two renames: then the old one is aside
        // already, and stays there.
        if (await exists(this.baselinePath)) {
          await rm(replaced, { recursive: true, force: true });
          await rename(this.baselinePath, replaced);
        }
        await rename(this.#restoredPath, this.baselinePath);
        await syncFolder(this.path);
      }
      await rm(replaced, { recursive: true, force: true });
    });
  }
}

/**
 * Rejects where a run could not write what it keeps there. Makes nothing, and opens
 * nothing.
 */
export async function checkDataDirectory(dataDirectory: string, activation: string): Promise<void> {
  const paths = [activationFolder, runsFolder, historyFolder, lockPath, baselineFolder];
  const needed = paths.map(pathOf => pathOf(dataDirectory, activation));
  try {
    await checkFolder(await nearestExisting(dataDirectory));
    for (const path of [activationsFolder(dataDirectory), ...needed])
      if (await exists(path)) await checkFolder(path);
  } catch (cause) {
    throw stateError(cause, `the data directory ${dataDirectory} cannot be used`);
  }
}

/** The error that refuses what must not happen to a baseline under a decided run. */
export function pendingError(
  doing: string,
  name: string,
  decided: readonly string[],
  options: Pick<SluiceErrorOptions, 'hint' | 'retryable'> = {},
): SluiceError {
  const message = `${name} cannot be ${doing}: run ${decided.join(', ')} is decided and not finished`;
  return new SluiceError('STATE_STALE', message, {
    stage: 'state',
    hint: `\`sluice run ${name}\` finishes it first`,
    ...options,
  });
}

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw stateError(error, `${path} cannot be read`, { access: 'read' });
  }
}

async function writing<T>(doing: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    throw stateError(cause, `${doing} failed`);
  }
}
