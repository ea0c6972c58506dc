import type { Baseline, Retained } from '../baseline/baseline.ts';
import type { DeltaLogWriter } from '../baseline/delta-log.ts';
import { BUCKETS, type Digest, EMPTY_DIGEST, HASH_WORDS, KeyTable } from '../baseline/key-table.ts';
import type { RowHashing } from '../baseline/row-hashing.ts';
import { formerQueue, type Spill, seenQueue } from '../baseline/spill.ts';
import { SluiceError } from '../errors.ts';
import { Change, type RowBatch } from '../row-batch.ts';
import { CarryOver } from './carry-over.ts';
import type { ChangeSampler } from './change-sampler.ts';
import { FormerHasher } from './former-hasher.ts';
import { FormerKeys } from './former-keys.ts';
import { KeyFields } from './key-fields.ts';
import { checkKeys, type KeySample, KeySamples } from './key-problems.ts';
import { MovedRows } from './partitions/moved-rows.ts';
import { removedBatches, rowOfFields } from './removed-rows.ts';
import { ResidentBuckets } from './resident-buckets.ts';
import { Contradictions, type RestOfRows } from './rest-of-rows.ts';
import { rowBefore } from './row-before.ts';
import { RowHasher } from './row-hasher.ts';

export interface HashDiffOptions {
  /** What rows are compared with; without it every row is added. */
  readonly baseline: Baseline | undefined;
  /** Receives what the baseline has to become. */
  readonly deltaLog: DeltaLogWriter;
  readonly spill: Spill;
  /** Hashing of the baseline to come, and of the present one unless it is older. */
  readonly hashing: RowHashing;
  /** Places and names of the key's fields, in the order of the primary key. */
  readonly keyFields: readonly number[];
  readonly keyNames: readonly string[];
  /** Fields of a row, key fields that are not written included. */
  readonly fieldCount: number;
  readonly retained: Retained;
  /** Known keys are unchanged and no key is removed: sync mode `insert`. */
  readonly keysOnly: boolean;
  /**
   * Every row is added, whatever the baseline has, and goes into the log, which then is
   * all of the baseline to come. What the baseline has and did not come is removed all
   * the same.
   */
  readonly everyRow?: boolean;
  /**
   * Only rows come that may have changed since the baseline; what of it did not come is
   * unchanged unless it is gone.
   */
  readonly rest?: RestOfRows | undefined;
  /** Send removed rows on, with what the baseline retained of them. */
  readonly sendsRemoved: boolean;
  /** Where their fields stand in what was retained; by default as `retained` says. */
  readonly removedPlaces?: readonly (number | undefined)[] | undefined;
  /** Is shown the rows of each change, where somebody may want to see some. */
  readonly sampler?: ChangeSampler | undefined;
  /**
   * Where files are partitioned: a row with other values in these fields is removed, as
   * it was, and added. Needs what the baseline retained.
   */
  readonly partitionFields?: readonly number[] | undefined;
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

/**
 * Tags each row by comparing its hashes with the baseline: added, updated or unchanged as
 * it passes, removed for what did not come. Batches without a change are not sent on. The
 * baseline is only read.
 *
 * Memory stays within `stateMemoryBytes` however many keys there are: keys are dealt into
 * 256 buckets by hash; rows of buckets that are not in memory are set aside on disk and
 * their buckets take their turn at the end (hybrid hash join). Rows then arrive in
 * another order than the source's.
 *
 * A baseline that an older version hashed is carried over: rows are looked for by their
 * former hashes, and the delta log has all records of the baseline to come.
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
  /** Rows that came, where those came alone that may have changed. */
  candidates: number | undefined;

  readonly #options: HashDiffOptions;
  readonly #table = new KeyTable();
  readonly #buckets: ResidentBuckets;
  readonly #keyFields: KeyFields;
  readonly #samples: KeySamples;
  readonly #hasher: RowHasher;
  /** Where keys come alone. */
  readonly #alone: { readonly keyFields: KeyFields; readonly hasher: RowHasher } | undefined;
  /** Set where a baseline is carried over, or knows some keys by their former hash. */
  readonly #formerHasher: FormerHasher | undefined;
  readonly #carryOver: CarryOver | undefined;
  readonly #formerKeys: FormerKeys | undefined;
  readonly #contradictions = new Contradictions();
  readonly #movedRows: MovedRows | undefined;
  /** What rows of the batch in hand were before they moved to another partition. */
  #moved: RowBatch | undefined;
  /** Whether the baseline is being compared with. */
  #isOpen = false;
  /** Whether what did not come is gone. */
  #seesAll = true;
  #hashes = new Int32Array(4096 * HASH_WORDS);

