/**
 * A folder in the memory of the machine, where it has enough: servers and data
 * directories of tests take many times as long on a disk, which outlives no test anyway.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { freemem } from 'node:os';
import path from 'node:path';

const MEMORY = '/dev/shm';
/** All tests together take less than a quarter of it. */
const LEAST_BYTES = 8 * 1024 ** 3;

/** `undefined` where there is none that is large enough and that runs programs. */
export function createMemoryFolder(): string | undefined {
  let folder: string | undefined;
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    if (Math.min(bavail * bsize, freemem()) < LEAST_BYTES) return undefined;
    folder = mkdtempSync(path.join(MEMORY, 'sluice-tests-'));
    chmodSync(folder, 0o1777); // servers run as another user
    const program = path.join(folder, 'program');
    writeFileSync(program, '#!/bin/sh\n', { mode: 0o755 });
    if (spawnSync(program).status === 0) return folder;
  } catch {
    // no such folder, or not for us
  }
  if (folder !== undefined) rmSync(folder, { recursive: true });
  return undefined;
}
