import { type Assembly, assemble } from '../../assemble.ts';
import { SYSTEM_CLOCK } from '../../clock.ts';
import type { ResolvedActivation } from '../../config/activation.ts';
import { type Encoder, isBuffering } from '../../encoders/encoder.ts';
import { RowGroupsEncoder } from '../../encoders/row-groups-encoder.ts';
import { RowsEncoder } from '../../encoders/rows-encoder.ts';
import { SluiceError } from '../../errors.ts';
import { ArrivedRows, flow, type Pipeline } from '../../pipeline.ts';
import type { Column } from '../../row-batch.ts';
import type { StagedFile } from '../../sinks/sink.ts';
import type { KeyRange } from '../../sources/source.ts';
import { planMapping } from '../../transforms/map-columns.ts';
import { closingOnAbort } from '../close-on-abort.ts';
import { concealed } from '../concealed.ts';
import { NOTHING_TO_APPEND_TO } from '../planning/append.ts';
import { keyOf } from '../planning/model-key.ts';
import { toSluiceError } from '../run-failure.ts';
import { RunFiles } from '../run-files.ts';
import { ProgressReport, type RunProgress } from '../run-progress.ts';
import { createSink, type FileShare } from '../streaming/create-sink.ts';
import type { PlanFiles } from './plan-files.ts';
import {
  BEGIN_AGAIN,
  blocksOfSlice,
  checkConfiguration,
  recordOf,
  type SlicedPlan,
  type SliceFailure,
  type SliceResult,
  writesParts,
} from './sliced-plan.ts';

export interface SliceRequest {
  readonly activation: ResolvedActivation;
  readonly files: PlanFiles;
  readonly plan: SlicedPlan;
  /** Counted from 0. */
  readonly slice: number;
  /** Who reads it, as the record of the run names it. */
  readonly worker?: string;
  readonly signal: AbortSignal;
  readonly observe?: ((progress: () => RunProgress) => void) | undefined;
}

/**
 * The second verb: reads one slice in a snapshot of its own, encodes and stages its rows,
 * and leaves behind what was staged. Where there is a result it stays, and is the result;
 * of several at once the last one stays, and any of them will do. `undefined` where the
 * plan has no such slice.
 */
export async function readSlice(request: SliceRequest): Promise<SliceResult | undefined> {
  const { activation, files, plan, slice, signal } = request;
  checkConfiguration(plan, activation);
  if (slice >= plan.slices.length) return undefined;
  const earlier = await files.readResult(plan, slice).catch(damaged);
  if (earlier !== undefined) return earlier;
  try {
    const result = await stageSlice(request);
    await files.writeResult(result);
    return result;
  } catch (cause) {
    const told = concealed(toSluiceError(cause, signal.aborted), activation);
    const error = plan.slices.length === 1 ? told : inSlice(told, slice);
    if (error.code !== 'CANCELLED') await files.noteFailure(failureOf(error, plan, slice)).catch(() => {});
    throw error;
  }
}

/** A result that is damaged is made again. */
function damaged(error: unknown): undefined {
  if (error instanceof SluiceError && error.code === 'STATE_DAMAGED') return undefined;
  throw error;
}

async function stageSlice({
  activation,
  files,
  plan,
  slice,
  signal,
  observe,
  worker,
}: SliceRequest): Promise<SliceResult> {
  const progress = new ProgressReport(observe, SYSTEM_CLOCK);
  progress.connecting('destination');
  const { onRetry, onRetried } = progress;
  const assembly = await assemble(activation, { signal, onRetry, onRetried });
  const { source, store } = assembly;
  await store.checkAccess();
  const attempt = await files.claimAttempt(plan, slice);
  try {
    progress.connecting('source');
    const description = await closingOnAbort(source, signal, () => source.describe());
    checkColumns(plan, description.columns);
    const { columns, snapshotTime } = description;
    const primaryKey = keyOf(activation, description);
    const mapping = planMapping({ ...activation, modelName: activation.model.name, columns, primaryKey });
    const isOneOfMany = plan.slices.length > 1;
    const ownParts = isOneOfMany && writesParts(activation);
    const apart = isOneOfMany && !ownParts ? new RowsApart(assembly, plan) : undefined;
    const record = recordOf(plan, activation);
    const sink = createSink({
      activation,
      record: { run: plan.run, attempt: attempt + 1 },
      store,
      createEncoder: apart?.createEncoder ?? assembly.createEncoder,
      columns: mapping.written,
      files: new RunFiles(activation, record, 'full'),
      append: NOTHING_TO_APPEND_TO,
      partitionNames: undefined,
      share: apart && shareOf(plan, slice),
      nextPart: ownParts ? numbering(files, plan, slice) : undefined,
    });
    const arrived = new ArrivedRows();
    progress.reading(arrived, sink);
    const end = await flow({ source: sliceOf(assembly, plan, slice), mapping, sink, signal, arrived });
    if (apart && sink.files.length > 1) throw tooMuch(plan, apart);
    return {
      version: 1,
      run: plan.run,
      slice,
      attempt,
      ...(worker !== undefined && { worker }),
      snapshotTime: snapshotTime.toISOString(),
      rows: end.rows,
      files: sink.files.map(file => resultOf(file, apart)),
      coerced: [...sink.coerced],
      refusesCrc64: store.refusesCrc64,
    };
  } finally {
    await source.close();
  }
}

