import type { Assembly } from '../../assemble.ts';
import type { ResolvedActivation } from '../../config/activation.ts';
import type { ChangeDetection, RunCounts, RunRecord, RunWarning } from '../../history/run-record.ts';
import { type ArrivedRows, flow } from '../../pipeline.ts';
import { rememberFiles } from '../../publish/append/appended-files.ts';
import type { SealedRun } from '../../publish/protocol.ts';
import type { Partition } from '../../row-batch.ts';
import type { RollingBlobSink } from '../../sinks/rolling-blob-sink.ts';
import type { BlobStore } from '../../sinks/sink.ts';
import type { Workspace } from '../../state/workspace.ts';
import type { ChangeSample, ChangeSampler } from '../../transforms/change-sampler.ts';
import type { RestOfRows } from '../../transforms/rest-of-rows.ts';
import { type AppendPlan, NOTHING_TO_APPEND_TO, planAnew, planAppend } from '../planning/append.ts';
import { recordOfDetection, restOf } from '../planning/change-detection.ts';
import { type Comparison, openComparison } from '../planning/comparison.ts';
import type { PlannedExport } from '../planning/plan-run.ts';
import type { DividedSource } from '../planning/readers.ts';
import { emptyResultWarning } from '../warnings/outcome-warnings.ts';
import { CRC64_REFUSED, coercionWarnings, keyWarnings } from '../warnings/run-warnings.ts';
import { createSink } from './create-sink.ts';
import { openPartitions } from './open-partitions.ts';
import { ParallelSource } from './parallel/parallel-source.ts';
import { countsOf } from './run-counts.ts';
import { openSampler, sampleAll, sampleOf } from './sample-changes.ts';

export interface StreamRunOptions {
  readonly activation: ResolvedActivation;
  readonly record: Pick<RunRecord, 'run' | 'attempt'>;
  readonly opened: PlannedExport;
  readonly assembly: Assembly;
  readonly store: BlobStore;
  readonly workspace: Pick<Workspace, 'journal' | 'baseline'>;
  readonly signal: AbortSignal;
  readonly arrived: ArrivedRows;
  /** See `ExportRequest`. */
  readonly plans: boolean;
  readonly clean?: ((text: string) => string) | undefined;
  /** The query is sent next; its first row may take long. */
  readonly onReading: (sink: RollingBlobSink) => void;
  /** Is given what must be released when the run has ended. */
  readonly onOpened: (release: () => Promise<void>) => void;
}

/** All rows have been read, compared and encoded; all blocks are acknowledged. */
export interface StreamedRun {
  readonly counts: RunCounts;
  readonly changeDetection: ChangeDetection | undefined;
  /** The first rows of each change, where somebody may want to judge the run by them. */
  readonly sample: ChangeSample | undefined;
  readonly warnings: readonly RunWarning[];
  /** Makes the delta log durable, once the gates are passed. */
  readonly seal: () => Promise<SealedRun>;
}

