import type { BaselineState } from '../baseline/baseline.ts';
import type { Clock } from '../clock.ts';
import { SluiceError } from '../errors.ts';
import { fewNames } from '../few-names.ts';
import { fewWarnings } from '../history/few-warnings.ts';
import { succeeded, warned } from '../history/record-steps.ts';
import type { RunFile, RunRecord, RunWarning } from '../history/run-record.ts';
import type { BlobStore, CommitOptions, Precondition, WriteOutcome } from '../sinks/sink.ts';
import { ROWS_METADATA } from './append/append-metadata.ts';
import { findCompletionFile, putCompletionFile, removeStanding } from './completion.ts';
import { type ConfiguredProperties, propertiesNow } from './configured-properties.ts';
import type { DecidedCompletion, DecidedFile, DecidedManifest, Decision, StalePart } from './decision.ts';
import type { Journal } from './journal.ts';
import { type Manifest, parseManifest } from './manifest.ts';
import {
  findCommitted,
  findCommittedNames,
  isFinalRefusal,
  lostError,
  type RefusedFile,
  unfinishedError,
  unknownError,
  unlistedError,
  withdrawnError,
} from './refused-commit.ts';
import { type WriteOptions, type Written, writeOnce } from './write-once.ts';

/**
 * From the decision on, a run is only ever rolled forward. This file is that half of the
 * protocol:
 *
 *   PREPARED    the decision is durable in the journal
 *   PUBLISHING  each file is committed once, under a precondition; an unanswered commit
 *               is looked up before it is repeated; completion files of earlier runs go
 *               before the first file, those of this run come after the last
 *   PUBLISHED   manifest of the run, then `latest.json` by compare-and-swap; without
 *               manifests, a note in the journal
 *   APPLIED     the baseline is at the new generation
 *   CLEAN       stale parts are deleted, the journal's folder is gone
 *
 * Every step may be repeated from the start after a crash: it looks whether it is done
 * before it does it.
 */

/** The part of the baseline that the protocol needs. */
export interface ApplicableBaseline {
  readonly state: BaselineState | undefined;
  apply(deltaLog: string, next: BaselineState, options: { readonly replace: boolean }): Promise<void>;
}

export interface CommitParts {
  readonly store: BlobStore;
  readonly journal: Journal;
  readonly baseline: ApplicableBaseline;
  readonly clock: Clock;
  /**
   * What the present configuration says of every file. It is not part of the decision: a
   * tag or tier that the storage refuses can be taken out of the configuration, and the
   * rest of the run is committed without it.
   */
  readonly configured: ConfiguredProperties;
  /**
   * Whether the present configuration wants manifests: without them, what keeps one from
   * being written is not in the way.
   */
  readonly manifests: boolean;
  /** The same of completion files. */
  readonly completes: boolean;
}

export const DELTA_LOG = 'delta.log';

/**
 * Finishes a decided run, but for the journal's folder, which the caller removes. Rejects
 * with a retryable error where the store cannot be reached: the decision stays, and the
 * next start continues. Rejects with DESTINATION_CONFLICT or DESTINATION_EXISTS, and
 * drops the run, where it has not been published and never can be. Where the store
 * refuses a write for good, `settleRefusal` says what becomes of the run.
 */
export async function rollForward(
  decided: Decision,
  parts: CommitParts,
  { looksFirst }: WriteOptions,
): Promise<RunRecord> {
  const decision = parts.completes ? decided : withoutCompletion(decided);
  const { store, journal, baseline } = parts;
  const { record } = decision;
  const { run } = record;
  const manifest = parts.manifests ? decision.manifest : undefined;
  const warnings: RunWarning[] = [];
  const endedAt = parts.clock.now().toISOString();
  let files = record.files;
  // Only cleaning is left now: consumers may have taken the files away.
  if (decision.baseline === undefined || baseline.state?.run !== run) {
    const publishing: Publishing = { ...parts, looksFirst };
    files = manifest
      ? await publishListed(decision, publishing, warnings)
      : await publishUnlisted(decision, publishing, warnings);
    if (manifest)
      warnings.push(...(await publishManifest(decision, manifest, { files, endedAt }, publishing)));
    if (decision.baseline) {
      const { next, replace } = decision.baseline;
      await baseline.apply(journal.path(run, DELTA_LOG), next, { replace });
    }
  }
  warnings.push(...(await deleteStale(decision.stale, store)));
  return { ...succeeded(warned(record, warnings), endedAt), files };
}

