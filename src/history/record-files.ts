import { statSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { activationsFolder, historyFolder } from '../disk/data-directory.ts';
import { writeDurably } from '../disk/durable-file.ts';
import { SluiceError } from '../errors.ts';
import { stateError } from '../system-errors.ts';
import { keptRecord } from './kept-record.ts';
import { RUN_ID } from './run-id.ts';
import type { RunRecord } from './run-record.ts';

/**
 * What this data directory remembers of runs. It is only read, without a lock: runs may
 * be under way, and each record is a file of its own.
 */

export interface RunList {
  /** Newest first. */
  readonly records: readonly RunRecord[];
  /**
   * Paths of records that cannot be read, such as one that a power cut left half written.
   */
  readonly unreadable: readonly string[];
  /** Whether there are older ones than those. */
  readonly more: boolean;
}

export interface ListRunsOptions {
  readonly dataDirectory: string;
  /** All activations without it. */
  readonly activation?: string;
  readonly limit: number;
  /** Only runs with an id below it. */
  readonly before?: string;
}

/** The newest runs. Reads no more records than it returns. */
export async function listRuns(options: ListRunsOptions): Promise<RunList> {
  const { dataDirectory, activation, limit, before } = options;
  const names = activation === undefined ? await activationsIn(dataDirectory) : [activation];
  const found: { run: string; path: string }[] = [];
  for (const name of names) {
    const folder = historyFolder(dataDirectory, name);
    for (const run of await runsIn(folder)) {
      if (before === undefined || run < before) found.push({ run, path: join(folder, `${run}.json`) });
    }
  }
  // Ids sort by time.
  found.sort((a, b) => (a.run < b.run ? 1 : -1));
  const records: RunRecord[] = [];
  const unreadable: string[] = [];
  for (const { path } of found.slice(0, limit)) {
    try {
      const record = await readRecord(path);
      if (record !== undefined) records.push(record);
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      unreadable.push(path);
    }
  }
  return { records, unreadable, more: found.length > limit };
}

/**
 * The run of that id, of whichever activation. Rejects with STATE_DAMAGED where its
 * record cannot be read.
 */
export async function findRun(dataDirectory: string, run: string): Promise<RunRecord | undefined> {
  if (!RUN_ID.test(run)) return undefined;
  const paths = (await activationsIn(dataDirectory)).map(name =>
    join(historyFolder(dataDirectory, name), `${run}.json`),
  );
  const path = paths.find(mayBeThere);
  return path === undefined ? undefined : readRecord(path);
}

/**
 * A thousand such looks take milliseconds, and far longer where each waits for its turn.
 */
function mayBeThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true; // reading it says what is in the way
  }
}

/**
 * Keeps the record of a run, whole and durably. Rejects with STATE_WRITE_FAILED. `folder`
 * is an activation's history.
 */
export async function keepRecord(folder: string, record: RunRecord): Promise<void> {
  const path = join(folder, `${record.run}.json`);
  try {
    // Beside the folder, so that it holds whole records only.
    const temporary = join(folder, '..', `record-${record.run}.tmp`);
    await writeDurably(path, `${JSON.stringify(record)}\n`, { temporary });
  } catch (cause) {
    throw stateError(cause, `the record of run ${record.run} cannot be written`);
  }
}

/**
 * Rejects with STATE_DAMAGED where the record cannot be read: the run may have been made.
 */
export async function recallRecord(folder: string, run: string): Promise<RunRecord | undefined> {
  return readRecord(join(folder, `${run}.json`));
}

/**
 * Names of the activations that have ever been run here, whether they still are in the
 * configuration or not.
 */
export function activationsIn(dataDirectory: string): Promise<string[]> {
  return entriesOf(activationsFolder(dataDirectory), ['ENOENT']);
}

function unreadableError(path: string): SluiceError {
  return new SluiceError('STATE_DAMAGED', `${path} is not a record of a run`, {
    stage: 'state',
    hint: 'delete it; it is history only, and no run needs it',
  });
}

/** Ids of the runs whose records are in the folder, in order. */
export async function runsIn(folder: string): Promise<string[]> {
  // A file that lies among the folders of activations has none.
  const names = await entriesOf(folder, ['ENOENT', 'ENOTDIR']);
  return names
    .filter(name => name.endsWith('.json'))
    .map(name => name.slice(0, -'.json'.length))
    .filter(run => RUN_ID.test(run))
    .sort();
}

async function entriesOf(folder: string, none: readonly string[]): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    if (none.includes((cause as NodeJS.ErrnoException).code ?? '')) return [];
    throw stateError(cause, `${folder} cannot be read`, { access: 'read' });
  }
}

/**
 * `undefined` where there is none. Rejects with STATE_DAMAGED where it is not a record.
 */
async function readRecord(path: string): Promise<RunRecord | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw stateError(error, `${path} cannot be read`, { access: 'read' });
  }
  try {
    const { data } = keptRecord.safeParse(JSON.parse(text));
    if (data !== undefined) return data as unknown as RunRecord;
  } catch {
    // Said below.
  }
  throw unreadableError(path);
}