/** Encoders of rows that are joined with those of other slices. */
class RowsApart {
  /** Present where the end of the file is to speak of its rows. */
  rowGroups: RowGroupsEncoder['rowGroups'] | undefined;
  readonly createEncoder: (columns: readonly Column[]) => Encoder;
  /** How many a slice may have; each has the same share of those of a file. */
  maxRowGroups: number | undefined;

  constructor({ createEncoder }: Pick<Assembly, 'createEncoder'>, { slices }: SlicedPlan) {
    this.createEncoder = columns => {
      const encoder = createEncoder(columns);
      if (!isBuffering(encoder)) return new RowsEncoder(encoder);
      this.maxRowGroups = Math.max(1, Math.floor(encoder.maxRowGroups! / slices.length));
      const apart = new RowGroupsEncoder(encoder, this.maxRowGroups);
      this.rowGroups = apart.rowGroups;
      return apart;
    };
  }
}

function resultOf(
  { name, part, blockIds, rows, bytes, checksums }: StagedFile,
  apart: RowsApart | undefined,
): SliceResult['files'][number] {
  const rowGroups = apart?.rowGroups?.map(({ metadata, ...rowGroup }) => ({
    ...rowGroup,
    metadata: Buffer.from(metadata).toString('base64'),
  }));
  return { name, part, blockIds, rows, bytes, checksums, ...(rowGroups && { rowGroups }) };
}

/** Parts have the numbers that the slice has, in their order. */
function numbering(files: PlanFiles, plan: SlicedPlan, slice: number): () => Promise<number> {
  let last = 0;
  return async () => (last = await files.claimPart(plan, slice, last));
}

/** Blocks are numbered by slices, and the file has room for those of all. */
function shareOf({ slices, blockBytes }: SlicedPlan, slice: number): FileShare {
  return { index: slice + 1, maxBlocks: blocksOfSlice(slices.length), blockBytes };
}

function sliceOf({ source }: Assembly, { slices }: SlicedPlan, slice: number): Pipeline['source'] {
  const range = slices[slice]!;
  if (range.key === undefined) return source;
  return {
    read: columns => source.keyRanges!.readRange(columns, range as KeyRange),
    finish: () => source.finish(),
    changes: undefined,
  };
}

/** Rejects where the table has other columns than it had at `begin`. */
function checkColumns({ description, run }: SlicedPlan, columns: readonly Column[]): void {
  if (JSON.stringify(description.columns) === JSON.stringify(columns)) return;
  const message = `the columns of the model have changed since run ${run} was begun`;
  throw new SluiceError('SCHEMA_CHANGED', message, { stage: 'source', hint: BEGIN_AGAIN });
}

function tooMuch({ slices }: SlicedPlan, { maxRowGroups }: RowsApart): SluiceError {
  const blocks = `${blocksOfSlice(slices.length)} blocks`;
  const share = maxRowGroups === undefined ? blocks : `${blocks} or ${maxRowGroups} row groups`;
  const message = `the slice takes more than ${share}, its share of what a file may have`;
  const larger = maxRowGroups === undefined ? 'blockSize' : 'blockSize or format.rowGroupRows';
  return new SluiceError('ROW_TOO_LARGE', message, {
    stage: 'destination',
    hint: `raise ${larger} of the activation, or set maxFileSize, and begin again`,
  });
}

function inSlice({ code, message, stage, hint, retryable, cause }: SluiceError, slice: number): SluiceError {
  const told = { cause, hint, retryable, ...(stage && { stage }) };
  return new SluiceError(code, `slice ${slice}: ${message}`, told);
}

function failureOf(error: SluiceError, { run }: SlicedPlan, slice: number): SliceFailure {
  const { code, message, hint, retryable } = error;
  return { version: 1, run, slice, error: { code, message, hint, retryable } };
}
