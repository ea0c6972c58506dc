import type { ResolvedActivation } from '../config/activation.ts';
import { type FileChange, fileKind } from '../config/file-name.ts';
import { SluiceError } from '../errors.ts';
import type { RunFile } from '../history/run-record.ts';
import { Change, type Column, type Partition } from '../row-batch.ts';
import { atOnce } from '../sinks/at-once.ts';
import type {
  BlobProperties,
  BlobStore,
  BlobWriteProperties,
  Precondition,
  StagedFile,
} from '../sinks/sink.ts';
import {
  BEGUN_ANEW,
  COLUMNS_METADATA,
  columnsText,
  FORMAT_METADATA,
  formatOptions,
  isBare,
  PART_METADATA,
  ROWS_BEFORE_METADATA,
  ROWS_METADATA,
  SINCE_METADATA,
} from './append/append-metadata.ts';
import type { AppendedFiles } from './append/appended-files.ts';
import type { DecidedFile } from './decision.ts';
import { refuseObstacle } from './look-before.ts';
import { KIND_METADATA, type ReplacedFiles } from './replaced-files.ts';

/**
 * What a `difference` file holds, by change; other files hold whatever the run writes.
 */
export function changeName(change: Change | undefined): FileChange | undefined {
  if (change === Change.added) return 'added';
  if (change === Change.updated) return 'updated';
  return change === Change.removed ? 'removed' : undefined;
}

export interface DecideFilesOptions {
  readonly activation: ResolvedActivation;
  readonly run: string;
  readonly generation: number;
  readonly full: boolean;
  /** Is given what the files replace. */
  readonly replaced: ReplacedFiles;
  readonly staged: readonly StagedFile[];
  readonly contentType: string;
  readonly store: BlobStore;
  readonly columns: readonly Pick<Column, 'name' | 'kind'>[];
  /** The files that are appended to; absent where the run begins them. */
  readonly found?: AppendedFiles | undefined;
}

/**
 * Looks at what each file will replace, so that its commit can insist that nothing else
 * happened to it.
 */
export async function decideFiles(options: DecideFilesOptions): Promise<DecidedFile[]> {
  const { activation, staged, store, replaced } = options;
  const seen = await atOnce(staged, async ({ name, resumed }) => (resumed ? undefined : store.head(name)));
  return staged.map((file, index) => {
    const { name, blockIds, bytes, resumed } = file;
    const there = seen[index];
    if (there !== undefined) {
      if (activation.ifExists === 'fail') throw existsError(name);
      refuseObstacle(name, there);
      replaced.add(name, there);
    }
    const etag = resumed?.etag ?? there?.etag;
    const condition: Precondition = etag === undefined ? { ifAbsent: true } : { ifMatch: etag };
    const properties = propertiesOf(file, there, options);
    return { name, blockIds, bytes, condition, properties, ...undoOf(file, there, properties, options) };
  });
}

export function existsError(name: string): SluiceError {
  return new SluiceError('DESTINATION_EXISTS', `${name} exists, and ifExists is fail`, {
    stage: 'destination',
  });
}

/** What the run says of the file by itself; see `propertiesNow`. */
function propertiesOf(
  file: StagedFile,
  there: BlobProperties | undefined,
  options: DecideFilesOptions,
): BlobWriteProperties {
  const { activation, run, generation, full, contentType } = options;
  const { encryptionScope } = activation.blob;
  return {
    contentType,
    ...contentMd5Of(file),
    ...(encryptionScope === undefined ? {} : { encryptionScope }),
    metadata: {
      sluice: activation.name,
      run,
      generation: String(generation),
      [PART_METADATA]: String(file.part),
      [KIND_METADATA]: fileKind(full),
      ...(activation.ifExists === 'append' ? appendMetadata(file, there, options) : {}),
    },
  };
}

/** Where the whole file has one. */
function contentMd5Of({ resumed, checksums: { md5 } }: StagedFile): Pick<BlobWriteProperties, 'contentMd5'> {
  if (resumed !== undefined || md5 === undefined) return {};
  return { contentMd5: Buffer.from(md5, 'hex').toString('base64') };
}

/** Metadata of a file that a later run may append to. */
function appendMetadata(
  { rows, resumed, partition }: StagedFile,
  there: BlobProperties | undefined,
  options: DecideFilesOptions,
): Record<string, string> {
  const { activation, run, columns, found } = options;
  const { since = run } = found?.of(partition?.values) ?? {};
  const loses = losesRows(partition, there, options);
  return {
    [SINCE_METADATA]: since,
    [ROWS_METADATA]: String(rows),
    [ROWS_BEFORE_METADATA]: loses ? BEGUN_ANEW : String(resumed?.rows ?? 0),
    [FORMAT_METADATA]: formatOptions(activation.format),
    [COLUMNS_METADATA]: columnsText(columns),
  };
}

/** Whether published rows are overwritten, for good. */
function losesRows(
  partition: Partition | undefined,
  there: BlobProperties | undefined,
  { activation, generation, found }: DecideFilesOptions,
): boolean {
  const published = found?.of(partition?.values)?.generation ?? generation - 1;
  return there !== undefined && !isBare(there, activation.name, published);
}

/**
 * How rows that were appended can be taken back, should the run never be published whole.
 */
function undoOf(
  { blockIds, rows, resumed, partition }: StagedFile,
  there: BlobProperties | undefined,
  { metadata, contentMd5: _, ...properties }: BlobWriteProperties,
  options: DecideFilesOptions,
): Pick<DecidedFile, 'undo'> {
  if (options.activation.ifExists !== 'append' || rows === resumed?.rows) return {};
  if (losesRows(partition, there, options)) return {};
  const end = resumed?.hasEnd ? blockIds.slice(-1) : [];
  return {
    undo: {
      blockIds: [...(resumed?.blockIds ?? []), ...end],
      properties: { ...properties, metadata: { ...metadata, [ROWS_METADATA]: String(resumed?.rows ?? 0) } },
    },
  };
}

export function toRunFile(
  { name, change, partition, part, rows, bytes, checksums, resumed }: StagedFile,
  partitionBy: readonly string[] = [],
): RunFile {
  const named = changeName(change);
  return {
    name,
    ...(named === undefined ? {} : { change: named }),
    ...(partition && {
      partition: Object.fromEntries(
        partitionBy.map((column, index) => [column, partition.values[index]!] as const),
      ),
    }),
    part,
    rows,
    bytes,
    ...(resumed === undefined ? {} : { appended: { fromRow: resumed.rows, fromByte: resumed.bytes } }),
    ...checksums,
  };
}