function withoutCompletion({ completion: _, record, manifest, ...rest }: Decision): Decision {
  const { completion: _names, ...made } = record;
  if (manifest === undefined) return { ...rest, record: made, manifest };
  const { completion: _listed, ...content } = manifest.content;
  return { ...rest, record: made, manifest: { ...manifest, content } };
}

/**
 * Notes the files of a run without a manifest to show they were in place: consumers may
 * take one away as soon as all are there, and that must not be taken for a file that
 * could not be published.
 */
async function publishUnlisted(
  decision: Decision,
  parts: Publishing,
  warnings: RunWarning[],
): Promise<readonly RunFile[]> {
  const { run } = decision.record;
  const noted = await parts.journal.read(run, 'published.json');
  if (noted !== undefined) return noted as readonly RunFile[];
  const files = await publishWhole(decision, parts, warnings);
  await parts.journal.write(run, 'published.json', files);
  return files;
}

/** A receiver may have deleted a completion file that must not come again. */
async function publishListed(
  decision: Decision,
  parts: Publishing,
  warnings: RunWarning[],
): Promise<readonly RunFile[]> {
  const looks = parts.looksFirst && decision.completion !== undefined;
  const published = looks ? await findPublished(decision, parts.store) : undefined;
  return published ?? publishWhole(decision, parts, warnings);
}

/** All files of the run between the end of earlier completion files and its own. */
async function publishWhole(
  decision: Decision,
  parts: Publishing,
  warnings: RunWarning[],
): Promise<readonly RunFile[]> {
  const { store } = parts;
  const { completion } = decision;
  if (completion) warnings.push(...(await removeStanding(completion, store)));
  const files = await publishFiles(decision, parts);
  if (completion) await publishCompletion(decision.record.run, completion, parts);
  return files;
}

async function publishCompletion(
  run: string,
  { files }: DecidedCompletion,
  { store, clock }: Publishing,
): Promise<void> {
  for (const file of files) {
    const { name } = file;
    const attempt = (): Promise<WriteOutcome> => putCompletionFile(file, store);
    const isOurs = (): Promise<string | undefined> => findCompletionFile(file, store);
    try {
      const { refusal } = await writeOnce(attempt, isOurs, { clock, name, looksFirst: false });
      if (refusal === undefined) continue;
      const message = `another writer changes ${name} over and over`;
      throw new SluiceError('DESTINATION_CONFLICT', message, {
        stage: 'destination',
        hint: 'let no other program write this name',
      });
    } catch (error) {
      if (!isFinalRefusal(error)) throw error;
      const hint = `${error.hint}; or take completion out of the configuration: the next run then finishes this one without it`;
      throw unlistedError(run, name, error, hint);
    }
  }
}

type Publishing = CommitParts & WriteOptions;

/** Commits all files or finds them committed; else withdraws the run and rejects. */
async function publishFiles(decision: Decision, parts: Publishing): Promise<readonly RunFile[]> {
  const { run, files } = decision.record;
  const etags: string[] = [];
  for (const file of decision.files) {
    let lost: SluiceError | undefined;
    try {
      const { etag, refusal } = await publishFile(file, run, parts);
      if (etag !== undefined) {
        etags.push(etag);
        continue;
      }
      lost = await lostError(file, refusal, parts.store);
    } catch (error) {
      if (!isFinalRefusal(error)) throw error;
      return await settleRefusal(decision, { file: file.name, error }, parts);
    }
    // What was published before a crash may have been taken away or replaced since.
    const published = await findPublished(decision, parts.store);
    if (published) return published;
    throw await withdraw(decision, lost, parts);
  }
  return files.map((file, index): RunFile => ({ ...file, etag: etags[index]! }));
}

/**
 * The storage refuses a file for good. Nothing of the run is published: it is forgotten,
 * and the next run makes the same changes. Some of it is: it stays decided, and the next
 * try has the properties of the configuration of then. What cannot be looked up may be
 * published. Rejects, unless a manifest says that all files were in place.
 */
async function settleRefusal(
  decision: Decision,
  refused: RefusedFile,
  { store, journal }: CommitParts,
): Promise<readonly RunFile[]> {
  const { run } = decision.record;
  let committed: readonly string[];
  try {
    const published = await findPublished(decision, store);
    if (published) return published;
    committed = await findCommittedNames(decision, store);
  } catch (cause) {
    if (!(cause instanceof SluiceError) || cause.code === 'STATE_STALE') throw cause;
    throw unknownError(run, refused, cause);
  }
  if (committed.length > 0) throw unfinishedError(decision, refused, committed);
  await journal.remove(run);
  throw withdrawnError(run, refused);
}