  constructor(options: HashDiffOptions) {
    this.#options = options;
    this.#keyFields = new KeyFields(options.keyFields);
    this.#samples = new KeySamples(this.#keyFields);
    const { baseline, hashing, deltaLog, spill, stateMemoryBytes: memoryBytes } = options;
    this.#buckets = new ResidentBuckets({ baseline, table: this.#table, spill, memoryBytes });
    this.#hasher = new RowHasher(hashing, options.keyFields);
    const places = options.keyFields.map((_, place) => place);
    if (options.rest !== undefined)
      this.#alone = { keyFields: new KeyFields(places), hasher: new RowHasher(hashing, places) };
    const { partitionFields, sendsRemoved, sampler } = options;
    if (baseline && partitionFields && sendsRemoved) {
      const rowOf = (value: Buffer): Buffer => this.#removedRow(value);
      const onMoved = (row: Buffer): void => sampler?.takeRemoved(row);
      this.#movedRows = new MovedRows({ baseline, table: this.#table, partitionFields, rowOf, onMoved });
    }
    const former = baseline?.state?.hashing?.former;
    const seed = baseline?.state?.seed ?? former?.seed;
    if (seed === undefined) return;
    this.#formerHasher = new FormerHasher(seed, this.#keyFields);
    if (former === undefined) {
      this.#carryOver = new CarryOver(deltaLog);
      return;
    }
    const { count } = former;
    const hasher = this.#formerHasher;
    this.#formerKeys = new FormerKeys({ count, hasher, table: this.#table, deltaLog, spill });
  }

  /** The first keys that were null or repeated. */
  get samples(): readonly KeySample[] {
    return this.#samples.taken;
  }

