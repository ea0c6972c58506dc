import { mkdir, open, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from './sync-folder.ts';
import { nearestExisting } from './usable-folder.ts';

/**
 * Makes a folder, with those above it that are not there, so that a power cut takes none
 * of them away again. Each is made by a call of its own: the recursive one of Node.js
 * says ENOENT for a disk that is mounted read-only, and tries for ever where a folder
 * cannot be.
 */
export async function makeFolder(path: string, mode = 0o700): Promise<void> {
  const there = await nearestExisting(path);
  // It may be a file.
  if (there === path) return makeOne(path, mode);
  const missing: string[] = [];
  for (let at = path; at !== there; at = dirname(at)) missing.push(at);
  for (const folder of missing.toReversed()) await makeOne(folder, mode);
  // Each new name stands in the folder above.
  for (const folder of missing) await syncFolder(dirname(folder));
}

async function makeOne(folder: string, mode: number): Promise<void> {
  try {
    await mkdir(folder, { mode });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Another process may have been faster.
    const isThere = code === 'EEXIST' && (await stat(folder).catch(() => undefined))?.isDirectory();
    if (!isThere) throw error;
  }
}

export interface DurableFileOptions {
  /** Where it is put together, on the same disk; beside the file unless told. */
  readonly temporary?: string;
}

/**
 * Writes a small file that is there whole or, after a crash or power cut, not at all, and
 * durable when it resolves.
 */
export async function writeDurably(
  path: string,
  text: string,
  { temporary = `${path}.tmp` }: DurableFileOptions = {},
): Promise<void> {
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncFolder(dirname(path));
}