/** Reads, compares, encodes and stages. */
export async function streamRun(options: StreamRunOptions): Promise<StreamedRun> {
  const { activation, record, assembly, store, workspace, signal, arrived, plans, clean } = options;
  const { onReading, onOpened } = options;
  const { mapping, files, plan, detection, readers, appended } = options.opened;
  const planOf = appending(options);
  const append = activation.partitionBy === undefined ? await planOf() : NOTHING_TO_APPEND_TO;
  const columns = mapping.written;
  const { source, createEncoder } = assembly;
  const sampler = openSampler({ mapping, plan, plans, clean });
  // Samples are taken of rows that nobody has encoded.
  const parallel = readers?.divided && !sampler && openParallel(options, readers.divided);
  const comparison = plan.keepsState ? await compare(options, sampler) : undefined;
  const diff = comparison?.diff.transform.bind(comparison.diff) ?? (sampler && sampleAll(sampler));
  const since = comparison?.rest && detection?.since;
  const opened = openPartitions({
    activation,
    run: record.run,
    journal: workspace.journal,
    source,
    mapping,
    files,
    readsChanges: since !== undefined,
  });
  if (opened) onOpened(() => opened.sorter.remove());
  const { transform: partitions, names: partitionNames } = opened ?? {};
  const sink = createSink({
    activation,
    record,
    store,
    createEncoder: parallel ? parallel.createEncoder : createEncoder,
    columns,
    files,
    append,
    appendTo: planOf,
    partitionNames,
  });
  onReading(sink);
  const end = await flow({
    source: parallel || source,
    mapping,
    since,
    diff,
    partitions,
    sink,
    signal,
    arrived,
  });

  const counts = countsOf(end.rows, comparison?.diff, sink);
  const empty = emptyResultWarning(activation, counts);
  const warnings = [
    ...(appended?.warnings ?? []),
    ...(comparison ? keyWarnings(comparison.diff) : []),
    ...coercionWarnings(new Map([...sink.coerced, ...(parallel ? parallel.coerced : [])]), activation.format),
    ...(empty ? [empty] : []),
    ...(assembly.store.refusesCrc64 ? [CRC64_REFUSED] : []),
  ];
  const changeDetection = detection && recordOfDetection(detection, comparison?.diff.candidates);
  const sample = sampler && sampleOf(sampler, counts, activation);
  const staged = sink.files;
  const seal = async (): Promise<SealedRun> => {
    if (comparison === undefined) return { staged, baseline: undefined };
    const { digest, hashing } = comparison.diff;
    await comparison.deltaLog.seal({ counts, digest });
    const { generation, identity, retained, position, known, full } = plan;
    const count = counts.added + (full ? 0 : known - counts.removed);
    const { run } = record;
    const { state } = workspace.baseline;
    const kept = {
      ...(detection?.next && { changes: detection.next }),
      ...(activation.ifExists === 'append' && {
        appended: rememberFiles({
          activation,
          state,
          found: appended,
          staged,
          run,
          generation,
          nameOf: files.nameOfPart,
        }),
      }),
    };
    const baseline = { generation, run, count, digest, hashing, identity, retained, position, ...kept };
    return { staged, found: appended, baseline };
  };
  return { counts, changeDetection, sample, warnings, seal };
}

/** Where the rows of a run go on: in the only file, or in that of a partition. */
function appending(options: StreamRunOptions): (partition?: Partition) => Promise<AppendPlan> {
  const { opened, assembly, store, workspace } = options;
  const { ifExists, name: activation, format } = options.activation;
  const { mapping, files, plan, appended } = opened;
  const { state } = workspace.baseline;
  if (ifExists !== 'append') return async () => NOTHING_TO_APPEND_TO;
  if (appended === undefined) {
    const nameOf = (part: number): string => files.nameOfPart(part, undefined);
    // A partition without rows has no file.
    return async partition =>
      partition ? NOTHING_TO_APPEND_TO : planAnew({ store, activation, nameOf, state });
  }
  const columns = mapping.written;
  const hasEnd = assembly.createEncoder(columns).endBytes > 0;
  const { hasSameColumns } = plan;
  const file = { files: appended, blockLists: assembly.store, activation, format };
  return partition => planAppend({ ...file, values: partition?.values, hasEnd, columns, hasSameColumns });
}

function openParallel(
  { activation, assembly, opened: { mapping }, onOpened }: StreamRunOptions,
  divided: DividedSource,
): ParallelSource {
  const parallel = new ParallelSource({ activation, assembly, divided, mapping });
  onOpened(() => parallel.close());
  return parallel;
}

async function compare(
  options: StreamRunOptions,
  sampler: ChangeSampler | undefined,
): Promise<Comparison & { readonly rest: RestOfRows | undefined }> {
  const { activation, record, opened, assembly, workspace, signal, arrived, plans, onOpened } = options;
  const { mapping, plan, detection } = opened;
  const { source } = assembly;
  const rest = detection && restOf({ source, mapping }, detection, { signal, onRows: arrived.add });
  const { journal, baseline } = workspace;
  const comparison = await openComparison({
    activation,
    run: record.run,
    journal,
    baseline,
    mapping,
    plan,
    rest,
    sampler,
    plans,
  });
  onOpened(() => comparison.deltaLog.close());
  onOpened(() => comparison.spill.remove());
  return { ...comparison, rest };
}
