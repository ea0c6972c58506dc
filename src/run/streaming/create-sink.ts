import type { ResolvedActivation } from '../../config/activation.ts';
import { fileCompression } from '../../config/format-kinds.ts';
import type { Encoder } from '../../encoders/encoder.ts';
import type { RunRecord } from '../../history/run-record.ts';
import type { Column, Partition } from '../../row-batch.ts';
import { ATTEMPTS_TOLD_APART } from '../../sinks/block-ids.ts';
import { RollingBlobSink } from '../../sinks/rolling-blob-sink.ts';
import type { BlobStore } from '../../sinks/sink.ts';
import type { AppendPlan } from '../planning/append.ts';
import type { RunFiles } from '../run-files.ts';
import type { PartitionNames } from './partition-names.ts';

/** Those of a file can be computed from those of its pieces. */
const JOINED_CHECKSUMS = ['crc64'] as const;

export interface SinkOptions {
  readonly activation: ResolvedActivation;
  readonly record: Pick<RunRecord, 'run' | 'attempt'>;
  readonly store: Pick<BlobStore, 'stageBlock'>;
  readonly createEncoder: (columns: readonly Column[]) => Encoder;
  readonly columns: readonly Column[];
  readonly files: RunFiles;
  readonly append: AppendPlan;
  /** Where the rows of a partition go on; absent where nothing is appended to. */
  readonly appendTo?: (partition: Partition) => Promise<AppendPlan>;
  /** Present where files are partitioned. */
  readonly partitionNames: PartitionNames | undefined;
  /** Present where the rows go into one file together with those of others. */
  readonly share?: FileShare | undefined;
  /** Present where others write parts of the file; see `RollingBlobSinkOptions`. */
  readonly nextPart?: (() => Promise<number>) | undefined;
}

/** What one of those has who stage blocks of one file. */
export interface FileShare {
  /** Tells its blocks from those of others; above 0, which are for the whole file. */
  readonly index: number;
  readonly maxBlocks: number;
  readonly blockBytes: number | undefined;
}

/** Where the rows of a run go, as its activation wants its files. */
export function createSink(options: SinkOptions): RollingBlobSink {
  const { activation, record, store, createEncoder, columns, files, append, appendTo, partitionNames } =
    options;
  const { share, nextPart } = options;
  const isWhole = share === undefined && nextPart === undefined;
  const { format, onEmpty, maxFileBytes, maxFileRows, blockBytes } = activation;
  const { resume, firstPart, mustWrite } = append;
  return new RollingBlobSink({
    store,
    series: files.series,
    createEncoder: () => createEncoder(columns),
    nameOf: (partitionNames ?? files).nameOf,
    partitioned: partitionNames !== undefined,
    runId: record.run,
    attempt: ((record.attempt ?? 1) - 1) % ATTEMPTS_TOLD_APART,
    compression: fileCompression(format) ?? 'none',
    level: 'level' in format ? format.level : undefined,
    engine: format.engine,
    checksums: share ? JOINED_CHECKSUMS : format.checksums,
    firstFileIndex: share?.index,
    maxBlocks: share?.maxBlocks,
    maxFileBytes,
    maxFileRows,
    blockBytes: share?.blockBytes ?? blockBytes,
    // Behind parts that were published, a file without rows would be one more.
    emptyFiles: isWhole && ((onEmpty === 'write' && firstPart === 1) || mustWrite) ? 'write' : 'skip',
    encryptionScope: activation.blob.encryptionScope,
    endInBlockOfItsOwn: activation.ifExists === 'append',
    start: { resume, firstPart },
    nextPart,
    startOf: appendTo,
  });
}
