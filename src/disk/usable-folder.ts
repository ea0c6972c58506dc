import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * The path, or the nearest folder above it that is there. Rejects with what the system
 * says.
 */
export async function nearestExisting(path: string): Promise<string> {
  try {
    await stat(path);
    return path;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || path === dirname(path)) throw error;
    return nearestExisting(dirname(path));
  }
}

/**
 * Rejects, with what the system says or with ENOTDIR, where it is not a folder that can
 * be read, written and entered.
 */
export async function checkFolder(path: string): Promise<void> {
  if (!(await stat(path)).isDirectory())
    throw Object.assign(new Error(`ENOTDIR: not a directory, '${path}'`), { code: 'ENOTDIR', path });
  await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
}