/** The files of the run, if a manifest says that they all were in place. */
async function findPublished(
  { manifest, record }: Decision,
  store: BlobStore,
): Promise<readonly RunFile[] | undefined> {
  if (manifest === undefined) return undefined;
  const { names } = manifest;
  for (const name of [names.run, names.latest]) {
    const there = await store.getBlob(name);
    const found = there && parseManifest(there.bytes).manifest;
    if (found?.run === record.run) return found.files;
    if (found && found.generation >= record.generation) throw staleError(name);
  }
  return undefined;
}

/**
 * Takes back what there is of a run that can never be published whole, and forgets it:
 * the next run derives the same changes again. Names that were there before stay, since
 * that run writes them again. Returns the error to reject with.
 */
async function withdraw(
  { files, record }: Decision,
  reason: SluiceError,
  parts: CommitParts,
): Promise<SluiceError> {
  const left: string[] = [];
  for (const file of files) {
    try {
      if (file.undo) await undo(file, file.undo, record.run, parts);
      else if ('ifAbsent' in file.condition) await removeCommitted(file, record.run, parts.store);
    } catch (error) {
      if (!(error instanceof SluiceError) || error.retryable) throw error;
      left.push(file.name);
    }
  }
  await parts.journal.remove(record.run);
  if (left.length === 0) return reason;
  const message = `${reason.message}; the run was dropped, and its rows in ${fewNames(left)} could not be taken back`;
  const { code, hint, retryable } = reason;
  return new SluiceError(code, message, { cause: reason, stage: 'destination', hint, retryable });
}

async function removeCommitted(file: DecidedFile, run: string, store: BlobStore): Promise<void> {
  const etag = await findCommitted(file, run, store);
  if (etag !== undefined) await remove(file.name, etag, store);
}

async function remove(name: string, etag: string, store: BlobStore): Promise<void> {
  if ((await store.deleteBlob(name, etag)) !== 'unknown') return;
  throw new SluiceError('DESTINATION_TIMEOUT', `deleting ${name} was not answered`, {
    stage: 'destination',
    hint: 'the next start continues it',
  });
}

/**
 * Commits the file without the rows of the run. Also where they are not there: a commit
 * of them may still be under way, and finds another file then, or its blocks gone.
 */
async function undo(
  file: DecidedFile,
  taken: NonNullable<DecidedFile['undo']>,
  run: string,
  parts: CommitParts,
): Promise<void> {
  const { blockIds } = taken;
  const properties = propertiesNow(taken.properties, parts.configured);
  const { store, clock } = parts;
  const { name } = file;
  const committed = await findCommitted(file, run, store);
  const condition = committed === undefined ? file.condition : { ifMatch: committed };
  const attempt = (): Promise<WriteOutcome> => store.commitBlocks(name, blockIds, { condition, properties });
  const isUndone = async (): Promise<string | undefined> => {
    const there = await store.head(name);
    const isOurs = there?.metadata['run'] === run;
    return isOurs && there.metadata[ROWS_METADATA] === properties.metadata?.[ROWS_METADATA]
      ? there.etag
      : undefined;
  };
  const { etag } = await writeOnce(attempt, isUndone, { clock, name, looksFirst: false });
  if (etag === undefined) {
    // Another writer has the name, or what was under way has arrived since it was looked
    // for.
    const isLate = committed === undefined && (await findCommitted(file, run, store)) !== undefined;
    return isLate ? undo(file, taken, run, parts) : undefined;
  }
  if (!('ifAbsent' in file.condition)) return;
  try {
    await remove(name, etag, store);
  } catch (error) {
    // An empty file that may not be deleted: the next run writes it.
    if (!(error instanceof SluiceError) || error.retryable) throw error;
  }
}

/** Commits one file, or finds that it has been committed. */
function publishFile(file: DecidedFile, run: string, parts: Publishing): Promise<Written> {
  const { store, clock, configured, looksFirst } = parts;
  const { name, blockIds, condition } = file;
  const options = { condition, properties: propertiesNow(file.properties, configured) };
  const attempt = (): Promise<WriteOutcome> => store.commitBlocks(name, blockIds, options);
  const isOurs = async (): Promise<string | undefined> => findCommitted(file, run, store);
  return writeOnce(attempt, isOurs, { clock, name, looksFirst });
}

