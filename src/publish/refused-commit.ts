import { type ErrorCode, SluiceError } from '../errors.ts';
import type { BlobStore, WriteOutcome } from '../sinks/sink.ts';
import type { DecidedFile, Decision } from './decision.ts';

/**
 * What there is to find out and to say of a decided run whose file the storage refuses.
 */

export interface RefusedFile {
  readonly file: string;
  readonly error: SluiceError;
}

/**
 * Refusals of whoever asks, or of the place as a whole. They say nothing about the run:
 * it waits, whatever is published, and is finished with new credentials or once the
 * container is back.
 */
const ABOUT_THE_DESTINATION: ReadonlySet<ErrorCode> = new Set([
  'DESTINATION_CREDENTIALS',
  'DESTINATION_NOT_FOUND',
]);

/** Whether repeating the request of this run can never help. */
export function isFinalRefusal(error: unknown): error is SluiceError {
  return error instanceof SluiceError && !error.retryable && !ABOUT_THE_DESTINATION.has(error.code);
}

/** The ETag of the file, if what is there under its name is the run's. */
export async function findCommitted(
  { name, bytes }: Pick<DecidedFile, 'name' | 'bytes'>,
  run: string,
  store: Pick<BlobStore, 'head'>,
): Promise<string | undefined> {
  const there = await store.head(name);
  return there?.metadata['run'] === run && there.bytes === bytes ? there.etag : undefined;
}

/** Names of the files of the run that anybody can see already. */
export async function findCommittedNames(
  { files, record }: Pick<Decision, 'files' | 'record'>,
  store: Pick<BlobStore, 'head'>,
): Promise<readonly string[]> {
  const names: string[] = [];
  for (const file of files) {
    if ((await findCommitted(file, record.run, store)) !== undefined) names.push(file.name);
  }
  return names;
}

/** Nothing is published, and the decision is gone. */
export function withdrawnError(run: string, { error }: RefusedFile): SluiceError {
  const message = `${error.message}; nothing of run ${run} is published, and it is withdrawn`;
  return refusalError(error, message, `${error.hint}; the next run exports the same changes`);
}

/** Some files are published, so the rest must be. */
export function unfinishedError(
  { record, files }: Decision,
  { file, error }: RefusedFile,
  committed: readonly string[],
): SluiceError {
  const message = `run ${record.run} is decided and unfinished, ${committed.length} of its ${files.length} files are published and ${file} is refused: ${error.message}`;
  const hint = `${error.hint}; the next run first finishes this one, with the \`blob\` keys of the configuration of then`;
  return refusalError(error, message, hint);
}

/** What is published cannot be looked up. */
export function unknownError(run: string, { error }: RefusedFile, cause: SluiceError): SluiceError {
  const message = `${error.message}; run ${run} is decided, and whether any of it is published cannot be looked up: ${cause.message}`;
  return refusalError(error, message, error.hint);
}

/** All files are in place, and `name`, which says so, is not. */
export function unlistedError(run: string, name: string, error: SluiceError, hint = error.hint): SluiceError {
  const message = `run ${run} is decided and unfinished, its files are in place and ${name} is not: ${error.message}`;
  return refusalError(error, message, hint);
}

function refusalError(error: SluiceError, message: string, hint: string): SluiceError {
  return new SluiceError(error.code, message, {
    cause: error,
    stage: 'destination',
    hint,
    retryable: error.retryable,
  });
}

export type Refusal = Extract<WriteOutcome, { outcome: 'refused' }>;

const DERIVED_AGAIN = {
  stage: 'destination',
  hint: 'run again: the same changes are derived again',
  retryable: true,
} as const;

/**
 * Why the file can never be committed as it was decided. Where nobody else has the name,
 * the next run can do it: that is worth another try.
 */
export async function lostError(
  { name, condition }: DecidedFile,
  { reason }: Refusal,
  store: Pick<BlobStore, 'head'>,
): Promise<SluiceError> {
  if (reason === 'blocks missing') {
    const message = `${name}: the blocks that were staged for it are gone`;
    return new SluiceError('DESTINATION_CONFLICT', message, DERIVED_AGAIN);
  }
  if ('ifAbsent' in condition) {
    return new SluiceError('DESTINATION_EXISTS', `${name} came into being while the run was under way`, {
      stage: 'destination',
    });
  }
  if ((await store.head(name)) === undefined) {
    const message = `${name} was taken away before the run could replace it`;
    return new SluiceError('DESTINATION_CONFLICT', message, DERIVED_AGAIN);
  }
  return new SluiceError('DESTINATION_CONFLICT', `${name} was changed by another writer during the run`, {
    stage: 'destination',
    hint: 'let no other program write this name, then run again',
  });
}