  /** The digest of the rows as they now are; final when `transform` has ended. */
  get digest(): Digest {
    if (!this.#isOpen) return this.#options.baseline?.state?.digest ?? EMPTY_DIGEST;
    return this.#carryOver?.digest ?? this.#table.digest;
  }

  /** The hashing of the baseline to come; final when `transform` has ended. */
  get hashing(): RowHashing {
    const { baseline, hashing } = this.#options;
    const { state } = baseline ?? {};
    const seed = state?.seed ?? state?.hashing?.former?.seed;
    const count = this.#carryOver?.formerKeys ?? this.#formerKeys?.count ?? 0;
    return { ...hashing, former: seed && count > 0 ? { seed, count } : undefined };
  }

  async *transform(batches: AsyncIterable<RowBatch>): AsyncGenerator<RowBatch> {
    const { rest, deltaLog } = this.#options;
    if (rest === undefined) await this.#openTable();
    for await (const batch of batches) {
      if (!this.#isOpen) await this.#openTable();
      this.counts.read += batch.rowCount;
      if (await this.#compare(batch)) yield batch;
      else batch.release?.();
      if (this.#moved) yield this.#moved;
      await this.#buckets.setAsideSurplus();
    }
    const total = await rest?.count();
    if (rest !== undefined && total !== undefined) await this.#seeRest(rest, total);
    if (this.#isOpen) yield* this.#changesOfBuckets();
    if (total !== undefined) await this.#countRest(total);
    checkKeys(this.counts, this.samples, this.#options);
    await deltaLog.flush();
  }

  /** What is left when all rows have come: those that are gone, and those that wait. */
  async *#changesOfBuckets(): AsyncGenerator<RowBatch> {
    const { spill } = this.#options;
    const waiting: number[] = [];
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      if (this.#table.isResident(bucket)) yield* this.#removed(bucket);
      else waiting.push(bucket);
    }
    for (const bucket of waiting) {
      await this.#buckets.reopen(bucket);
      for await (const batch of spill.rowsOf(bucket)) {
        if (await this.#compare(batch)) yield batch;
        if (this.#moved) yield this.#moved;
      }
      for await (const batch of spill.rowsOf(seenQueue(bucket))) await this.#see(batch);
      yield* this.#removed(bucket);
    }
    if (this.#formerKeys) yield* this.#compareFormer(this.#formerKeys);
    this.#buckets.checkBaseline();
  }

  /** Where only some rows came: reads the keys too, unless none can be gone. */
  async #seeRest(rest: RestOfRows, total: number): Promise<void> {
    const { baseline, keysOnly } = this.#options;
    const known = baseline?.state?.count ?? 0;
    this.#seesAll = rest.rows !== undefined;
    if (!this.#isOpen) {
      if (!this.#seesAll && (keysOnly || total === known)) return;
      await this.#openTable();
    }
    // How many of the rows that wait are new is not known yet.
    const { added, removed } = this.counts;
    if (!keysOnly) this.#seesAll ||= !this.#buckets.isWhole || total !== known + added - removed;
    if (!this.#seesAll) return;
    for await (const batch of rest.rows?.() ?? rest.keys()) {
      await this.#see(batch);
      batch.release?.();
    }
  }

  /** Rows, or keys, that are all as the baseline and what came have them. */
  async #see(batch: RowBatch): Promise<void> {
    const { rest, keysOnly, spill } = this.#options;
    const isRow = rest?.rows !== undefined;
    const { hasher, keyFields } = isRow ? { hasher: this.#hasher, keyFields: this.#keyFields } : this.#alone!;
    const { hashes, changes } = this.#hash(batch, hasher);
    const deferred = this.#buckets.defer(batch, hashes, changes, seenQueue);
    const unexpected = this.#table.mark(hashes, batch.rowCount, changes, { keysOnly: keysOnly || !isRow });
    if (unexpected > 0) this.#contradictions.add(batch, changes, keyFields);
    if (deferred > 0) await spill.drain();
  }

  /** Counts as if all rows had come, or rejects with CHANGE_DETECTION_MISMATCH. */
  async #countRest(total: number): Promise<void> {
    const { baseline, keysOnly } = this.#options;
    const { counts } = this;
    this.candidates = counts.read;
    counts.read = total;
    counts.unchanged = total - counts.added - counts.updated;
    const expected = (baseline?.state?.count ?? 0) + counts.added - counts.removed;
    if (this.#contradictions.count === 0 && (keysOnly || total === expected)) return;
    await this.#options.rest?.check();
    const message =
      this.#contradictions.count > 0
        ? String(this.#contradictions)
        : `the source has ${total} rows, and ${expected} follow from the baseline and the changes that were found by xmin`;
    throw new SluiceError('CHANGE_DETECTION_MISMATCH', message, { stage: 'diff' });
  }

  async #openTable(): Promise<void> {
    this.#isOpen = true;
    await this.#buckets.open();
  }

  /** Sets each row's change; returns whether any of them has to go on. */
  async #compare(batch: RowBatch): Promise<boolean> {
    const { spill, keysOnly, everyRow } = this.#options;
    const { rowCount } = batch;
    const { hashes, changes } = this.#hash(batch);
    const former = this.#carryOver && this.#formerHasher!.hash(batch, changes);
    const deferred = this.#buckets.defer(batch, former ?? hashes, changes);
    const repeated = former
      ? this.#table.probeFormer({ former, hashes }, rowCount, changes, { keysOnly })
      : this.#table.probe(hashes, rowCount, changes, { keysOnly });
    if (repeated > 0) {
      this.counts.duplicateKeys += repeated;
      this.#samples.take('duplicate', batch, changes);
    }
    await this.#formerKeys?.find(batch, hashes, changes);
    this.#moved = await this.#movedRows?.find(batch, former ?? hashes, changes);
    this.counts.removed += this.#moved?.rowCount ?? 0;
    if (everyRow) addAll(changes);
    const changed = await this.#log(batch, hashes, changes);
    if (changed > 0) await this.#sample(batch, former ?? hashes);
    if (deferred > 0) await spill.drain();
    return changed > 0;
  }

  /** Hashes all rows first, so that cache misses of the table overlap later. */
  #hash(
    batch: RowBatch,
    hasher = this.#hasher,
  ): { readonly hashes: Int32Array; readonly changes: Uint8Array } {
    const { rowCount } = batch;
    const changes = new Uint8Array(rowCount);
    batch.changes = changes;
    if (this.#hashes.length < rowCount * HASH_WORDS) this.#hashes = new Int32Array(rowCount * 2 * HASH_WORDS);
    const nulls = hasher.hash(batch, this.#hashes, changes);
    if (nulls > 0) {
      this.counts.nullKeys += nulls;
      this.#samples.take('null', batch, changes);
    }
    return { hashes: this.#hashes, changes };
  }

  /** Counts rows and logs the baseline to come; returns how many rows continue. */
  async #log(batch: RowBatch, hashes: Int32Array, changes: Uint8Array): Promise<number> {
    const { deltaLog, retained } = this.#options;
    const { counts } = this;
    const { bytes, rowBounds } = batch;
    const carryOver = this.#carryOver;
    let changed = 0;
    for (let row = 0; row < batch.rowCount; row++) {
      switch (changes[row]) {
        case Change.added:
          counts.added++;
          changed++;
          break;
        case Change.updated:
          counts.updated++;
          changed++;
          break;
        case Change.unchanged:
          counts.unchanged++;
          if (carryOver) break;
          continue;
        default:
          continue;
      }
      if (retained === 'key') {
        const key = this.#keyFields.copyOf(batch, row);
        deltaLog.upsert(hashes, row * HASH_WORDS, key, 0, key.length);
      } else {
        deltaLog.upsert(hashes, row * HASH_WORDS, bytes, rowBounds[2 * row]!, rowBounds[2 * row + 1]!);
      }
      carryOver?.add(hashes, row * HASH_WORDS);
      if (deltaLog.isFull) await deltaLog.flush();
    }
    return changed;
  }

  /** `hashes` are those that the table was asked for. */
  async #sample(batch: RowBatch, hashes: Int32Array): Promise<void> {
    const { sampler, baseline, removedPlaces: places } = this.#options;
    const known = { baseline, table: this.#table, places };
    await sampler?.take(batch, this.counts, row => rowBefore(known, hashes, row));
  }

  /**
   * Rows that seemed new, and whose former hash has to be looked for in a bucket that was
   * not in memory.
   */
  async *#compareFormer(formerKeys: FormerKeys): AsyncGenerator<RowBatch> {
    const { spill } = this.#options;
    for (const bucket of formerKeys.awaited) {
      this.#table.restore(bucket, (await spill.slotsOf(bucket))!);
      for await (const batch of spill.rowsOf(formerQueue(bucket))) {
        const { hashes, changes } = this.#hash(batch);
        await formerKeys.find(batch, hashes, changes);
        if ((await this.#log(batch, hashes, changes)) === 0) continue;
        await this.#sample(batch, hashes);
        yield batch;
      }
      this.#table.close(bucket);
    }
  }

  /** Rows of the baseline that did not come; the bucket is closed. */
  async *#removed(bucket: number): AsyncGenerator<RowBatch> {
    const { baseline, deltaLog, spill, keysOnly, everyRow, sendsRemoved, sampler } = this.#options;
    if (!this.#seesAll) {
      this.#table.close(bucket);
      return;
    }
    if (baseline === undefined || (keysOnly && !this.#carryOver)) {
      // What is left of its former keys is looked at once more.
      if (this.#formerKeys && !this.#buckets.isWhole)
        await spill.setAside(bucket, this.#table.slotsOf(bucket));
      this.#table.close(bucket);
      return;
    }
    const { keys, references } = this.#table.unseen(bucket);
    this.#table.close(bucket);
    if (keysOnly) {
      await this.#carryOver!.keep(keys);
      return;
    }
    // A log that is all of the baseline to come needs no removals.
    for (let index = 0; index < references.length && !this.#carryOver && !everyRow; index++) {
      deltaLog.remove(keys, index * 4);
      if (deltaLog.isFull) await deltaLog.flush();
    }
    this.counts.removed += references.length;
    if (!sendsRemoved || references.length === 0) return;
    yield* removedBatches(baseline.values(references), value => {
      const row = this.#removedRow(value);
      sampler?.takeRemoved(row);
      return row;
    });
  }

  #removedRow(value: Buffer): Buffer {
    const { retained, removedPlaces, fieldCount } = this.#options;
    if (removedPlaces !== undefined) return rowOfFields(value, removedPlaces);
    return retained === 'key' ? this.#keyFields.rowOf(value, fieldCount) : value;
  }
}

/** Rows that the baseline has are new to the files. */
function addAll(changes: Uint8Array): void {
  for (let row = 0; row < changes.length; row++) {
    if (changes[row] === Change.updated || changes[row] === Change.unchanged) changes[row] = Change.added;
  }
}
