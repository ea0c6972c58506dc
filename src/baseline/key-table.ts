import { Change } from '../row-batch.ts';
import { finalMix } from './murmur-hash.ts';

/** Words of one row's hashes: four of its key, two of the row. */
export const HASH_WORDS = 6;
/**
 * Keys are dealt into buckets by their first byte; a bucket is what can be set aside when
 * memory is short.
 */
export const BUCKETS = 256;
export const bucketOf = (firstKeyWord: number): number => firstKeyWord >>> 24;

/**
 * A slot: the four words of the key, the two of the row, and a reference. A reference of
 * 0 is a slot without a record; the sign bit says that the key was seen in this run; the
 * rest is where the baseline keeps the row's values, plus one.
 */
export const SLOT_WORDS = 7;
export const REFERENCE = 6;
export const SEEN = 0x80000000 | 0;
/** The reference of a key that the baseline does not have. */
export const NO_VALUES = 0x7fffffff;
export const MAX_REFERENCE = NO_VALUES - 2;

const GROWTH = 1.4;
const MIN_CAPACITY = 16;

/**
 * An entry of an index: eight bits of the key, which spare most looks at a wrong slot,
 * and the slot's number plus one.
 */
const TAG_BITS = 0xff000000 | 0;
const NUMBER_BITS = 0x00ffffff;
const MAX_LOAD = 0.7;

/** A sum over records in any order; carried from generation to generation. */
export interface Digest {
  readonly low: number;
  readonly high: number;
}
export const EMPTY_DIGEST: Digest = { low: 0, high: 0 };

export function sumOf(a: Digest, b: Digest): Digest {
  return { low: (a.low + b.low) | 0, high: (a.high + b.high) | 0 };
}

export interface ProbeOptions {
  /** Sync mode `insert`: a known key is unchanged whatever its values. */
  readonly keysOnly: boolean;
}

/**
 * The baseline in memory while a run is diffed, by bucket, so that growing and setting
 * aside go a 256th at a time. The table is a scratch copy: what it says afterwards is
 * thrown away, and the baseline on disk moves only after publishing.
 *
 * A bucket's slots stand in the order in which their records came, which is most often
 * the order in which the rows will come again. So each key is first looked for behind the
 * one that was found last, which costs no cache miss; only a key that is not there is
 * looked up in the bucket's index (open addressing), which is built when it is first
 * needed.
 */
export class KeyTable {
  /** Invariant: behind the last slot that is used comes one of zeros. */
  readonly #slots: (Int32Array | undefined)[] = new Array(BUCKETS).fill(undefined);
  /** Slots that are used, those that lost their record included; and the records. */
  readonly #used = new Int32Array(BUCKETS);
  readonly #counts = new Int32Array(BUCKETS);
  /** Where in `#slots` the next key is expected. */
  readonly #expected = new Int32Array(BUCKETS);
  readonly #indexes: (Int32Array | undefined)[] = new Array(BUCKETS).fill(undefined);
  #bytes = 0;
  #digestLow = 0;
  #digestHigh = 0;

  /** Memory of slots and indexes. */
  get bytes(): number {
    return this.#bytes;
  }

