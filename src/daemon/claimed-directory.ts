import { dirname, join } from 'node:path';
import { type DaemonClock, SYSTEM_CLOCK } from '../clock.ts';
import type { LoadedConfig } from '../config/load.ts';
import { makeFolder } from '../disk/durable-file.ts';
import { describeHolder, type FolderLock, FolderLockedError, lockFolder } from '../disk/folder-lock.ts';
import { SluiceError } from '../errors.ts';
import { stateError } from '../system-errors.ts';
import { Configuration } from './configuration.ts';
import { WriteProblems } from './write-problems.ts';

/**
 * A data directory that belongs to this daemon and to no other, with the configuration
 * that names it.
 */
export interface DataPlace {
  readonly configuration: Configuration;
  readonly clock: DaemonClock;
  /** The daemon's own folder in it. */
  readonly folder: string;
  /** Everything that writes to the data directory in this process tells it. */
  readonly writeProblems: WriteProblems;
  /** Leaves it to the next daemon. */
  close(): Promise<void>;
}

/**
 * Rejects with CONFIG_INVALID and the like, and with STATE_LOCKED where another daemon
 * has the data directory.
 */
export async function takeDataPlace(
  load: () => LoadedConfig,
  clock: DaemonClock = SYSTEM_CLOCK,
): Promise<DataPlace> {
  const configuration = new Configuration(load);
  const folder = join(configuration.dataDirectory, 'daemon');
  const lock = await lockDaemonFolder(folder);
  const writeProblems = new WriteProblems(clock);
  return { configuration, clock, folder, writeProblems, close: () => lock.close() };
}

async function lockDaemonFolder(folder: string): Promise<FolderLock> {
  try {
    await makeFolder(folder);
  } catch (cause) {
    throw stateError(cause, `the data directory ${dirname(folder)} cannot be used`);
  }
  try {
    return await lockFolder(join(folder, 'lock'), 'the daemon');
  } catch (cause) {
    if (!(cause instanceof FolderLockedError)) throw cause;
    const who = cause.holder === undefined ? '' : `: ${describeHolder(cause.holder)}`;
    throw new SluiceError('STATE_LOCKED', `another daemon serves the data directory of ${folder}${who}`, {
      cause,
      stage: 'state',
      hint: 'stop it first, or give this one a dataDirectory of its own',
    });
  }
}
