import { join } from 'node:path';

/**
 * The paths below a data directory that belong to one activation:
 *
 *   activations/NAME/baseline/              hashes of the rows of the last success, a LevelDB
 *   activations/NAME/history/RUN.json       records of runs
 *   activations/NAME/lock/                  the process that has it open owns the folder NAME
 *   activations/NAME/runs/RUN/commit.json   what a run decided, until all of it is published
 *   activations/NAME/sets/SET/              a baseline for each set of parameter values, where
 *                                           there is more than one
 */

export function activationsFolder(dataDirectory: string): string {
  return join(dataDirectory, 'activations');
}

export function activationFolder(dataDirectory: string, activation: string): string {
  return join(activationsFolder(dataDirectory), activation);
}

export function baselineFolder(dataDirectory: string, activation: string): string {
  return join(activationFolder(dataDirectory, activation), BASELINE);
}

/** The name of the folder of a baseline, in that of its activation or set. */
export const BASELINE = 'baseline';

export function setsFolder(dataDirectory: string, activation: string): string {
  return join(activationFolder(dataDirectory, activation), 'sets');
}

export function historyFolder(dataDirectory: string, activation: string): string {
  return join(activationFolder(dataDirectory, activation), 'history');
}

export function lockPath(dataDirectory: string, activation: string): string {
  return join(activationFolder(dataDirectory, activation), 'lock');
}

/** Documents of runs that have not ended. */
export function runsFolder(dataDirectory: string, activation: string): string {
  return join(activationFolder(dataDirectory, activation), 'runs');
}

/** The file whose presence says that the run is decided. */
export function decisionPath(dataDirectory: string, activation: string, run: string): string {
  return join(runsFolder(dataDirectory, activation), run, 'commit.json');
}

/**
 * What Sluice keeps for itself in a folder that is a destination, on the same file system
 * as the files.
 */
export const STORE_FOLDER = '.sluice-store';