  get digest(): Digest {
    return { low: this.#digestLow, high: this.#digestHigh };
  }

  set digest(digest: Digest) {
    this.#digestLow = digest.low;
    this.#digestHigh = digest.high;
  }

  isResident(bucket: number): boolean {
    return this.#slots[bucket] !== undefined;
  }

  countOf(bucket: number): number {
    return this.#counts[bucket]!;
  }

  /** Makes a bucket resident, with room for about `expected` keys. */
  open(bucket: number, expected: number): void {
    // Hashes spread: four times out of a hundred thousand a bucket gets more.
    const capacity = Math.ceil(expected + 4 * Math.sqrt(expected)) + MIN_CAPACITY;
    this.#occupy(bucket, new Int32Array(capacity * SLOT_WORDS), 0);
  }

  /** Forgets a bucket. The digest keeps what the bucket added to it. */
  close(bucket: number): void {
    this.#dropIndex(bucket);
    this.#bytes -= this.#slots[bucket]?.byteLength ?? 0;
    this.#slots[bucket] = undefined;
    this.#used[bucket] = 0;
    this.#counts[bucket] = 0;
  }

  /** The slots of a bucket as they stand, to be given to `restore` later. */
  slotsOf(bucket: number): Int32Array {
    return this.#slots[bucket]!.subarray(0, (this.#used[bucket]! + 1) * SLOT_WORDS);
  }

  restore(bucket: number, slots: Int32Array): void {
    this.#occupy(bucket, slots, slots.length / SLOT_WORDS - 1);
    let count = 0;
    for (let at = REFERENCE; at < slots.length; at += SLOT_WORDS) if (slots[at] !== 0) count++;
    this.#counts[bucket] = count;
  }

  /**
   * Puts a record of the baseline into its bucket, which is resident; a later record of a
   * key replaces the earlier.
   */
  // hot: bench/key-table
  load(records: Int32Array, at: number, reference: number): void {
    const bucket = records[at]! >>> 24;
    const slot = this.#find(bucket, records, at);
    const slots = this.#slots[bucket]!;
    if (slot < 0 || slots[slot + REFERENCE] === 0) {
      this.#put(bucket, slot, records, at, reference + 1);
      return;
    }
    this.#subtract(slots, slot);
    slots[slot + 4] = records[at + 4]!;
    slots[slot + 5] = records[at + 5]!;
    slots[slot + REFERENCE] = reference + 1;
    this.#add(slots, slot);
  }

  /**
   * Puts many records of one bucket behind what is there. None of their keys is there;
   * where one were, the digest would be wrong. References are `reference` for the first
   * record and grow by `step`.
   */
  // hot: bench/key-table
  append(bucket: number, records: Int32Array, reference: number, step: 0 | 1): void {
    const count = records.length / HASH_WORDS;
    this.#dropIndex(bucket);
    const slots = this.#withRoomFor(bucket, count);
    let slot = this.#used[bucket]! * SLOT_WORDS;
    let next = reference + 1;
    let low = this.#digestLow;
    let high = this.#digestHigh;
    for (let at = 0; at < records.length; at += HASH_WORDS) {
      slots[slot] = records[at]!;
      slots[slot + 1] = records[at + 1]!;
      slots[slot + 2] = records[at + 2]!;
      slots[slot + 3] = records[at + 3]!;
      slots[slot + 4] = records[at + 4]!;
      slots[slot + 5] = records[at + 5]!;
      slots[slot + REFERENCE] = next;
      low = (low + recordLow(records, at)) | 0;
      high = (high + recordHigh(records, at)) | 0;
      slot += SLOT_WORDS;
      next += step;
    }
    this.#digestLow = low;
    this.#digestHigh = high;
    this.#used[bucket]! += count;
    this.#counts[bucket]! += count;
  }

  /**
   * Takes a key out again, as a later generation of the baseline did.
   * @returns whether it was there
   */
  unload(keys: Int32Array, at: number): boolean {
    const bucket = keys[at]! >>> 24;
    const slot = this.#find(bucket, keys, at);
    const slots = this.#slots[bucket]!;
    if (slot < 0 || slots[slot + REFERENCE] === 0) return false;
    this.#subtract(slots, slot);
    this.#counts[bucket]!--;
    slots[slot + REFERENCE] = 0;
    return true;
  }

  /**
   * Tells of each row what it is and notes that its key was seen. `changes` holds
   * `Change.added` for rows that are to be looked at and anything else for those that are
   * not (`skipped`, `deferred`); it receives the answers.
   * @returns how many rows had a key that was seen before in this run; their change is
   *   `skipped`
   */
  // hot: bench/key-table
  probe(hashes: Int32Array, rowCount: number, changes: Uint8Array, { keysOnly }: ProbeOptions): number {
    const expected = this.#expected;
    let repeated = 0;
    for (let row = 0; row < rowCount; row++) {
      if (changes[row] !== Change.added) continue;
      const at = row * HASH_WORDS;
      const bucket = hashes[at]! >>> 24;
      const slots = this.#slots[bucket]!;
      let slot = expected[bucket]!;
      if (
        slots[slot] !== hashes[at] ||
        slots[slot + 1] !== hashes[at + 1] ||
        slots[slot + 2] !== hashes[at + 2] ||
        slots[slot + 3] !== hashes[at + 3] ||
        slots[slot + REFERENCE] === 0
      )
        slot = this.#find(bucket, hashes, at);
      const reference = slot < 0 ? 0 : slots[slot + REFERENCE]!;
      if (reference === 0) {
        this.#put(bucket, slot, hashes, at, NO_VALUES | SEEN);
        continue;
      }
      expected[bucket] = slot + SLOT_WORDS;
      if (reference < 0) {
        changes[row] = Change.skipped;
        repeated++;
        continue;
      }
      slots[slot + REFERENCE] = reference | SEEN;
      if (keysOnly || (slots[slot + 4] === hashes[at + 4] && slots[slot + 5] === hashes[at + 5])) {
        changes[row] = Change.unchanged;
      } else {
        changes[row] = Change.updated;
        this.#subtract(slots, slot);
        slots[slot + 4] = hashes[at + 4]!;
        slots[slot + 5] = hashes[at + 5]!;
        this.#add(slots, slot);
      }
    }
    return repeated;
  }

  /**
   * Notes that the keys of rows were seen, which are all expected to be here as they are;
   * `probe` has seen some already. Leaves rows `added` whose key is not here, and makes
   * the others `unchanged` or, where they differ, `updated`.
   * @returns how many are not as expected
   */
  mark(hashes: Int32Array, rowCount: number, changes: Uint8Array, { keysOnly }: ProbeOptions): number {
    const expected = this.#expected;
    let unexpected = 0;
    for (let row = 0; row < rowCount; row++) {
      if (changes[row] !== Change.added) continue;
      const at = row * HASH_WORDS;
      const bucket = hashes[at]! >>> 24;
      const slots = this.#slots[bucket]!;
      let slot = expected[bucket]!;
      if (
        slots[slot] !== hashes[at] ||
        slots[slot + 1] !== hashes[at + 1] ||
        slots[slot + 2] !== hashes[at + 2] ||
        slots[slot + 3] !== hashes[at + 3] ||
        slots[slot + REFERENCE] === 0
      )
        slot = this.#find(bucket, hashes, at);
      const reference = slot < 0 ? 0 : slots[slot + REFERENCE]!;
      if (reference === 0) {
        unexpected++;
        continue;
      }
      expected[bucket] = slot + SLOT_WORDS;
      slots[slot + REFERENCE] = reference | SEEN;
      if (keysOnly || (slots[slot + 4] === hashes[at + 4] && slots[slot + 5] === hashes[at + 5])) {
        changes[row] = Change.unchanged;
      } else {
        changes[row] = Change.updated;
        unexpected++;
      }
    }
    return unexpected;
  }

  /**
   * `probe` where the records go by another hash than the rows will: `former` is that of
   * the rows, by which they are looked for, and `hashes` the one to come, by which they
   * are told apart. The table's digest means nothing afterwards.
   */
  probeFormer(
    { former, hashes }: { readonly former: Int32Array; readonly hashes: Int32Array },
    rowCount: number,
    changes: Uint8Array,
    { keysOnly }: ProbeOptions,
  ): number {
    let repeated = 0;
    for (let row = 0; row < rowCount; row++) {
      if (changes[row] !== Change.added) continue;
      const at = row * HASH_WORDS;
      const bucket = former[at]! >>> 24;
      let slot = this.#find(bucket, former, at);
      const reference = slot < 0 ? 0 : this.#slots[bucket]![slot + REFERENCE]!;
      if (reference === 0) {
        slot = this.#put(bucket, slot, former, at, NO_VALUES | SEEN);
      } else if (reference > 0) {
        const slots = this.#slots[bucket]!;
        const isEqual = slots[slot + 4] === former[at + 4] && slots[slot + 5] === former[at + 5];
        changes[row] = keysOnly || isEqual ? Change.unchanged : Change.updated;
        slots[slot + REFERENCE] = reference | SEEN;
      } else if (this.#isTakenBy(bucket, slot, hashes, at) || this.#find(bucket, hashes, at) >= 0) {
        changes[row] = Change.skipped;
        repeated++;
        continue;
      } else {
        // Another key came that has the same former hash.
        slot = this.#put(bucket, -1, hashes, at, NO_VALUES | SEEN);
      }
      // The row's former hash is of no use any more.
      const slots = this.#slots[bucket]!;
      slots[slot + 4] = hashes[at]!;
      slots[slot + 5] = hashes[at + 1]!;
    }
    return repeated;
  }

  /** Whether the row that came for this slot has a key of these hashes. */
  #isTakenBy(bucket: number, slot: number, hashes: Int32Array, at: number): boolean {
    const slots = this.#slots[bucket]!;
    return slots[slot + 4] === hashes[at] && slots[slot + 5] === hashes[at + 1];
  }

