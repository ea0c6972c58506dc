import type { Baseline } from '../baseline/baseline.ts';
import {
  BUCKETS,
  bucketOf,
  type Digest,
  EMPTY_DIGEST,
  HASH_WORDS,
  type KeyTable,
} from '../baseline/key-table.ts';
import type { Spill } from '../baseline/spill.ts';
import { SluiceError } from '../errors.ts';
import { Change, type RowBatch } from '../row-batch.ts';

export interface ResidentBucketsOptions {
  readonly baseline: Baseline | undefined;
  readonly table: KeyTable;
  readonly spill: Spill;
  /** What the table may take. */
  readonly memoryBytes: number;
}

/** What the table takes where all keys had to be looked up. */
const TABLE_BYTES_PER_KEY = 35;
/** Buckets that are set aside at once when the table has outgrown its memory. */
const EVICTED_TOGETHER = 16;

/**
 * Keeps the table of keys within its memory: some buckets are in it, and rows of the
 * others wait on disk until theirs has its turn.
 */
export class ResidentBuckets {
  readonly #options: ResidentBucketsOptions;
  /** Whether all buckets are in memory and have been since the start. */
  #isWhole = false;
  /** The digest of what the baseline has given so far. */
  #loaded: Digest = EMPTY_DIGEST;

  constructor(options: ResidentBucketsOptions) {
    this.#options = options;
  }

  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Reads as much of the baseline as there is memory for. */
  async open(): Promise<void> {
    const { baseline, table, memoryBytes } = this.#options;
    const count = baseline?.state?.count ?? 0;
    const share = Math.min(1, memoryBytes / (count * TABLE_BYTES_PER_KEY + 1));
    const resident = Math.max(1, Math.floor(BUCKETS * share));
    for (let bucket = 0; bucket < resident; bucket++) table.open(bucket, count / BUCKETS);
    this.#isWhole = resident === BUCKETS;
    await baseline?.load(table, 0, resident);
    this.#loaded = table.digest;
  }

  /** Sets rows aside whose bucket is not in memory; returns how many. */
  defer(
    { bytes, rowBounds, rowCount }: RowBatch,
    hashes: Int32Array,
    changes: Uint8Array,
    queueOf = (bucket: number): number => bucket,
  ): number {
    const { table, spill } = this.#options;
    if (this.#isWhole) return 0;
    let deferred = 0;
    for (let row = 0; row < rowCount; row++) {
      if (changes[row] !== Change.added) continue;
      const bucket = bucketOf(hashes[row * HASH_WORDS]!);
      if (table.isResident(bucket)) continue;
      changes[row] = Change.deferred;
      spill.append(queueOf(bucket), bytes, rowBounds[2 * row]!, rowBounds[2 * row + 1]!);
      deferred++;
    }
    return deferred;
  }

  /** Where the table has outgrown its memory, its last resident buckets go to disk. */
  async setAsideSurplus(): Promise<void> {
    const { table, spill, memoryBytes } = this.#options;
    if (table.bytes <= memoryBytes) return;
    let left = EVICTED_TOGETHER;
    this.#isWhole = false;
    for (let bucket = BUCKETS - 1; bucket > 0 && left > 0; bucket--) {
      if (!table.isResident(bucket)) continue;
      await spill.setAside(bucket, table.slotsOf(bucket));
      table.close(bucket);
      left--;
    }
  }

  /** Brings a bucket into memory, as it was set aside or as the baseline has it. */
  async reopen(bucket: number): Promise<void> {
    const { baseline, table, spill } = this.#options;
    const slots = await spill.slotsOf(bucket);
    if (slots !== undefined) {
      table.restore(bucket, slots);
      return;
    }
    table.open(bucket, (baseline?.state?.count ?? 0) / BUCKETS);
    const before = table.digest;
    await baseline?.load(table, bucket, bucket + 1);
    const after = table.digest;
    this.#loaded = {
      low: (this.#loaded.low + after.low - before.low) | 0,
      high: (this.#loaded.high + after.high - before.high) | 0,
    };
  }

  /**
   * All of the baseline was read: its digest must be the one written with it. Throws
   * STATE_DAMAGED.
   */
  checkBaseline(): void {
    const told = this.#options.baseline?.state?.digest ?? EMPTY_DIGEST;
    if (told.low === this.#loaded.low && told.high === this.#loaded.high) return;
    const message = 'the baseline is damaged: its records do not add up to its digest';
    throw new SluiceError('STATE_DAMAGED', message, { stage: 'state' });
  }
}
