import { readFileSync } from 'node:fs';
import { mkdir, realpath, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Level } from 'level';
import { SluiceError } from '../errors.ts';
import { openError } from './level-error.ts';

export interface FolderLock {
  close(): Promise<void>;
}

/**
 * Who has a folder: for messages. It may be missing for an instant after the lock was
 * taken.
 */
export interface LockHolder {
  /** As in "run 20250414-070000-123-k3f9ab of the daemon". */
  readonly what: string;
  readonly pid: number;
  /** ISO 8601, UTC. */
  readonly since: string;
}

/** STATE_LOCKED, with who has the lock. */
export class FolderLockedError extends SluiceError {
  readonly holder: LockHolder | undefined;

  constructor(directory: string, holder: LockHolder | undefined, cause: unknown) {
    const who = holder === undefined ? 'another process' : describeHolder(holder);
    super('STATE_LOCKED', `${dirname(directory)} is in use by ${who}`, {
      cause,
      stage: 'state',
      hint: 'wait until that has ended; `sluice runs`, `show`, `state show` and `validate` work meanwhile',
    });
    this.holder = holder;
  }
}

export function describeHolder({ what, pid, since }: LockHolder): string {
  return `${what} (process ${pid}, since ${since})`;
}

/**
 * What this process has locked, by real paths. LevelDB would refuse it as well, but it
 * opens and closes the file of the lock for that, and a process that closes any
 * descriptor of a file loses its lock.
 */
const lockedHere = new Set<string>();

/**
 * Keeps other processes, and other callers in this one, out of what the folder stands for
 * until it is closed; the system does that for a process that ends. `what` says to others
 * who that is. Rejects with a `FolderLockedError`.
 */
export async function lockFolder(directory: string, what: string): Promise<FolderLock> {
  const real = await realFolder(directory);
  if (lockedHere.has(real)) throw new FolderLockedError(directory, holderOf(directory), undefined);
  lockedHere.add(real);
  const lock = new Level(directory);
  try {
    await lock.open();
  } catch (cause) {
    await lock.close().catch(() => {});
    lockedHere.delete(real);
    const error = openError(directory, cause);
    throw error.code === 'STATE_LOCKED'
      ? new FolderLockedError(directory, holderOf(directory), cause)
      : error;
  }
  const path = holderPath(directory);
  const holder: LockHolder = { what, pid: process.pid, since: new Date().toISOString() };
  // The lock holds without it, also where nothing can be written.
  await writeFile(path, JSON.stringify(holder), { mode: 0o600 }).catch(() => {});
  return {
    close: async () => {
      await rm(path, { force: true }).catch(() => {});
      await lock.close().finally(() => lockedHere.delete(real));
    },
  };
}

async function realFolder(directory: string): Promise<string> {
  try {
    await mkdir(directory, { recursive: true });
    return await realpath(directory);
  } catch {
    return directory; // LevelDB is refused as well, and says why
  }
}

function holderPath(directory: string): string {
  return join(directory, 'holder.json');
}

function holderOf(directory: string): LockHolder | undefined {
  try {
    const { what, pid, since } = JSON.parse(readFileSync(holderPath(directory), 'utf8')) as LockHolder;
    const isHolder = typeof what === 'string' && Number.isSafeInteger(pid) && typeof since === 'string';
    return isHolder ? { what, pid, since } : undefined;
  } catch {
    return undefined;
  }
}