  /**
   * The keys of a bucket that the run did not see: the removed rows. They leave the
   * digest.
   * @returns the keys' words, four each, and their references
   */
  unseen(bucket: number): { readonly keys: Int32Array; readonly references: Int32Array } {
    const slots = this.#slots[bucket]!;
    let count = 0;
    for (let slot = 0; slot < slots.length; slot += SLOT_WORDS) if (slots[slot + REFERENCE]! > 0) count++;
    const keys = new Int32Array(count * 4);
    const references = new Int32Array(count);
    let index = 0;
    for (let slot = 0; slot < slots.length; slot += SLOT_WORDS) {
      if (slots[slot + REFERENCE]! <= 0) continue;
      keys.set(slots.subarray(slot, slot + 4), index * 4);
      references[index++] = slots[slot + REFERENCE]! - 1;
      this.#subtract(slots, slot);
    }
    return { keys, references };
  }

  /** Where the baseline keeps the values of a row whose key it has. */
  referenceOf(words: Int32Array, at: number): number {
    const bucket = words[at]! >>> 24;
    return (this.#slots[bucket]![this.#find(bucket, words, at) + REFERENCE]! & NO_VALUES) - 1;
  }

  /** All records of a bucket, six words each, and their references. */
  records(bucket: number): { readonly keys: Int32Array; readonly references: Int32Array } {
    const slots = this.#slots[bucket]!;
    const count = this.#counts[bucket]!;
    const keys = new Int32Array(count * HASH_WORDS);
    const references = new Int32Array(count);
    let index = 0;
    for (let slot = 0; slot < slots.length; slot += SLOT_WORDS) {
      if (slots[slot + REFERENCE] === 0) continue;
      keys.set(slots.subarray(slot, slot + HASH_WORDS), index * HASH_WORDS);
      references[index++] = slots[slot + REFERENCE]! - 1;
    }
    return { keys, references };
  }

  /** The slot that a key has, perhaps without a record, or -1. */
  // hot: bench/key-table
  #find(bucket: number, words: Int32Array, at: number): number {
    const index = this.#indexes[bucket] ?? this.#buildIndex(bucket);
    const slots = this.#slots[bucket]!;
    const k0 = words[at]!;
    const k1 = words[at + 1]!;
    const k2 = words[at + 2]!;
    const k3 = words[at + 3]!;
    const tag = k2 & TAG_BITS;
    let place = homeOf(k1, index.length);
    for (;;) {
      const entry = index[place]!;
      if (entry === 0) return -1;
      if ((entry & TAG_BITS) === tag) {
        const slot = ((entry & NUMBER_BITS) - 1) * SLOT_WORDS;
        if (slots[slot + 1] === k1 && slots[slot] === k0 && slots[slot + 2] === k2 && slots[slot + 3] === k3)
          return slot;
      }
      place++;
      if (place === index.length) place = 0;
    }
  }

