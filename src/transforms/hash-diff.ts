import type { Baseline, Retained } from '../baseline/baseline.ts';
import type { DeltaLogWriter } from '../baseline/delta-log.ts';
import { BUCKETS, bucketOf, type Digest, EMPTY_DIGEST, HASH_WORDS, KeyTable } from '../baseline/key-table.ts';
import { type HashSeed, hashInto } from '../baseline/row-hash.ts';
import { batchOf, type Spill } from '../baseline/spill.ts';
import { SluiceError } from '../errors.ts';
import { Change, type RowBatch } from '../row-batch.ts';
import { KeyFields } from './key-fields.ts';

export interface HashDiffOptions {
  /** What the rows are compared with; `undefined` compares with nothing: every row is added. */
  readonly baseline: Baseline | undefined;
  /** Receives what the baseline has to become. */
  readonly deltaLog: DeltaLogWriter;
  readonly spill: Spill;
  readonly seed: HashSeed;
  /** Places of the key's fields in a row, in the order of the primary key, and their names. */
  readonly keyFields: readonly number[];
  readonly keyNames: readonly string[];
  /** Fields of a row, key fields that are not written included. */
  readonly fieldCount: number;
  readonly retained: Retained;
  /** A known key is unchanged whatever its values, and no key is ever removed: sync mode `insert`. */
  readonly keysOnly: boolean;
  /** Send removed rows on, with what the baseline retained of them. */
  readonly sendsRemoved: boolean;
  readonly onNullKey: 'fail' | 'skip';
  readonly onDuplicateKey: 'fail' | 'first';
  /** Memory for the table of keys; rows of buckets beyond it wait on disk. */
  readonly stateMemoryBytes: number;
}

export interface DiffCounts {
  read: number;
  added: number;
  updated: number;
  removed: number;
  unchanged: number;
  nullKeys: number;
  duplicateKeys: number;
}

/** A key that was null or repeated, for the run's record. */
export interface KeySample {
  readonly problem: 'null' | 'duplicate';
  readonly key: readonly (string | null)[];
}
const MAX_SAMPLES = 100;
const BATCH_BYTES = 256 * 1024;
/** Of the table, where all keys had to be looked up. */
const TABLE_BYTES_PER_KEY = 35;
/** Buckets that are set aside at once when the table has outgrown its memory. */
const EVICTED_TOGETHER = 16;

/**
 * Tags each row by comparing its hashes with the baseline: added, updated or unchanged as it passes, removed for what
 * did not come. Batches without a change are not sent on. The baseline is only read.
 *
 * Memory stays within `stateMemoryBytes` however many keys there are: keys are dealt into 256 buckets by hash; rows of
 * buckets that are not in memory are set aside on disk and their buckets take their turn at the end (hybrid hash
 * join). Rows then arrive in another order than the source's.
 */
export class HashDiff {
  readonly counts: DiffCounts = {
    read: 0,
    added: 0,
    updated: 0,
    removed: 0,
    unchanged: 0,
    nullKeys: 0,
    duplicateKeys: 0,
  };
  readonly samples: KeySample[] = [];

  readonly #options: HashDiffOptions;
  readonly #table = new KeyTable();
  readonly #keyFields: KeyFields;
  #loaded: Digest = EMPTY_DIGEST;
  #hashes = new Int32Array(4096 * HASH_WORDS);

  constructor(options: HashDiffOptions) {
    this.#options = options;
    this.#keyFields = new KeyFields(options.keyFields);
  }

  /** Of the rows as they now are; final when `transform` has ended. */
  get digest(): Digest {
    return this.#table.digest;
  }

