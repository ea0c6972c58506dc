import type { DeltaLogWriter } from '../baseline/delta-log.ts';
import { bucketOf, HASH_WORDS, type KeyTable } from '../baseline/key-table.ts';
import { formerQueue, type Spill } from '../baseline/spill.ts';
import { Change, type RowBatch } from '../row-batch.ts';
import type { FormerHasher } from './former-hasher.ts';

export interface FormerKeysOptions {
  readonly count: number;
  readonly hasher: FormerHasher;
  readonly table: KeyTable;
  readonly deltaLog: DeltaLogWriter;
  readonly spill: Spill;
}

/**
 * The keys of a baseline of sync mode `insert` that are known by their former hash alone.
 * One that comes back is not new: its record is replaced by one of the present hash. Only
 * rows that would be added are looked at.
 */
export class FormerKeys {
  readonly #options: FormerKeysOptions;
  /** Buckets of the table that rows wait for. */
  readonly awaited = new Set<number>();
  /** Keys that have not come back. */
  count: number;

  constructor(options: FormerKeysOptions) {
    this.#options = options;
    this.count = options.count;
  }

  /**
   * Makes `unchanged` of `added` where the key is known, and `deferred` where its bucket
   * is not in memory.
   */
  async find(batch: RowBatch, hashes: Int32Array, changes: Uint8Array): Promise<void> {
    const { hasher, table, deltaLog, spill } = this.#options;
    const former = hasher.hash(batch, changes);
    for (let row = 0; row < batch.rowCount; row++) {
      if (changes[row] !== Change.added) continue;
      const at = row * HASH_WORDS;
      const bucket = bucketOf(former[at]!);
      if (!table.isResident(bucket)) {
        changes[row] = Change.deferred;
        this.awaited.add(bucket);
        spill.append(
          formerQueue(bucket),
          batch.bytes,
          batch.rowBounds[2 * row]!,
          batch.rowBounds[2 * row + 1]!,
        );
        continue;
      }
      if (!table.unload(former, at)) continue;
      changes[row] = Change.unchanged;
      this.count--;
      deltaLog.remove(former, at);
      deltaLog.upsert(hashes, at, batch.bytes, 0, 0);
      if (deltaLog.isFull) await deltaLog.flush();
    }
    await spill.drain();
  }
}
