import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from './sync-folder.ts';

/**
 * Makes a folder, with those above it that are not there, so that a power cut takes none
 * of them away again.
 */
export async function makeFolder(path: string, mode = 0o700): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode });
  if (first === undefined) return;
  // Each new name stands in the folder above.
  for (let made = path; ; made = dirname(made)) {
    await syncFolder(dirname(made));
    if (made === first) return;
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
