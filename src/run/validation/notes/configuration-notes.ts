import type { CheckedConfig } from '../../../config/checked-config.ts';
import type { DeepReadonly } from '../../../config/deep-freeze.ts';
import { DAEMON_BYTES, machineMemoryBytes, runMemoryBytes } from '../../../config/machine-memory.ts';
import { type Note, note, withoutIgnored } from '../../../config/schema/note-kinds.ts';
import type { Config } from '../../../config/schema/schema.ts';
import { type ConfigProblem, showPlace } from '../../../config/tree/located-tree.ts';
import { DEFAULT_BLOCKS_IN_FLIGHT } from '../../../sinks/block-stager.ts';
import { rollPolicy } from '../../../sinks/roll-policy.ts';

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
  if (concurrency * runBytes + DAEMON_BYTES > machineBytes) {
    const taken = `${concurrency} ${concurrency === 1 ? 'run' : 'runs'} at a time of ${mebibytes(runBytes)} each`;
    const message = `${taken}, beside the ${mebibytes(DAEMON_BYTES)} of the daemon, are more than the ${mebibytes(machineBytes)} that the machine or container has: the system may end runs, or the daemon, before daemon.runMemory does`;
    found.push(note('MEMORY_EXCEEDED', message));
  }
  const needs = Object.entries(activations).map(([name, activation]) => ({
    name,
    bytes: PROCESS_BYTES + bytesOf(activation),
  }));
  const larger = needs.filter(({ bytes }) => bytes > runBytes);
  if (larger.length > 0) {
    const names = larger.map(({ name }) => name).join(', ');
    const most = mebibytes(Math.max(...larger.map(({ bytes }) => bytes)));
    const message = `a run of ${names} may take up to ${most} for its keys, blocks and readers and what any run takes, and one of the daemon has ${mebibytes(runBytes)}`;
    const hint = 'lower stateMemory, blockSize, parallel or daemon.concurrency, or raise daemon.runMemory';
    found.push(note('MEMORY_EXCEEDED', message, hint));
  }
  return found;
}

/** What a run takes that exports nothing (docs/guarantees.md). */
const PROCESS_BYTES = 100 * 1024 ** 2;
/** What each of several readers takes at most (docs/guarantees.md). */
const READER_BYTES = 48 * 1024 ** 2;

/** The most that the configuration lets a run take for its keys, blocks and readers. */
function bytesOf(activation: DeepReadonly<Config>['activations'][string]): number {
  const { runType, syncMode, stateMemory, blockSize, maxFileSize, parallel } = activation;
  const { blockBytes } = rollPolicy({ blockBytes: blockSize, maxFileBytes: maxFileSize });
  const files = syncMode === 'difference' ? 3 : 1;
  const keys = runType === 'full_then_delta' ? stateMemory : 0;
  const readers = runType === 'full_only' && parallel > 1 ? parallel * READER_BYTES : 0;
  return keys + readers + (DEFAULT_BLOCKS_IN_FLIGHT + files) * blockBytes;
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 1024 ** 2)} MiB`;
}
