import type { ResolvedActivation } from '../../config/activation.ts';
import type { Readers } from '../../history/run-record.ts';
import type { Divided, RowSource } from '../../sources/source.ts';
import type { MappingPlan } from '../../transforms/map-columns.ts';

/** How several readers share the rows of a run. */
export type DividedSource = Exclude<Divided, { readonly unfit: string }> & { readonly readers: number };

export interface PlannedReaders {
  /** As the record of the run has it. */
  readonly readers: Readers;
  /** Present where there are several. */
  readonly divided?: DividedSource;
  /** There is one because there is so little, for now. */
  readonly isSmall?: true;
}

/**
 * Why one reader reads, whatever the source says; `undefined` where that is not known
 * without it, or nothing else was asked for.
 */
export function whyOneReader({
  parallel,
  runType,
  source,
  model,
  partitionBy,
}: Pick<ResolvedActivation, 'parallel' | 'runType' | 'source' | 'model' | 'partitionBy'>):
  | string
  | undefined {
  if (parallel === 1) return undefined;
  if (runType === 'full_then_delta') return 'runs of full_then_delta compare all rows in one place';
  if (partitionBy !== undefined) return 'partitionBy groups the rows of the whole source';
  if (source.type !== 'postgres') return 'only tables of PostgreSQL are divided';
  return model.table === undefined ? 'the model is a query, and only a `table` is divided' : undefined;
}

/** How the rows are read; `undefined` where nothing but one reader was asked for. */
export async function planReaders(
  activation: ResolvedActivation,
  source: RowSource,
  { fields }: MappingPlan,
): Promise<PlannedReaders | undefined> {
  const { parallel } = activation;
  if (parallel === 1) return undefined;
  const known = whyOneReader(activation);
  if (known !== undefined || source.slices === undefined) return { readers: oneReader(known) };
  const divided = await source.slices.divide(fields, parallel);
  if (divided.unfit !== undefined) return { readers: oneReader(divided.unfit) };
  const { slices, sliceBytes } = divided;
  if (slices.length === 1)
    return { readers: oneReader('the table has less than 16 MiB, which are not divided'), isSmall: true };
  const count = Math.min(parallel, slices.length);
  const readers = { count, slices: slices.length, sliceBytes };
  return { readers, divided: { ...divided, readers: count } };
}

function oneReader(reason: string | undefined): Readers {
  return { count: 1, ...(reason !== undefined && { reason }) };
}
