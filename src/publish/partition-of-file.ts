import type { RunFile } from '../history/run-record.ts';

/** In the order of the columns that files are partitioned by. */
export type PartitionValues = readonly (string | null)[];

/** Nothing where the file was partitioned by other columns. */
export function partitionOfFile(
  { partition = {} }: Pick<RunFile, 'partition'>,
  columns: readonly string[],
): PartitionValues | undefined {
  const values = columns.map(column => (Object.hasOwn(partition, column) ? partition[column] : undefined));
  return values.every(value => value !== undefined) ? values : undefined;
}
