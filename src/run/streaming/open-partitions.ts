import type { ResolvedActivation } from '../../config/activation.ts';
import type { Journal } from '../../publish/journal.ts';
import type { RowSource } from '../../sources/source.ts';
import type { MappingPlan } from '../../transforms/map-columns.ts';
import { KnownPartitions } from '../../transforms/partitions/known-partitions.ts';
import { partitionRows } from '../../transforms/partitions/partition-rows.ts';
import { RowSorter } from '../../transforms/partitions/row-sorter.ts';
import type { RowTransform } from '../../transforms/transform.ts';
import type { RunFiles } from '../run-files.ts';
import { PartitionNames } from './partition-names.ts';

export interface OpenPartitions {
  readonly names: PartitionNames;
  readonly transform: RowTransform;
  readonly sorter: RowSorter;
}

/**
 * What deals the rows of a run into partitions; nothing where there are none. Whoever
 * opens it removes what the sorter has set aside.
 */
export function openPartitions({
  activation: { partitionBy, maxPartitions },
  run,
  journal,
  source,
  mapping,
  files,
  readsChanges,
}: {
  readonly activation: ResolvedActivation;
  readonly run: string;
  readonly journal: Pick<Journal, 'path'>;
  readonly source: RowSource;
  readonly mapping: MappingPlan;
  readonly files: RunFiles;
  /** Rows come as they were written, and not as the source sorts them. */
  readonly readsChanges: boolean;
}): OpenPartitions | undefined {
  const { fields, partitionFields } = mapping;
  if (partitionBy === undefined || partitionFields === undefined) return undefined;
  const names = new PartitionNames(files, partitionBy);
  const sorter = new RowSorter(journal.path(run, 'partitions'));
  const known = new KnownPartitions({
    fields,
    partitionFields,
    maxPartitions,
    onFound: partition => void names.nameOf(files.series[0]!.change, 1, partition),
  });
  const isGrouped = source.groups !== undefined && !readsChanges;
  return { names, transform: partitionRows({ known, isGrouped, sorter }), sorter };
}
