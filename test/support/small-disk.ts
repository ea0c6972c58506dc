import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A disk of so many bytes in memory, and what takes it away; `undefined` where mounting
 * is not permitted.
 */
export function mountSmallDisk(
  bytes: number,
): { readonly path: string; readOnly(): void; unmount(): void } | undefined {
  const path = mkdtempSync(join(tmpdir(), 'sluice-small-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path], { stdio: 'ignore' });
  } catch {
    rmdirSync(path);
    return undefined;
  }
  return {
    path,
    readOnly: () => execFileSync('mount', ['-o', 'remount,ro', path]),
    unmount: () => {
      execFileSync('umount', [path]);
      rmdirSync(path);
    },
  };
}

/** Leaves so many bytes free, by a file that takes the rest. */
export function fillDisk(file: string, leftBytes: number): void {
  const { bavail, bsize } = statfsSync(join(file, '..'));
  const bytes = bavail * bsize - leftBytes;
  if (bytes <= 0) throw new Error('the small disk is too full already');
  writeFileSync(file, Buffer.alloc(bytes));
}
