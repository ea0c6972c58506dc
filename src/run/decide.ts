import { createHash } from 'node:crypto';
import type { ResolvedActivation, ResolvedFormat } from '../config/activation.ts';
import { type FileChange, type FileName, partName } from '../config/file-name.ts';
import { SluiceError } from '../errors.ts';
import { Change } from '../row-batch.ts';
import type { BlobStore, BlobWriteProperties, Precondition, StagedFile } from '../sinks/sink.ts';
import type { DecidedFile } from './commit.ts';
import type { Manifest } from './manifest.ts';
import type { RunFile, RunWarning } from './run-record.ts';

/** Rows of a file that a later run may go on with, and those that it had before the run. */
export const ROWS_METADATA = 'sluice_rows';
export const ROWS_BEFORE_METADATA = 'sluice_rows_before';
/** Tells documents of other options apart: rows of two kinds in one file could not be read. */
export const FORMAT_METADATA = 'sluice_format';

function appendMetadata({ rows, resumed }: StagedFile, format: ResolvedFormat): Record<string, string> {
  return {
    [ROWS_METADATA]: String(rows),
    [ROWS_BEFORE_METADATA]: String(resumed?.rows ?? 0),
    [FORMAT_METADATA]: formatOptions(format),
  };
}

/** The same for the options that give the same document: engine and level are not among them. */
export function formatOptions(format: ResolvedFormat): string {
  const options = Object.entries(format)
    .filter(([name]) => name !== 'engine' && name !== 'level')
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(options)).digest('hex').slice(0, 16);
}

/** What a `difference` file holds, by change; other files hold whatever the run writes. */
export function changeName(change: Change | undefined): FileChange | undefined {
  if (change === Change.added) return 'added';
  if (change === Change.updated) return 'updated';
  return change === Change.removed ? 'removed' : undefined;
}

export interface DecideFilesOptions {
  readonly activation: ResolvedActivation;
  readonly run: string;
  readonly generation: number;
  readonly staged: readonly StagedFile[];
  readonly contentType: string;
  readonly store: BlobStore;
}

/** Looks at what each file will replace, so that its commit can insist that nothing else happened to it. */
export async function decideFiles(
  options: DecideFilesOptions,
): Promise<{ files: DecidedFile[]; warnings: RunWarning[] }> {
  const { activation, staged, store } = options;
  const warnings: RunWarning[] = [];
  const files: DecidedFile[] = [];
  for (const file of staged) {
    const { name, blockIds, bytes, resumed } = file;
    const properties = propertiesOf(file, options);
    if (resumed !== undefined) {
      files.push({ name, blockIds, bytes, condition: { ifMatch: resumed.etag }, properties });
      continue;
    }
    const there = await store.head(name);
    if (there !== undefined && activation.ifExists === 'fail') throw existsError(file.name);
    if (there !== undefined && there.metadata['sluice'] === undefined) {
      const message = `${file.name} was overwritten, which Sluice had not written`;
      warnings.push({ code: 'FOREIGN_BLOB_OVERWRITTEN', message });
    }
    const condition: Precondition = there === undefined ? { ifAbsent: true } : { ifMatch: there.etag };
    files.push({ name, blockIds, bytes, condition, properties });
  }
  return { files, warnings };
}

export function existsError(name: string): SluiceError {
  return new SluiceError('DESTINATION_EXISTS', `${name} exists, and ifExists is fail`, {
    stage: 'destination',
  });
}

function propertiesOf(file: StagedFile, options: DecideFilesOptions): BlobWriteProperties {
  const { activation, run, generation, contentType } = options;
  const { blob, format } = activation;
  const gzip = 'compression' in format && format.compression === 'gzip';
  return {
    // A .gz file is a gzip file: with a content encoding readers would be given something else than what is stored.
    contentType: blob.contentType ?? (gzip ? 'application/gzip' : contentType),
    ...(file.resumed === undefined ? { contentMd5: file.md5.toString('base64') } : {}),
    ...(blob.cacheControl === undefined ? {} : { cacheControl: blob.cacheControl }),
    ...(blob.tags === undefined ? {} : { tags: blob.tags }),
    ...(blob.accessTier === undefined ? {} : { accessTier: blob.accessTier }),
    ...(blob.encryptionScope === undefined ? {} : { encryptionScope: blob.encryptionScope }),
    metadata: {
      ...blob.metadata,
      sluice: activation.name,
      run,
      generation: String(generation),
      part: String(file.part),
      ...(activation.ifExists === 'append' ? appendMetadata(file, format) : {}),
    },
  };
}

export function toRunFile({ name, change, part, rows, bytes, md5, sha256, resumed }: StagedFile): RunFile {
  const named = changeName(change);
  return {
    name,
    ...(named === undefined ? {} : { change: named }),
    part,
    rows,
    bytes,
    ...(resumed === undefined ? {} : { appended: { fromRow: resumed.rows, fromByte: resumed.bytes } }),
    md5: md5.toString('hex'),
    sha256: sha256.toString('hex'),
  };
}

/** Files of the previous manifest that are later parts of a name that this run writes, and that it does not have. */
export function staleParts(
  previous: Manifest | undefined,
  fileName: FileName,
  folder: string,
  staged: readonly StagedFile[],
): { name: string; etag: string }[] {
  const written = new Set(staged.map(({ name }) => name));
  // A name that this run did not begin anew keeps its parts: nothing was written to it, or rows were appended.
  const begun = new Set(
    staged.filter(file => file.part === 1 && !file.resumed).map(file => changeName(file.change)),
  );
  const stale: { name: string; etag: string }[] = [];
  for (const { name, change, part, etag } of previous?.files ?? []) {
    if (part === 1 || etag === undefined || written.has(name) || !begun.has(change)) continue;
    if (partName(fileName, part, { folder, ...(change === undefined ? {} : { change }) }) === name) {
      stale.push({ name, etag });
    }
  }
  return stale;
}