/** Writes both manifests, or finds them written. Returns warnings. */
async function publishManifest(
  decision: Decision,
  { names, latest, content }: DecidedManifest,
  ended: { readonly files: readonly RunFile[]; readonly endedAt: string },
  parts: Publishing,
): Promise<RunWarning[]> {
  const { store } = parts;
  const bytes = Buffer.from(JSON.stringify({ ...content, ...ended }, undefined, 2));
  const warnings: RunWarning[] = [];
  const write = async (name: string, condition: Precondition): Promise<void> => {
    const options: CommitOptions = { condition, properties: { contentType: 'application/json' } };
    let other: Manifest | undefined;
    const isOurs = async (): Promise<string | undefined> => {
      const there = await store.getBlob(name);
      other = there && parseManifest(there.bytes).manifest;
      return other?.run === content.run ? there?.etag : undefined;
    };
    const { etag } = await writeOnce(() => store.putBlob(name, bytes, options), isOurs, { ...parts, name });
    if (etag !== undefined) return;
    if (other && other.generation >= content.generation) throw staleError(name);
    // A person or another program did this. Writing over it would hide a reset.
    const message = `${name} was deleted or replaced by another writer while the run was under way`;
    warnings.push({ code: 'DESTINATION_RESET', message });
  };
  const unlisted = (name: string, error: unknown): unknown =>
    isFinalRefusal(error) && error.code !== 'STATE_STALE' ? unlistedError(content.run, name, error) : error;
  await write(names.run, { ifAbsent: true }).catch(error => {
    throw unlisted(names.run, error);
  });
  try {
    await write(names.latest, latest);
  } catch (error) {
    // A run without a baseline does not go by it, and RUN.json names its files.
    const isRefused = error instanceof SluiceError && error.code === 'DESTINATION_REFUSED';
    if (decision.baseline || !isRefused) throw unlisted(names.latest, error);
    const message = `${names.latest} still names an earlier run: ${error.message}; ${error.hint}`;
    warnings.push({ code: 'RECORD_NOT_KEPT', message });
  }
  if (names.newest !== undefined)
    warnings.push(...(await writeNewest(names.newest, content.run, bytes, parts)));
  return warnings;
}

/**
 * The newest manifest of all sets. Nothing goes by it, so what another writer does to it
 * is no matter of the run.
 */
async function writeNewest(
  name: string,
  run: string,
  bytes: Buffer,
  parts: Publishing,
): Promise<RunWarning[]> {
  const { store } = parts;
  const isOurs = async (): Promise<string | undefined> => {
    const found = await store.getBlob(name);
    return found && parseManifest(found.bytes).manifest?.run === run ? found.etag : undefined;
  };
  try {
    const there = await store.head(name);
    const condition: Precondition = there ? { ifMatch: there.etag } : { ifAbsent: true };
    const options: CommitOptions = { condition, properties: { contentType: 'application/json' } };
    await writeOnce(() => store.putBlob(name, bytes, options), isOurs, { ...parts, name });
    return [];
  } catch (error) {
    if (!isFinalRefusal(error)) throw error;
    const message = `${name} still names an earlier run: ${error.message}; ${error.hint}`;
    return [{ code: 'RECORD_NOT_KEPT', message }];
  }
}

function staleError(name: string): SluiceError {
  return new SluiceError('STATE_STALE', `${name} was written by another run while this one was under way`, {
    stage: 'destination',
    hint: 'let only one data directory serve an activation; `sluice state reset NAME --abandon` gives up the run that this one has decided, also where files of it are published already',
  });
}

/** Deletes each that nobody has changed. Returns warnings of those left. */
async function deleteStale(stale: readonly StalePart[], store: BlobStore): Promise<readonly RunWarning[]> {
  const warnings: RunWarning[] = [];
  const given = new Set<string>();
  for (const { name, etag, series } of stale) {
    const failure = given.has(series)
      ? 'a later part could not be deleted'
      : await deletePart(name, etag, store);
    if (failure === undefined) continue;
    if (failure !== CHANGED) given.add(series);
    warnings.push({ code: 'STALE_PARTS_LEFT', message: `${name} is left of an earlier run: ${failure}` });
  }
  return fewWarnings(warnings);
}

const CHANGED = 'another writer has changed it';

/** Returns why the part is still there, or undefined. */
async function deletePart(name: string, etag: string, store: BlobStore): Promise<string | undefined> {
  try {
    const outcome = await store.deleteBlob(name, etag);
    if (outcome === 'changed') return CHANGED;
    return outcome === 'unknown' ? 'the delete was not answered' : undefined;
  } catch (error) {
    if (error instanceof SluiceError) return error.message;
    throw error;
  }
}
