import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ParameterSet } from '../config/parameters/parameter-set.ts';
import type { BoundParameters } from '../config/parameters/parameter-types.ts';
import {
  activationFolder,
  activationsFolder,
  baselineFolder,
  historyFolder,
  lockPath,
  runsFolder,
  setsFolder,
} from '../disk/data-directory.ts';
import { makeFolder, writeDurably } from '../disk/durable-file.ts';
import { type FolderLock, lockFolder } from '../disk/folder-lock.ts';
import { syncFolder } from '../disk/sync-folder.ts';
import { checkFolder, nearestExisting } from '../disk/usable-folder.ts';
import { SluiceError, type SluiceErrorOptions } from '../errors.ts';
import { DiskJournal, type Journal } from '../publish/journal.ts';
import { stateError } from '../system-errors.ts';
import { BaselinePlace } from './baseline-place.ts';
import { exists, writing } from './state-io.ts';

/** The values that a set of parameters has, in its folder. */
const VALUES_FILE = 'values.json';

/**
 * The folder of one activation, locked: baselines, journal and history belong to whoever
 * has it open. The lock is not that of a baseline, so that it also holds while one is
 * closed, copied or replaced.
 */
export class StateFolder {
  readonly path: string;
  readonly historyPath: string;
  readonly journal: Journal;
  readonly #setsPath: string;
  readonly #lock: FolderLock;

  private constructor(dataDirectory: string, activation: string, lock: FolderLock) {
    this.path = activationFolder(dataDirectory, activation);
    this.historyPath = historyFolder(dataDirectory, activation);
    this.journal = new DiskJournal(runsFolder(dataDirectory, activation));
    this.#setsPath = setsFolder(dataDirectory, activation);
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
      await folder.placeOf(undefined).finishReplacement();
      for (const set of await folder.sets()) await folder.placeOf(set).finishReplacement();
      return folder;
    } catch (error) {
      await lock.close();
      throw error;
    }
  }

  /** Where the baseline is; that of a set where there is one for each. */
  placeOf(set: string | undefined): BaselinePlace {
    return new BaselinePlace(set === undefined ? this.path : join(this.#setsPath, set));
  }

  /** Makes the folder of a set, which says what its values are. */
  async makeSet({ name, values }: ParameterSet): Promise<void> {
    const path = join(this.#setsPath, name);
    if (await exists(join(path, VALUES_FILE))) return;
    await writing('making the folder of the baseline', async () => {
      await makeFolder(path);
      await writeDurably(join(path, VALUES_FILE), `${JSON.stringify(values)}\n`);
    });
  }

  /** Names of the sets that have a folder. */
  sets(): Promise<string[]> {
    return setsIn(this.#setsPath);
  }

  /** Removes what there is of a set without a baseline, but for a note of its reset. */
  async forgetSet(set: string): Promise<void> {
    const place = this.placeOf(set);
    await place.removeBaseline();
    if (await place.wasReset()) return;
    await writing('removing the folder of a baseline', () =>
      rm(place.path, { recursive: true, force: true }),
    );
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

  async close(): Promise<void> {
    await this.#lock.close();
  }
}

/** In order; none where the folder is not there. */
export async function setsIn(path: string): Promise<string[]> {
  try {
    return (await readdir(path)).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw stateError(error, `${path} cannot be read`, { access: 'read' });
  }
}

/** The values of a set; `undefined` where its folder does not say them. */
export async function valuesOfSet(path: string): Promise<BoundParameters | undefined> {
  try {
    return JSON.parse(await readFile(join(path, VALUES_FILE), 'utf8')) as BoundParameters;
  } catch {
    return undefined;
  }
}

/**
 * Rejects where a run could not write what it keeps there. Makes nothing, and opens
 * nothing.
 */
export async function checkDataDirectory(dataDirectory: string, activation: string): Promise<void> {
  const paths = [activationFolder, runsFolder, historyFolder, lockPath, baselineFolder, setsFolder];
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
