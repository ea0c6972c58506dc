import { Change, type Partition, type RowBatch } from '../../row-batch.ts';
import type { RowTransform } from '../transform.ts';
import type { KnownPartitions } from './known-partitions.ts';
import type { RowSorter } from './row-sorter.ts';

export interface PartitionRowsOptions {
  readonly known: KnownPartitions;
  /** Rows of a partition follow one another in the source, late batches left out. */
  readonly isGrouped: boolean;
  readonly sorter: RowSorter;
}

/**
 * Batches of one partition each. Rows that come together pass; those of a partition that
 * was left behind, and all that come late, are sorted on disk and follow at the end.
 */
export function partitionRows({ known, isGrouped, sorter }: PartitionRowsOptions): RowTransform {
  return async function* partition(batches) {
    const passing = new PassingRows(known, sorter);
    for await (const batch of batches) {
      if (isGrouped && !batch.isLate) {
        yield* passing.of(batch);
      } else {
        for (let row = 0; row < batch.rowCount; row++)
          if (isWritten(batch, row)) sorter.add(known.of(batch, row), batch, row);
        batch.release?.();
      }
      if (sorter.isFull) await sorter.setAside();
    }
    yield* sorter.sorted();
  };
}

function isWritten({ changes }: RowBatch, row: number): boolean {
  return changes === undefined || changes[row]! <= Change.removed;
}

/** Cuts batches where one partition ends and the next one begins. */
class PassingRows {
  readonly #known: KnownPartitions;
  readonly #sorter: RowSorter;
  readonly #begun = new Set<Partition>();
  #current: Partition | undefined;

  constructor(known: KnownPartitions, sorter: RowSorter) {
    this.#known = known;
    this.#sorter = sorter;
  }

  *of(batch: RowBatch): Generator<RowBatch> {
    let from = 0;
    let wanted = 0;
    for (let row = 0; row < batch.rowCount; row++) {
      if (!isWritten(batch, row)) continue;
      const partition = this.#known.of(batch, row);
      if (partition === this.#current) {
        wanted++;
      } else if (this.#begun.has(partition)) {
        this.#sorter.add(partition, batch, row);
        batch.changes ??= new Uint8Array(batch.rowCount).fill(Change.added);
        batch.changes[row] = Change.deferred;
      } else {
        if (wanted > 0) yield this.#cut(batch, from, row);
        this.#current = partition;
        this.#begun.add(partition);
        from = row;
        wanted = 1;
      }
    }
    if (wanted > 0) yield this.#cut(batch, from, batch.rowCount);
    else batch.release?.();
  }

  #cut(batch: RowBatch, from: number, to: number): RowBatch {
    const partition = this.#current;
    if (from === 0 && to === batch.rowCount) {
      batch.partition = partition;
      return batch;
    }
    // The memory is not lent again: other cuts of it may still be read.
    return {
      bytes: batch.bytes,
      rowCount: to - from,
      rowBounds: batch.rowBounds.subarray(2 * from, 2 * to),
      changes: batch.changes?.subarray(from, to),
      partition,
    };
  }
}
