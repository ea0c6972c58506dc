/**
 * Each different value once, in the order of their first use, and where a value stands
 * among them.
 */

/** A dictionary that grows larger is given up. */
const MOST_BYTES: u32 = 1024 * 1024;
const FIRST_SLOTS: u32 = 1024;
/** Values of a bit-packed run at most, so that its head is one byte. */
const MOST_GROUPS: u32 = 63;

/** Room for 1 MiB of values in plain encoding. */
let values: usize = 0;
let valuesEnd: usize = 0;
/** Where values of any length begin, by entry. */
let begins: usize = 0;
let hashes: usize = 0;
/** By hash, the entry and 1; 0 is an empty slot. */
let slots: usize = 0;
let slotCount: u32 = 0;
let entries: u32 = 0;
let width: u32 = 0;

/**
 * @param valueWidth 0 for values of any length
 * @param valuesAt room for 1 MiB and 64 bytes
 * @param beginsAt room for 1 MiB
 * @param hashesAt room for 1 MiB
 * @param slotsAt room for 4 MiB
 */
export function clearDictionary(
  valueWidth: u32,
  valuesAt: usize,
  beginsAt: usize,
  hashesAt: usize,
  slotsAt: usize,
): void {
  width = valueWidth;
  values = valuesAt;
  valuesEnd = valuesAt;
  begins = beginsAt;
  hashes = hashesAt;
  slots = slotsAt;
  slotCount = FIRST_SLOTS;
  entries = 0;
  memory.fill(slots, 0, slotCount << 2);
}

export function dictionaryBytes(): u32 {
  return <u32>(valuesEnd - values);
}

export function dictionaryEntries(): u32 {
  return entries;
}

/**
 * Looks values in plain encoding up, and adds those that are new.
 * @param places receives a word for each
 * @returns false where the dictionary would become too large
 */
export function addValues(start: usize, count: u32, places: usize): bool {
  switch (width) {
    case 0:
      return addTexts(start, count, places);
    case 4:
      return addWords<u32>(start, count, places);
    case 8:
      return addWords<u64>(start, count, places);
    default:
      return addFixed(start, count, places);
  }
}

// @ts-ignore: decorator
@inline
function addWords<T>(start: usize, count: u32, places: usize): bool {
  let p = start;
  for (let i: u32 = 0; i < count; i++, p += sizeof<T>(), places += 4) {
    const value = load<T>(p);
    const hash = <u32>((<u64>value * 0x9e37_79b9_7f4a_7c15) >> 32);
    let slot = hash & (slotCount - 1);
    let entry = load<u32>(slots + (<usize>slot << 2));
    while (entry != 0 && load<T>(values + (<usize>(entry - 1) * sizeof<T>())) != value) {
      slot = (slot + 1) & (slotCount - 1);
      entry = load<u32>(slots + (<usize>slot << 2));
    }
    if (entry == 0) {
      if (!addEntry(p, sizeof<T>(), hash, slot)) return false;
      entry = entries;
    }
    store<u32>(places, entry - 1);
  }
  return true;
}

function addFixed(start: usize, count: u32, places: usize): bool {
  let p = start;
  for (let i: u32 = 0; i < count; i++, p += width, places += 4) {
    const hash = hashOf(p, width);
    let slot = hash & (slotCount - 1);
    let entry = load<u32>(slots + (<usize>slot << 2));
    while (entry != 0 && !isSame(values + <usize>(entry - 1) * width, p, width)) {
      slot = (slot + 1) & (slotCount - 1);
      entry = load<u32>(slots + (<usize>slot << 2));
    }
    if (entry == 0) {
      if (!addEntry(p, width, hash, slot)) return false;
      entry = entries;
    }
    store<u32>(places, entry - 1);
  }
  return true;
}

/** Values behind their lengths, which are compared with them. */
function addTexts(start: usize, count: u32, places: usize): bool {
  let p = start;
  for (let i: u32 = 0; i < count; i++, places += 4) {
    const size = 4 + load<u32>(p);
    const hash = hashOf(p, size);
    let slot = hash & (slotCount - 1);
    let entry = load<u32>(slots + (<usize>slot << 2));
    while (entry != 0) {
      const place = <usize>(entry - 1) << 2;
      if (load<u32>(hashes + place) == hash && isSame(values + load<u32>(begins + place), p, size)) break;
      slot = (slot + 1) & (slotCount - 1);
      entry = load<u32>(slots + (<usize>slot << 2));
    }
    if (entry == 0) {
      store<u32>(begins + (<usize>entries << 2), <u32>(valuesEnd - values));
      if (!addEntry(p, size, hash, slot)) return false;
      entry = entries;
    }
    store<u32>(places, entry - 1);
    p += size;
  }
  return true;
}

