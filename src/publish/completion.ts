import type { ResolvedActivation } from '../config/activation.ts';
import { isPerFile, resolveCompletionName, resolveContent } from '../config/completion.ts';
import {
  checkBlobName,
  type FileName,
  fileKind,
  folderAbovePartitions,
  isPartitioned,
  partName,
  placeholderValues,
} from '../config/file-name.ts';
import { nameOptions } from '../config/name-options.ts';
import { SluiceError } from '../errors.ts';
import { fewWarnings } from '../history/few-warnings.ts';
import type { RunFile, RunRecord, RunWarning } from '../history/run-record.ts';
import { atOnce } from '../sinks/at-once.ts';
import type {
  BlobProperties,
  BlobStore,
  ChecksumName,
  CommitOptions,
  Precondition,
  WriteOutcome,
} from '../sinks/sink.ts';
import type { CompletionFile, DecidedCompletion } from './decision.ts';
import { refuseObstacle } from './look-before.ts';
import type { ReplacedFiles } from './replaced-files.ts';

/**
 * Completion files say that all files of a run are in place. So those of an earlier run
 * go before the first file is published, and the run's own come after the last one.
 */

export interface DecideCompletionOptions {
  readonly activation: ResolvedActivation;
  readonly record: RunRecord;
  readonly fileName: FileName;
  /**
   * Names of parts of an earlier run that will be deleted: their control files go too.
   */
  readonly stale: readonly string[];
  readonly replaced: ReplacedFiles;
  readonly store: Pick<BlobStore, 'head'>;
}

/** What the run will write once its files are in place, and what stands in its way. */
export async function decideCompletion(
  options: DecideCompletionOptions,
): Promise<DecidedCompletion | undefined> {
  const { activation, record, fileName, stale, replaced, store } = options;
  if (activation.completion === undefined) return undefined;
  const { name: sluice } = activation;
  const { run, generation } = record;
  const metadata = { sluice, run, generation: String(generation) };
  const made = completionFiles(activation, record, record.files, fileName);
  const names = new Set(made.map(({ name }) => name));
  const older = [...new Set([...names, ...controlNames(activation, record, stale)])];
  const found = await atOnce(older, name => store.head(name));
  const standing = older.flatMap((name, index) => {
    const there = found[index];
    if (there === undefined) return [];
    const isOwn = there.metadata['sluice'] === sluice;
    const isReplaced = names.has(name);
    if (isReplaced) refuseObstacle(name, there);
    if (!isOwn && isReplaced) replaced.add(name, there);
    return isOwn || isReplaced ? [{ name, etag: there.etag }] : [];
  });
  return { standing, files: made.map(file => ({ ...file, metadata })) };
}

type NamedRun = Pick<RunRecord, 'run' | 'startedAt' | 'full'>;
type Counted = Pick<RunFile, 'name' | 'rows' | 'bytes' | ChecksumName>;

/** The names of the completion files of a run that writes these files. */
export function completionNames(
  activation: ResolvedActivation,
  run: NamedRun,
  { names, fileName }: { readonly names: readonly string[]; readonly fileName: FileName },
): string[] {
  const files = names.map(name => ({ name, rows: 0, bytes: 0 }));
  return completionFiles(activation, run, files, fileName).map(({ name }) => name);
}

/**
 * A run without files has a place all the same: that of the file which it would have had.
 * With partitions it is always the same, whichever of them have files this time: who
 * waits for it knows where, and it is found again where it has to go.
 */
function completionFiles(
  activation: ResolvedActivation,
  run: NamedRun,
  files: readonly Counted[],
  fileName: FileName,
): Pick<CompletionFile, 'name' | 'content'>[] {
  const { control, success } = activation.completion ?? {};
  const values = valuesOf(activation, run);
  const names = files.map(({ name }) => name);
  const made: Pick<CompletionFile, 'name' | 'content'>[] = [];
  if (control !== undefined && isPerFile(control)) {
    for (const [index, name] of controlNames(activation, run, names).entries()) {
      const { name: file, rows, bytes, crc64 = '', sha256 = '', md5 = '' } = files[index]!;
      const own = { file, rows, bytes, crc64, sha256, md5 };
      made.push({ name, content: resolveContent(control.content, values, own) });
    }
  } else if (control !== undefined) {
    const sum = (key: 'rows' | 'bytes'): number => files.reduce((total, file) => total + file[key], 0);
    const own = { files: files.length, rows: sum('rows'), bytes: sum('bytes') };
    const name = `${activation.destination.folder}${resolveCompletionName(control.name, values)}`;
    made.push({ name, content: resolveContent(control.content, values, own) });
  }
  // Last, since who waits for it goes by the others.
  if (success !== undefined) {
    const { folder: base } = activation.destination;
    const folder = isPartitioned(fileName)
      ? folderAbovePartitions(fileName, base)
      : sharedFolder(names.length > 0 ? names : [partName(fileName, 1, { folder: base })]);
    made.push({ name: `${folder}${resolveCompletionName(success, values)}`, content: '' });
  }
  for (const { name } of made) checkBlobName(name);
  return made;
}