  async *transform(batches: AsyncIterable<RowBatch>): AsyncGenerator<RowBatch> {
    await this.#openTable();
    for await (const batch of batches) {
      this.counts.read += batch.rowCount;
      if (await this.#compare(batch)) yield batch;
      else batch.release?.();
      if (this.#table.bytes > this.#options.stateMemoryBytes) await this.#setAside();
    }
    const waiting: number[] = [];
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      if (this.#table.isResident(bucket)) yield* this.#removed(bucket);
      else waiting.push(bucket);
    }
    for (const bucket of waiting) {
      await this.#reopen(bucket);
      for await (const batch of this.#options.spill.rowsOf(bucket))
        if (await this.#compare(batch)) yield batch;
      yield* this.#removed(bucket);
    }
    this.#checkBaseline();
    this.#checkKeys();
    await this.#options.deltaLog.flush();
  }

  async #openTable(): Promise<void> {
    const { baseline, stateMemoryBytes } = this.#options;
    const count = baseline?.state?.count ?? 0;
    const share = Math.min(1, stateMemoryBytes / (count * TABLE_BYTES_PER_KEY + 1));
    const resident = Math.max(1, Math.floor(BUCKETS * share));
    for (let bucket = 0; bucket < resident; bucket++) this.#table.open(bucket, count / BUCKETS);
    await baseline?.load(this.#table, 0, resident);
    this.#loaded = this.#table.digest;
  }

  /** Sets each row's change; returns whether any of them has to go on. */
  async #compare(batch: RowBatch): Promise<boolean> {
    const { deltaLog, spill, keysOnly, retained } = this.#options;
    const { counts } = this;
    const { rowCount, bytes, rowBounds } = batch;
    const changes = new Uint8Array(rowCount);
    batch.changes = changes;
    if (this.#hashes.length < rowCount * HASH_WORDS) this.#hashes = new Int32Array(rowCount * 2 * HASH_WORDS);
    const hashes = this.#hashes;
    const deferred = this.#hash(batch, changes, hashes);
    const repeated = this.#table.probe(hashes, rowCount, changes, { keysOnly });
    if (repeated > 0) this.#noteRepeated(batch, changes, repeated);

    let changed = 0;
    for (let row = 0; row < rowCount; row++) {
      switch (changes[row]) {
        case Change.added:
        case Change.updated: {
          if (changes[row] === Change.added) counts.added++;
          else counts.updated++;
          changed++;
          if (retained === 'key') {
            const key = this.#keyFields.copyOf(batch, row);
            deltaLog.upsert(hashes, row * HASH_WORDS, key, 0, key.length);
          } else {
            deltaLog.upsert(hashes, row * HASH_WORDS, bytes, rowBounds[2 * row]!, rowBounds[2 * row + 1]!);
          }
          if (deltaLog.isFull) await deltaLog.flush();
          break;
        }
        case Change.unchanged:
          counts.unchanged++;
          break;
      }
    }
    if (deferred > 0) await spill.drain();
    return changed > 0;
  }

  /** Hashes all rows in a loop of its own, so that the table's cache misses overlap in the next. */
  // hot: bench/row-path
  #hash(batch: RowBatch, changes: Uint8Array, hashes: Int32Array): number {
    const { seed, spill } = this.#options;
    const { bytes, rowBounds, rowCount } = batch;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const key = this.#keyFields;
    const table = this.#table;
    let deferred = 0;
    for (let row = 0; row < rowCount; row++) {
      const at = row * HASH_WORDS;
      if (!key.locate(batch, row, view)) {
        changes[row] = Change.skipped;
        this.counts.nullKeys++;
        this.#sample('null', batch, row);
        continue;
      }
      hashInto(key.view, key.start, key.end, seed, hashes, at, 4);
      const bucket = bucketOf(hashes[at]!);
      if (table.isResident(bucket)) {
        hashInto(view, rowBounds[2 * row]!, rowBounds[2 * row + 1]!, seed, hashes, at + 4, 2);
      } else {
        changes[row] = Change.deferred;
        spill.append(bucket, bytes, rowBounds[2 * row]!, rowBounds[2 * row + 1]!);
        deferred++;
      }
    }
    return deferred;
  }

  /** The table has outgrown its memory: its last resident buckets go to disk as they stand. */
  async #setAside(): Promise<void> {
    const { spill } = this.#options;
    let left = EVICTED_TOGETHER;
    for (let bucket = BUCKETS - 1; bucket > 0 && left > 0; bucket--) {
      if (!this.#table.isResident(bucket)) continue;
      await spill.setAside(bucket, this.#table.slotsOf(bucket));
      this.#table.close(bucket);
      left--;
    }
  }

  async #reopen(bucket: number): Promise<void> {
    const { baseline, spill } = this.#options;
    const slots = await spill.slotsOf(bucket);
    if (slots !== undefined) {
      this.#table.restore(bucket, slots);
      return;
    }
    this.#table.open(bucket, (baseline?.state?.count ?? 0) / BUCKETS);
    const before = this.#table.digest;
    await baseline?.load(this.#table, bucket, bucket + 1);
    const after = this.#table.digest;
    this.#loaded = {
      low: (this.#loaded.low + after.low - before.low) | 0,
      high: (this.#loaded.high + after.high - before.high) | 0,
    };
  }

  /** Rows of the baseline that did not come; the bucket is closed. */
  async *#removed(bucket: number): AsyncGenerator<RowBatch> {
    const { baseline, deltaLog, keysOnly, sendsRemoved, retained, fieldCount } = this.#options;
    if (keysOnly || baseline === undefined) {
      this.#table.close(bucket);
      return;
    }
    const { keys, references } = this.#table.unseen(bucket);
    this.#table.close(bucket);
    for (let index = 0; index < references.length; index++) {
      deltaLog.remove(keys, index * 4);
      if (deltaLog.isFull) await deltaLog.flush();
    }
    this.counts.removed += references.length;
    if (!sendsRemoved || references.length === 0) return;
    let rows: Buffer[] = [];
    let bounds: number[] = [];
    let bytes = 0;
    for await (const [, value] of baseline.values(references)) {
      const row = retained === 'key' ? this.#keyFields.rowOf(value, fieldCount) : value;
      rows.push(row);
      bounds.push(bytes, bytes + row.length);
      bytes += row.length;
      if (bytes < BATCH_BYTES) continue;
      yield batchOf(Buffer.concat(rows, bytes), bounds, Change.removed);
      rows = [];
      bounds = [];
      bytes = 0;
    }
    if (rows.length > 0) yield batchOf(Buffer.concat(rows, bytes), bounds, Change.removed);
  }

  #noteRepeated(batch: RowBatch, changes: Uint8Array, repeated: number): void {
    this.counts.duplicateKeys += repeated;
    const view = new DataView(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.byteLength);
    for (let row = 0; row < batch.rowCount && this.samples.length < MAX_SAMPLES; row++) {
      if (changes[row] === Change.skipped && this.#keyFields.locate(batch, row, view))
        this.#sample('duplicate', batch, row);
    }
  }

  #sample(problem: KeySample['problem'], batch: RowBatch, row: number): void {
    if (this.samples.length < MAX_SAMPLES)
      this.samples.push({ problem, key: this.#keyFields.textsOf(batch, row) });
  }

  /** All of the baseline has been read by now: its digest must be the one that was written with it. */
  #checkBaseline(): void {
    const told = this.#options.baseline?.state?.digest ?? EMPTY_DIGEST;
    if (told.low === this.#loaded.low && told.high === this.#loaded.high) return;
    const message = 'the baseline is damaged: its records do not add up to its digest';
    throw new SluiceError('STATE_DAMAGED', message, { stage: 'state' });
  }

  #checkKeys(): void {
    const { onNullKey, onDuplicateKey, keyNames } = this.#options;
    const fail = (
      code: 'KEY_NULL' | 'KEY_DUPLICATE',
      count: number,
      problem: KeySample['problem'],
    ): never => {
      const what = problem === 'null' ? 'with a null in the primary key' : 'whose primary key came before';
      const examples = this.samples.filter(sample => sample.problem === problem).slice(0, 5);
      const shown = examples.map(({ key }) => `(${key.map(text => text ?? 'NULL').join(', ')})`).join(', ');
      const message = `${count} rows ${what} (${keyNames.join(', ')}), such as ${shown}`;
      throw new SluiceError(code, message, { stage: 'diff' });
    };
    const { nullKeys, duplicateKeys } = this.counts;
    if (nullKeys > 0 && onNullKey === 'fail') fail('KEY_NULL', nullKeys, 'null');
    if (duplicateKeys > 0 && onDuplicateKey === 'fail') fail('KEY_DUPLICATE', duplicateKeys, 'duplicate');
  }
}
