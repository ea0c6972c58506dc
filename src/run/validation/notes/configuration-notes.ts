import type { CheckedConfig } from '../../../config/checked-config.ts';
import type { DeepReadonly } from '../../../config/deep-freeze.ts';
import { machineMemoryBytes, runMemoryBytes } from '../../../config/machine-memory.ts';
import { type Note, note, withoutIgnored } from '../../../config/schema/note-kinds.ts';
import type { Config } from '../../../config/schema/schema.ts';
import { type ConfigProblem, showPlace } from '../../../config/tree/located-tree.ts';

/**
 * What works and should be known of the configuration as a whole, without what it
 * ignores.
 */
export function configurationNotes(
  { config, unset }: CheckedConfig,
  machineBytes: number = machineMemoryBytes(),
): Note[] {
  return withoutIgnored([...unsetNotes(unset), ...memoryNotes(config, machineBytes)], config.notes);
}

function unsetNotes(unset: readonly ConfigProblem[]): Note[] {
  return unset.map(problem =>
    note('REFERENCE_UNSET', `${showPlace(problem)} ${problem.key} ${problem.message}`),
  );
}

function memoryNotes({ daemon, activations }: DeepReadonly<Config>, machineBytes: number): Note[] {
  const { concurrency } = daemon;
  const runBytes = runMemoryBytes(daemon, machineBytes);
  const found: Note[] = [];
  if (concurrency * runBytes > machineBytes) {
    const taken = `${concurrency} ${concurrency === 1 ? 'run' : 'runs'} at a time of ${mebibytes(runBytes)} each`;
    const message = `${taken} are more than the ${mebibytes(machineBytes)} that the machine or container has: the system may end runs, or the daemon, before daemon.runMemory does`;
    found.push(note('MEMORY_EXCEEDED', message));
  }
  const larger = Object.entries(activations)
    .filter(([, { runType, stateMemory }]) => runType === 'full_then_delta' && stateMemory > runBytes)
    .map(([name]) => name);
  if (larger.length > 0) {
    const message = `stateMemory of ${larger.join(', ')} is more than a run of the daemon may take in all, ${mebibytes(runBytes)}`;
    found.push(
      note(
        'MEMORY_EXCEEDED',
        message,
        'lower stateMemory, lower daemon.concurrency, or raise daemon.runMemory',
      ),
    );
  }
  return found;
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 1024 ** 2)} MiB`;
}
