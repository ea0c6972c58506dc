import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ResolvedActivation } from '../config/activation.ts';
import { activationFolder, historyFolder } from '../disk/data-directory.ts';
import { writeDurably } from '../disk/durable-file.ts';
import { SluiceError } from '../errors.ts';
import { recallRecord, runsIn } from '../history/record-files.ts';
import { RUN_ID, stampOf } from '../history/run-id.ts';
import type { RunRecord, RunWarning } from '../history/run-record.ts';
import { isSuccess } from '../history/run-state.ts';
import type { BlobStore } from '../sinks/sink.ts';
import { manifestNames } from './manifest.ts';

/**
 * The manifests of earlier runs, which go by a rule. Which there are is noted on disk,
 * since the credentials may lack the right to list, and the history forgets runs. The
 * note is only what may still be there: it is written after what it says has been done,
 * and a manifest that is gone is done with.
 */

/** What is noted: ids of runs whose manifests may be there, in order. */
export interface Noted {
  readonly runs: readonly string[];
  /** Deleting was refused, and that was said. */
  readonly isRefused: boolean;
}

export interface KeepManifestsOptions {
  readonly activation: ResolvedActivation;
  readonly store: Pick<BlobStore, 'head' | 'deleteBlob'>;
  /** Runs that have just been published. */
  readonly published: readonly RunRecord[];
  /** Knows the runs that are not finished. */
  readonly journal: { list(): Promise<string[]> };
  readonly now: Date;
}

const NOTES_FILE = 'manifests.json';

/** At most this many are deleted after a run, so that the first run takes no longer. */
const AT_ONCE = 100;

/**
 * Where the rule keeps not all: which manifests there may be, before the history forgets
 * any of their runs.
 */
export async function noteManifests({
  activation,
  published,
}: KeepManifestsOptions): Promise<Noted | undefined> {
  const { dataDirectory, name, manifest, keepManifests } = activation;
  if (!manifest || keepManifests === undefined) return undefined;
  const noted = await readNoted(pathOf(activation));
  const runs = new Set([...noted.runs, ...published.map(({ run }) => run)]);
  const newest = noted.runs.at(-1) ?? '';
  const history = historyFolder(dataDirectory, name);
  for (const run of await runsIn(history)) {
    if (run <= newest || runs.has(run)) continue;
    const record = await recallRecord(history, run).catch(() => undefined);
    if (record !== undefined && isSuccess(record) && record.generation > 0) runs.add(run);
  }
  return { ...noted, runs: [...runs].sort() };
}

/**
 * Deletes the manifests that the rule no longer keeps. Returns a warning the first time
 * that it may not.
 */
export async function dropManifests(
  { runs, isRefused }: Noted,
  { activation, store, journal, now }: KeepManifestsOptions,
): Promise<RunWarning[]> {
  const { keepManifests: rule, name, dataDirectory, destination } = activation;
  const oldest = 'ms' in rule! ? stampOf(new Date(now.getTime() - rule.ms)) : runs.at(-rule!.runs);
  const inHistory = await runsIn(historyFolder(dataDirectory, name));
  const kept = new Set([...inHistory, ...(await journal.list())]);
  const surplus = runs.filter(run => oldest !== undefined && run < oldest && !kept.has(run));
  const gone = new Set<string>();
  let refusal: string | undefined;
  for (const run of surplus.slice(0, AT_ONCE)) {
    const { isGone, refused } = await deleteManifest(
      manifestNames(destination.folder, name, { run }).run,
      store,
    );
    refusal = refused;
    if (!isGone) break;
    gone.add(run);
  }
  const noted: Noted = {
    runs: runs.filter(run => !gone.has(run)),
    isRefused: refusal !== undefined || (isRefused && gone.size === 0),
  };
  await writeDurably(pathOf(activation), `${JSON.stringify(noted)}\n`);
  if (refusal === undefined || isRefused) return [];
  return [{ code: 'MANIFESTS_LEFT', message: `older manifests are left in the destination: ${refusal}` }];
}

function pathOf({ dataDirectory, name }: ResolvedActivation): string {
  return join(activationFolder(dataDirectory, name), NOTES_FILE);
}

/**
 * Whether it is gone, and what refused that for good; the next run tries again what
 * passes.
 */
async function deleteManifest(
  name: string,
  store: KeepManifestsOptions['store'],
): Promise<{ readonly isGone: boolean; readonly refused?: string }> {
  try {
    const there = await store.head(name);
    const outcome = there === undefined ? 'absent' : await store.deleteBlob(name, there.etag);
    return { isGone: outcome === 'deleted' || outcome === 'absent' };
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    return error.retryable ? { isGone: false } : { isGone: false, refused: error.message };
  }
}

/**
 * A note that is not there or cannot be read is as good as none: what the history knows
 * is noted again.
 */
async function readNoted(path: string): Promise<Noted> {
  try {
    const { runs, isRefused } = JSON.parse(await readFile(path, 'utf8')) as Partial<Noted>;
    const isGood = Array.isArray(runs) && runs.every(run => RUN_ID.test(run));
    return { runs: isGood ? runs : [], isRefused: isRefused === true };
  } catch {
    return { runs: [], isRefused: false };
  }
}