  /**
   * Gives a key that has none a record: in the slot that it has, or in a new one where
   * that is -1. Returns the slot.
   */
  #put(bucket: number, slotOrNone: number, words: Int32Array, at: number, reference: number): number {
    let slot = slotOrNone;
    if (slot < 0) {
      this.#withRoomFor(bucket, 1);
      const number = this.#used[bucket]!++;
      slot = number * SLOT_WORDS;
      const index = this.#indexes[bucket];
      if (index !== undefined) enter(index, words[at + 1]!, words[at + 2]!, number);
    }
    const slots = this.#slots[bucket]!;
    for (let word = 0; word < HASH_WORDS; word++) slots[slot + word] = words[at + word]!;
    slots[slot + REFERENCE] = reference;
    this.#counts[bucket]!++;
    this.#add(slots, slot);
    return slot;
  }

  #occupy(bucket: number, slots: Int32Array, used: number): void {
    this.#slots[bucket] = slots;
    this.#used[bucket] = used;
    this.#counts[bucket] = 0;
    this.#expected[bucket] = 0;
    this.#bytes += slots.byteLength;
  }

  /** The slots of a bucket, with room for `count` more and the empty one behind them. */
  #withRoomFor(bucket: number, count: number): Int32Array {
    const old = this.#slots[bucket]!;
    const needed = this.#used[bucket]! + count + 1;
    if (needed * SLOT_WORDS <= old.length) return old;
    if (needed > NUMBER_BITS) throw new RangeError(`a bucket of ${needed} keys`);
    const capacity = Math.max(needed, Math.ceil((old.length / SLOT_WORDS) * GROWTH));
    const slots = new Int32Array(capacity * SLOT_WORDS);
    slots.set(old);
    this.#slots[bucket] = slots;
    this.#bytes += slots.byteLength - old.byteLength;
    // It was as large as the slots were.
    this.#dropIndex(bucket);
    return slots;
  }

  /** An index of all slots that have a record, as large as the slots may need. */
  #buildIndex(bucket: number): Int32Array {
    const slots = this.#slots[bucket]!;
    const index = new Int32Array(Math.ceil(slots.length / SLOT_WORDS / MAX_LOAD));
    const used = this.#used[bucket]!;
    for (let number = 0, slot = 0; number < used; number++, slot += SLOT_WORDS)
      if (slots[slot + REFERENCE] !== 0) enter(index, slots[slot + 1]!, slots[slot + 2]!, number);
    this.#indexes[bucket] = index;
    this.#bytes += index.byteLength;
    return index;
  }

  #dropIndex(bucket: number): void {
    this.#bytes -= this.#indexes[bucket]?.byteLength ?? 0;
    this.#indexes[bucket] = undefined;
  }

  #add(slots: Int32Array, slot: number): void {
    this.#digestLow = (this.#digestLow + recordLow(slots, slot)) | 0;
    this.#digestHigh = (this.#digestHigh + recordHigh(slots, slot)) | 0;
  }

  #subtract(slots: Int32Array, slot: number): void {
    this.#digestLow = (this.#digestLow - recordLow(slots, slot)) | 0;
    this.#digestHigh = (this.#digestHigh - recordHigh(slots, slot)) | 0;
  }
}

