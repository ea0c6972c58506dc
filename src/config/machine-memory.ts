/** How much memory there is, and how much of it a run may take. */

import { totalmem } from 'node:os';

const MIB = 1024 ** 2;
/** What the daemon itself needs, roughly. */
export const DAEMON_BYTES = 256 * MIB;
const MOST_BYTES = 4096 * MIB;
export const LEAST_RUN_MEMORY_BYTES = 64 * MIB;

/** Memory of the container where it has a limit, else of the machine. */
export function machineMemoryBytes(): number {
  const total = totalmem();
  // Without a limit this is 0 or larger than the machine.
  const limit = process.constrainedMemory();
  return limit > 0 && limit < total ? limit : total;
}

/** `daemon.runMemory`, or what there is divided among the runs at a time. */
export function runMemoryBytes(
  { runMemory, concurrency }: { readonly runMemory?: number; readonly concurrency: number },
  machineBytes: number = machineMemoryBytes(),
): number {
  if (runMemory !== undefined) return runMemory;
  const share = Math.floor((machineBytes - DAEMON_BYTES) / concurrency);
  return Math.min(MOST_BYTES, Math.max(LEAST_RUN_MEMORY_BYTES, share));
}
