import { copyFile, link, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { newRunId } from '../history/run-id.ts';
import { stateError } from '../system-errors.ts';

const SNAPSHOT = 'snapshot-';

/** A folder beside the baseline, for a copy of it that only this process knows of. */
export function snapshotPath(activationFolder: string): string {
  return join(activationFolder, `${SNAPSHOT}${process.pid}-${newRunId(new Date())}`);
}

/**
 * LevelDB never changes a file with rows once it is written, so a link to it is a copy;
 * the others are small.
 */
export async function copyBaseline(from: string, to: string): Promise<void> {
  try {
    await mkdir(to, { mode: 0o700 });
    for (const name of await readdir(from)) {
      if (/^(?:LOCK|LOG.*)$/.test(name)) continue;
      const paths = [join(from, name), join(to, name)] as const;
      // Not every file system has links.
      if (name.endsWith('.ldb')) await link(...paths).catch(() => copyFile(...paths));
      else await copyFile(...paths);
    }
  } catch (cause) {
    await rm(to, { recursive: true, force: true });
    throw stateError(cause, 'copying the baseline failed');
  }
}

/** Removes copies whose process ended without tidying up. */
export async function removeAbandoned(activationFolder: string): Promise<void> {
  for (const name of await readdir(activationFolder)) {
    const pid = name.startsWith(SNAPSHOT) ? Number.parseInt(name.slice(SNAPSHOT.length), 10) : undefined;
    if (pid !== undefined && !isRunning(pid))
      await rm(join(activationFolder, name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