/** First entry of an index to look at. The bucket came from the first word of the key. */
function homeOf(k1: number, capacity: number): number {
  return Math.floor(((k1 >>> 0) / 0x1_0000_0000) * capacity);
}

// hot: bench/key-table
function enter(index: Int32Array, k1: number, k2: number, number: number): void {
  let place = homeOf(k1, index.length);
  while (index[place] !== 0) {
    place++;
    if (place === index.length) place = 0;
  }
  index[place] = (k2 & TAG_BITS) | (number + 1);
}

/** What a record adds to the digest. */
export function recordDigest(words: Int32Array, at: number): Digest {
  return { low: recordLow(words, at), high: recordHigh(words, at) };
}

function recordLow(words: Int32Array, at: number): number {
  const key = words[at]! ^ Math.imul(words[at + 2]!, 0x9e3779b1);
  return finalMix((key + Math.imul(words[at + 4]!, 0x85ebca77) + Math.imul(words[at + 5]!, 0xc2b2ae3d)) | 0);
}

function recordHigh(words: Int32Array, at: number): number {
  const key = words[at + 1]! ^ Math.imul(words[at + 3]!, 0x27d4eb2f);
  return finalMix((key + Math.imul(words[at + 5]!, 0x165667b1) + Math.imul(words[at + 4]!, 0x9e3779b1)) | 0);
}
