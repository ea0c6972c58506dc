import type { ActivationConfig } from '../schema/schema.ts';
import { finding, firstRepeated, type Rule } from './rule.ts';

/** What has to hold of an activation whose files are partitioned. */
export const PARTITION_RULES: readonly Rule<ActivationConfig>[] = [
  {
    reads: ['partitionBy'],
    check: ({ partitionBy = [] }, { show }) => {
      const repeated = firstRepeated(partitionBy);
      const path = ['partitionBy', repeated];
      return repeated < 0
        ? undefined
        : finding(path, `names ${show(path, partitionBy[repeated] ?? '')} again; each column once`);
    },
  },
  {
    reads: ['partitionBy', 'keepPartitionColumns', 'maxPartitions'],
    check: ({ partitionBy }, { given }) =>
      partitionBy === undefined
        ? ['keepPartitionColumns', 'maxPartitions']
            .filter(key => given.has(key))
            .map(key => finding([key], 'is set without partitionBy, which says what a partition is'))
        : undefined,
  },
  {
    reads: ['partitionBy', 'keepPartitionColumns', 'mapping'],
    check: ({ partitionBy = [], keepPartitionColumns, mapping }, { show }) => {
      if (mapping === undefined) return undefined;
      if (!keepPartitionColumns) {
        return mapping.every(({ from }) => partitionBy.includes(from))
          ? finding(
              ['mapping'],
              'names the columns of partitionBy alone, and with keepPartitionColumns false none of them is written; expected one more column',
            )
          : undefined;
      }
      return partitionBy.flatMap((column, index) => {
        if (mapping.some(({ to }) => to === column)) return [];
        const path = ['partitionBy', index];
        const message = `is ${show(path, column)}, which the mapping does not write; expected a name that it writes, or keepPartitionColumns false, where it is a column of the model`;
        return [finding(path, message)];
      });
    },
  },
  {
    reads: ['partitionBy', 'removedRows', 'syncMode'],
    check: ({ partitionBy, removedRows, syncMode }) =>
      partitionBy !== undefined && syncMode === 'difference' && removedRows === 'keys'
        ? finding(
            ['removedRows'],
            'is keys with partitionBy, and a key does not say which partition its row was in; expected values',
          )
        : undefined,
  },
];