/** The files that have each a control file; none otherwise. */
function controlNames(activation: ResolvedActivation, run: NamedRun, files: readonly string[]): string[] {
  const control = activation.completion?.control;
  if (control === undefined || !isPerFile(control)) return [];
  const { folder } = activation.destination;
  const values = valuesOf(activation, run);
  return files.map(
    file => `${folder}${resolveCompletionName(control.name, values, file.slice(folder.length))}`,
  );
}

function valuesOf(activation: ResolvedActivation, run: NamedRun): ReturnType<typeof placeholderValues> {
  return placeholderValues(nameOptions(activation, run, fileKind(run.full)));
}

/** The deepest folder that all have in common, '' or with a trailing `/`. */
function sharedFolder(names: readonly string[]): string {
  const [first = '', ...others] = names.map(name => name.slice(0, name.lastIndexOf('/') + 1));
  let shared = first;
  while (!others.every(folder => folder.startsWith(shared)))
    shared = shared.slice(0, shared.lastIndexOf('/', shared.length - 2) + 1);
  return shared;
}

/**
 * How often a request is repeated that another writer, or a lost answer, keeps from being
 * done.
 */
const MAX_ATTEMPTS = 5;

/** Deletes what stands of earlier runs. Returns warnings of what may not be deleted. */
export async function removeStanding(
  { standing }: DecidedCompletion,
  store: Pick<BlobStore, 'deleteBlob'>,
): Promise<readonly RunWarning[]> {
  const warnings: RunWarning[] = [];
  for (const { name, etag } of standing) {
    try {
      for (let attempt = 1; (await store.deleteBlob(name, etag)) === 'unknown'; attempt++) {
        if (attempt < MAX_ATTEMPTS) continue;
        throw new SluiceError('DESTINATION_TIMEOUT', `deleting ${name} was not answered`, {
          stage: 'destination',
          hint: 'the run is decided; the next start finishes it',
        });
      }
    } catch (error) {
      if (!(error instanceof SluiceError) || error.retryable) throw error;
      const message = `${name} of an earlier run stood while the files of this one were published: ${error.message}`;
      warnings.push({ code: 'COMPLETION_STOOD', message });
    }
  }
  return fewWarnings(warnings);
}

/**
 * Writes one, or finds it written. It may replace what is there: the name is the
 * activation's own.
 */
export async function putCompletionFile(
  file: CompletionFile,
  store: Pick<BlobStore, 'head' | 'putBlob'>,
): Promise<WriteOutcome> {
  const { name, content, metadata } = file;
  const bytes = Buffer.from(content);
  const properties: CommitOptions['properties'] = { contentType: 'text/plain; charset=utf-8', metadata };
  for (let attempt = 1; ; attempt++) {
    const there = await store.head(name);
    if (there !== undefined && isOfRun(there, file)) return { outcome: 'written', etag: there.etag };
    const condition: Precondition = there === undefined ? { ifAbsent: true } : { ifMatch: there.etag };
    const outcome = await store.putBlob(name, bytes, { condition, properties });
    if (outcome.outcome !== 'refused' || attempt === MAX_ATTEMPTS) return outcome;
  }
}

/** The ETag of the file, if what is there under its name is the run's. */
export async function findCompletionFile(
  file: CompletionFile,
  store: Pick<BlobStore, 'head'>,
): Promise<string | undefined> {
  const there = await store.head(file.name);
  return there !== undefined && isOfRun(there, file) ? there.etag : undefined;
}

function isOfRun({ metadata, bytes }: BlobProperties, file: CompletionFile): boolean {
  return metadata['run'] === file.metadata['run'] && bytes === Buffer.byteLength(file.content);
}
