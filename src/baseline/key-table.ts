import { Change } from '../row-batch.ts';
import { finalMix } from './row-hash.ts';

/** Words of one row's hashes: four of its key, two of the row. */
export const HASH_WORDS = 6;
/** Keys are dealt into buckets by their first byte; a bucket is what can be set aside when memory is short. */
export const BUCKETS = 256;
export const bucketOf = (firstKeyWord: number): number => firstKeyWord >>> 24;

/**
 * A slot: the four words of the key, the two of the row, and a reference. A reference of 0 is an empty slot; the
 * sign bit says that the key was seen in this run; the rest is where the baseline keeps the row's values, plus one.
 */
const SLOT_WORDS = 7;
const REFERENCE = 6;
const SEEN = 0x80000000 | 0;
/** The reference of a key that the baseline does not have. */
const NO_VALUES = 0x7fffffff;
export const MAX_REFERENCE = NO_VALUES - 2;

const MAX_LOAD = 0.85;
const GROWTH = 1.4;
const MIN_CAPACITY = 16;

/** A sum over records that does not depend on their order; carried from generation to generation. */
export interface Digest {
  readonly low: number;
  readonly high: number;
}
export const EMPTY_DIGEST: Digest = { low: 0, high: 0 };

export interface ProbeOptions {
  /** Sync mode `insert`: a known key is unchanged whatever its values. */
  readonly keysOnly: boolean;
}

/**
 * The baseline in memory while a run is diffed: open addressing with linear probing, one array a bucket, so that
 * growing and setting aside go a 256th at a time. The table is a scratch copy: what it says afterwards is thrown
 * away, and the baseline on disk moves only after publishing.
 */
export class KeyTable {
  readonly #slots: (Int32Array | undefined)[] = new Array(BUCKETS).fill(undefined);
  readonly #counts = new Int32Array(BUCKETS);
  #bytes = 0;
  #digestLow = 0;
  #digestHigh = 0;

  /** Memory of the slots. */
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

  /** Makes a bucket resident, with room for `expected` keys. */
  open(bucket: number, expected: number): void {
    const capacity = Math.max(MIN_CAPACITY, Math.ceil((expected * 1.02) / MAX_LOAD) + 8);
    this.#slots[bucket] = new Int32Array(capacity * SLOT_WORDS);
    this.#counts[bucket] = 0;
    this.#bytes += capacity * SLOT_WORDS * 4;
  }

  /** Forgets a bucket. The digest keeps what the bucket added to it. */
  close(bucket: number): void {
    this.#bytes -= this.#slots[bucket]?.byteLength ?? 0;
    this.#slots[bucket] = undefined;
    this.#counts[bucket] = 0;
  }

  /** The slots of a bucket as they stand, to be set aside and given to `restore` later. */
  slotsOf(bucket: number): Int32Array {
    return this.#slots[bucket]!;
  }

  restore(bucket: number, slots: Int32Array): void {
    this.#slots[bucket] = slots;
    let count = 0;
    for (let at = REFERENCE; at < slots.length; at += SLOT_WORDS) if (slots[at] !== 0) count++;
    this.#counts[bucket] = count;
    this.#bytes += slots.byteLength;
  }

  /** Puts a record of the baseline into its bucket, which is resident; a later record of a key replaces the earlier. */
  // hot: bench/row-path
  load(records: Int32Array, at: number, reference: number): void {
    const bucket = records[at]! >>> 24;
    const slot = this.#find(bucket, records, at);
    const slots = this.#slots[bucket]!;
    if (slots[slot + REFERENCE] !== 0) {
      this.#subtract(slots, slot);
      slots[slot + 4] = records[at + 4]!;
      slots[slot + 5] = records[at + 5]!;
      slots[slot + REFERENCE] = reference + 1;
      this.#add(slots, slot);
      return;
    }
    this.#fill(bucket, slot, records, at, reference + 1);
  }

  /** Takes a key out again, as a later generation of the baseline did. */
  unload(keys: Int32Array, at: number): void {
    const bucket = keys[at]! >>> 24;
    const slots = this.#slots[bucket]!;
    let hole = this.#find(bucket, keys, at);
    if (slots[hole + REFERENCE] === 0) return;
    this.#subtract(slots, hole);
    this.#counts[bucket]!--;
    // Linear probing has no tombstones: whatever would no longer be found moves into the hole (Knuth 6.4, R).
    const capacity = slots.length / SLOT_WORDS;
    let next = hole;
    for (;;) {
      next += SLOT_WORDS;
      if (next === slots.length) next = 0;
      if (slots[next + REFERENCE] === 0) break;
      const home = homeOf(slots[next + 1]!, capacity);
      const distanceToNext = (next - home + slots.length) % slots.length;
      const distanceToHole = (hole - home + slots.length) % slots.length;
      if (distanceToHole > distanceToNext) continue;
      slots.copyWithin(hole, next, next + SLOT_WORDS);
      hole = next;
    }
    slots.fill(0, hole, hole + SLOT_WORDS);
  }