function addEntry(start: usize, size: u32, hash: u32, slot: u32): bool {
  if (<u64>(valuesEnd - values) + size > MOST_BYTES) return false;
  memory.copy(valuesEnd, start, size);
  valuesEnd += size;
  store<u32>(hashes + (<usize>entries << 2), hash);
  entries++;
  store<u32>(slots + (<usize>slot << 2), entries);
  if (entries > slotCount >> 1) growSlots();
  return true;
}

function growSlots(): void {
  slotCount <<= 1;
  memory.fill(slots, 0, <usize>slotCount << 2);
  for (let entry: u32 = 0; entry < entries; entry++) {
    let slot = load<u32>(hashes + (<usize>entry << 2)) & (slotCount - 1);
    while (load<u32>(slots + (<usize>slot << 2)) != 0) slot = (slot + 1) & (slotCount - 1);
    store<u32>(slots + (<usize>slot << 2), entry + 1);
  }
}

// @ts-ignore: decorator
@inline
function hashOf(start: usize, size: u32): u32 {
  let hash: u64 = 0;
  let p = start;
  const end = start + size;
  for (; p + 8 <= end; p += 8) hash = mixed(hash, load<u64>(p));
  if (p < end) hash = mixed(hash, load<u64>(p) & (((<u64>1) << ((<u64>(end - p)) << 3)) - 1));
  return <u32>(hash >> 32);
}

// @ts-ignore: decorator
@inline
function mixed(hash: u64, word: u64): u64 {
  return rotl((hash ^ word) * 0x9e37_79b9_7f4a_7c15, 29);
}

// @ts-ignore: decorator
@inline
function isSame(value: usize, other: usize, size: u32): bool {
  let i: u32 = 0;
  for (; i + 8 <= size; i += 8) if (load<u64>(value + i) != load<u64>(other + i)) return false;
  if (i == size) return true;
  const different = load<u64>(value + i) ^ load<u64>(other + i);
  return (different & (((<u64>1) << (<u64>(size - i) << 3)) - 1)) == 0;
}

/**
 * Writes places in Parquet's hybrid of runs and packed bits.
 * @param bits of a place
 * @returns the position behind it
 */
export function packPlaces(places: usize, count: u32, bits: u32, position: usize): usize {
  const end = places + (<usize>count << 2);
  let at = position;
  let p = places;
  // A head and the groups of eight that follow it, which are counted as they are written.
  let head: usize = 0;
  let groups: u32 = 0;
  while (p < end) {
    const run = runAt(p, end);
    if (run >= 8) {
      if (groups > 0) store<u8>(head, (groups << 1) | 1);
      groups = 0;
      at = writeNumber(run << 1, at);
      store<u32>(at, load<u32>(p));
      at += (bits + 7) >> 3;
      p += <usize>run << 2;
      continue;
    }
    if (groups == MOST_GROUPS) {
      store<u8>(head, (groups << 1) | 1);
      groups = 0;
    }
    if (groups == 0) head = at++;
    groups++;
    at = packEight(p, end, bits, at);
    p += 32;
  }
  if (groups > 0) store<u8>(head, (groups << 1) | 1);
  return at;
}

// @ts-ignore: decorator
@inline
function runAt(start: usize, end: usize): u32 {
  const place = load<u32>(start);
  if (start + 4 >= end || load<u32>(start, 4) != place) return 1;
  let p = start + 8;
  while (p < end && load<u32>(p) == place) p += 4;
  return <u32>(p - start) >> 2;
}

/** What is missing at the end is written as 0. */
// @ts-ignore: decorator
@inline
function packEight(start: usize, end: usize, bits: u32, position: usize): usize {
  let packed: u64 = 0;
  let filled: u32 = 0;
  let at = position;
  for (let i: usize = 0; i < 32; i += 4) {
    const place = start + i < end ? load<u32>(start + i) : 0;
    packed |= <u64>place << filled;
    filled += bits;
    if (filled >= 32) {
      store<u32>(at, <u32>packed);
      at += 4;
      packed >>= 32;
      filled -= 32;
    }
  }
  store<u32>(at, <u32>packed);
  return position + bits;
}

function writeNumber(value: u32, position: usize): usize {
  let at = position;
  for (; value >= 128; value >>= 7) store<u8>(at++, value | 128);
  store<u8>(at, value);
  return at + 1;
}
