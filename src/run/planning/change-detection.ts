import { addAbortSignal } from 'node:stream';
import type { BaselineState, ChangesSince } from '../../baseline/baseline.ts';
import type { ResolvedActivation } from '../../config/activation.ts';
import { SluiceError } from '../../errors.ts';
import type { ChangeDetection } from '../../history/run-record.ts';
import type { BaselinePlan } from '../../publish/baseline-plan.ts';
import type { Column, RowBatch } from '../../row-batch.ts';
import type { RowSource, SnapshotMark } from '../../sources/source.ts';
import type { MappingPlan } from '../../transforms/map-columns.ts';
import type { RestOfRows } from '../../transforms/rest-of-rows.ts';
import { closingOnAbort } from '../close-on-abort.ts';

/** How a run finds what has changed, and what it leaves for the next one. */
export interface Detection {
  /** `xmin`: only rows are read that were written since the baseline. */
  readonly mode: 'full' | 'xmin';
  /** Why all rows are read, although that is not what was asked for. */
  readonly reason?: string;
  /** The snapshot of the baseline, where rows that were written since are found by it. */
  readonly since?: SnapshotMark;
  /** The mark of the run's own snapshot, for the next one. */
  readonly next?: ChangesSince;
}

export interface DetectionOptions {
  readonly activation: Pick<
    ResolvedActivation,
    'name' | 'changeDetection' | 'fullCompareEvery' | 'parameters'
  >;
  readonly source: Pick<RowSource, 'changes'>;
  readonly mapping: MappingPlan;
  readonly plan: Pick<BaselinePlan, 'full' | 'keepsState' | 'compares'>;
  readonly local: BaselineState | undefined;
  readonly snapshotTime: Date;
}

/**
 * `undefined` where nothing else than reading every row was ever asked for. Throws where
 * `xmin` can never be.
 */
export async function planDetection(options: DetectionOptions): Promise<Detection | undefined> {
  const { activation, plan, source, local } = options;
  const { changeDetection } = activation;
  if (changeDetection === 'full' || !plan.keepsState) return undefined;
  const found = await markSnapshot(options);
  if ('unfit' in found) {
    if (changeDetection === 'xmin') throw unfitError(activation, found.unfit);
    return { mode: 'full', reason: found.unfit };
  }
  const { mark } = found;
  const comparedAt = options.snapshotTime.toISOString();
  const full = { mode: 'full', next: { mark, comparedAt, runsSince: 0 } } as const;
  if (local?.distrusted !== undefined) return { ...full, reason: local.distrusted };
  if (plan.full || local === undefined) return full;
  const before = local.changes;
  if (before === undefined)
    return { ...full, reason: 'the baseline was made without noting what this one could be compared by' };
  if (!plan.compares || local.hashing === undefined || local.hashing.former !== undefined)
    return { ...full, reason: 'the baseline was made by an earlier version' };
  const obstacle = source.changes!.obstacle(before.mark, mark);
  if (obstacle !== undefined) return { ...full, reason: obstacle };
  const due = whyDue(before, options);
  if (due !== undefined) return { ...full, reason: due, since: before.mark };
  return { mode: 'xmin', since: before.mark, next: { ...before, mark, runsSince: before.runsSince + 1 } };
}

/** The mark of the snapshot that is open, or what is in the way in any run. */
export async function markSnapshot({
  activation: { parameters },
  source,
  mapping: { fields, keyFields },
}: Pick<DetectionOptions, 'activation' | 'source' | 'mapping'>): Promise<
  { readonly mark: SnapshotMark } | { readonly unfit: string }
> {
  // What a condition looks at is read from a plan of the query, which has no values.
  if (parameters !== undefined)
    return { unfit: 'its query has parameters, and the server does not tell what they let through' };
  if (source.changes === undefined) return { unfit: 'the model is not a `table` of PostgreSQL' };
  const marked = await source.changes.mark({ fields, key: keyFields.map(place => fields[place]!) });
  return marked.mark === undefined ? { unfit: marked.unfit } : { mark: marked.mark };
}

export function unfitError({ name }: Pick<ResolvedActivation, 'name'>, unfit: string): SluiceError {
  const message = `changes of ${name} cannot be found by xmin: ${unfit}`;
  return new SluiceError('SOURCE_QUERY_INVALID', message, {
    stage: 'source',
    hint: 'set changeDetection: auto, which reads every row then, or full; or change the model: see docs/guide/deltas.md',
  });
}

/**
 * What else the diff may ask of the source, where only rows come that were written since
 * the baseline.
 */
export function restOf(
  { source, mapping: { fields, keyFields } }: { readonly source: RowSource; readonly mapping: MappingPlan },
  { mode, since }: Detection,
  { signal, onRows }: { readonly signal: AbortSignal; readonly onRows: (count: number) => void },
): RestOfRows | undefined {
  const { changes } = source;
  if (since === undefined || changes === undefined) return undefined;
  const read = (columns: readonly Column[]) => counted(addAbortSignal(signal, source.read(columns)), onRows);
  return {
    count: () => closingOnAbort(source, signal, () => changes.count()),
    check: () => closingOnAbort(source, signal, () => changes.check()),
    keys: () => read(keyFields.map(place => fields[place]!)),
    ...(mode === 'full' && { rows: () => read(fields) }),
  };
}

async function* counted(
  batches: AsyncIterable<RowBatch>,
  onRows: (count: number) => void,
): AsyncGenerator<RowBatch> {
  for await (const batch of batches) {
    onRows(batch.rowCount);
    yield batch;
  }
}

/** As the record of a run has it. */
export function recordOfDetection(
  { mode, reason }: Detection,
  candidates: number | undefined,
): ChangeDetection {
  return {
    mode,
    ...(reason !== undefined && { reason }),
    ...(mode === 'xmin' && candidates !== undefined && { candidates }),
  };
}

function whyDue(
  { comparedAt, runsSince }: ChangesSince,
  { activation: { fullCompareEvery }, snapshotTime }: DetectionOptions,
): string | undefined {
  const { runs, every } = fullCompareEvery;
  if (runsSince + 1 >= runs)
    return `fullCompareEvery: ${runsSince + 1} runs since all rows were compared at ${comparedAt}`;
  const elapsed = snapshotTime.getTime() - Date.parse(comparedAt);
  // A clock that went back is not waited for.
  if (elapsed >= 0 && elapsed < every) return undefined;
  return `fullCompareEvery: all rows were last compared at ${comparedAt}`;
}