  /**
   * Tells of each row what it is and notes that its key was seen. `changes` holds `Change.added` for rows that are to
   * be looked at and anything else for those that are not (`skipped`, `deferred`); it receives the answers.
   * @returns how many rows had a key that was seen before in this run; their change is `skipped`
   */
  // hot: bench/row-path. Two cache misses a row at most: the rows' hashes were computed in a loop of their own.
  probe(hashes: Int32Array, rowCount: number, changes: Uint8Array, { keysOnly }: ProbeOptions): number {
    let repeated = 0;
    for (let row = 0; row < rowCount; row++) {
      if (changes[row] !== Change.added) continue;
      const at = row * HASH_WORDS;
      const bucket = hashes[at]! >>> 24;
      const slot = this.#find(bucket, hashes, at);
      const slots = this.#slots[bucket]!;
      const reference = slots[slot + REFERENCE]!;
      if (reference === 0) {
        this.#fill(bucket, slot, hashes, at, NO_VALUES | SEEN);
      } else if (reference < 0) {
        changes[row] = Change.skipped;
        repeated++;
      } else {
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
    }
    return repeated;
  }

  /**
   * The keys of a bucket that the run did not see: the removed rows. They leave the digest.
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

  /** The slot of a key, or the empty slot where it would go. */
  // hot: bench/row-path
  #find(bucket: number, words: Int32Array, at: number): number {
    const slots = this.#slots[bucket]!;
    const length = slots.length;
    const k0 = words[at]!;
    const k1 = words[at + 1]!;
    const k2 = words[at + 2]!;
    const k3 = words[at + 3]!;
    let slot = homeOf(k1, length / SLOT_WORDS);
    while (slots[slot + REFERENCE] !== 0) {
      if (slots[slot + 1] === k1 && slots[slot] === k0 && slots[slot + 2] === k2 && slots[slot + 3] === k3)
        break;
      slot += SLOT_WORDS;
      if (slot === length) slot = 0;
    }
    return slot;
  }

  #fill(bucket: number, emptySlot: number, words: Int32Array, at: number, reference: number): void {
    let slots = this.#slots[bucket]!;
    let slot = emptySlot;
    if (++this.#counts[bucket]! * SLOT_WORDS > slots.length * MAX_LOAD) {
      slots = this.#grow(bucket);
      slot = this.#find(bucket, words, at);
    }
    for (let word = 0; word < HASH_WORDS; word++) slots[slot + word] = words[at + word]!;
    slots[slot + REFERENCE] = reference;
    this.#add(slots, slot);
  }

  #grow(bucket: number): Int32Array {
    const old = this.#slots[bucket]!;
    const slots = new Int32Array(Math.ceil((old.length / SLOT_WORDS) * GROWTH) * SLOT_WORDS);
    this.#slots[bucket] = slots;
    this.#bytes += slots.byteLength - old.byteLength;
    for (let from = 0; from < old.length; from += SLOT_WORDS) {
      if (old[from + REFERENCE] === 0) continue;
      const slot = this.#find(bucket, old, from);
      for (let word = 0; word < SLOT_WORDS; word++) slots[slot + word] = old[from + word]!;
    }
    return slots;
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

/** First slot to look at. The bucket came from the first word of the key, so this comes from the second. */
function homeOf(k1: number, capacity: number): number {
  return Math.floor(((k1 >>> 0) / 0x1_0000_0000) * capacity) * SLOT_WORDS;
}

function recordLow(words: Int32Array, at: number): number {
  const key = words[at]! ^ Math.imul(words[at + 2]!, 0x9e3779b1);
  return finalMix((key + Math.imul(words[at + 4]!, 0x85ebca77) + Math.imul(words[at + 5]!, 0xc2b2ae3d)) | 0);
}

function recordHigh(words: Int32Array, at: number): number {
  const key = words[at + 1]! ^ Math.imul(words[at + 3]!, 0x27d4eb2f);
  return finalMix((key + Math.imul(words[at + 5]!, 0x165667b1) + Math.imul(words[at + 4]!, 0x9e3779b1)) | 0);
}
