/** Whether the values of a column repeat, as far as a few of them tell. */

/**
 * Fields of a column at most; a power of two. Where they are more, every second is
 * dropped, and fewer are taken.
 */
const MOST: u32 = 2048;
const SLOTS: u32 = 4 * MOST;

/** Hashes of the fields, column after column; 0 for NULL. */
let samples: usize = 0;
/** A table of the hashes that were met; 0 is an empty slot. */
let met: usize = 0;
let count: u32 = 0;
let step: u32 = 1;
/** Rows to pass before the next is taken. */
let pass: u32 = 0;
let random: u32 = 1;

/** @param at room for `MOST` words a column, and 4 times as many for all */
export function resetSamples(at: usize): void {
  met = at;
  samples = at + 4 * SLOTS;
  count = 0;
  step = 1;
  pass = 0;
  random = 1;
}

export function sampleCount(): u32 {
  return count;
}

export function sampleFields(
  starts: usize,
  lengths: usize,
  stride: u32,
  columnCount: u32,
  rows: u32,
): void {
  let row = pass;
  while (row < rows) {
    if (count == MOST) halve(columnCount);
    for (let column: u32 = 0; column < columnCount; column++) {
      const place = (<usize>(column * stride) + row) << 2;
      const hash = hashOf(<usize>load<u32>(starts + place), load<i32>(lengths + place));
      store<u32>(samples + ((<usize>(column * MOST) + count) << 2), hash);
    }
    count++;
    // At distances that no data have: data may repeat in step with others.
    random ^= random << 13;
    random ^= random >> 17;
    random ^= random << 5;
    row += step == 1 ? 1 : 1 + (random % (2 * step - 1));
  }
  pass = row - rows;
}

function halve(columnCount: u32): void {
  count = MOST >> 1;
  step <<= 1;
  for (let column: u32 = 0; column < columnCount; column++) {
    const at = samples + (<usize>(column * MOST) << 2);
    for (let i: u32 = 0; i < count; i++) store<u32>(at + (<usize>i << 2), load<u32>(at + (<usize>i << 3)));
  }
}

/** By the length, the first and the last 16 bytes. */
function hashOf(start: usize, length: i32): u32 {
  if (length < 0) return 0;
  let hash: u64 = <u64>length + 1;
  if (length < 16) {
    hash = mixed(hash, firstOf(start, min(length, 8)));
    if (length > 8) hash = mixed(hash, firstOf(start + 8, length - 8));
  } else {
    const end = start + length;
    hash = mixed(mixed(hash, load<u64>(start)), load<u64>(start, 8));
    hash = mixed(mixed(hash, load<u64>(end - 16)), load<u64>(end - 8));
  }
  return <u32>(hash >> 32) | 1;
}

// @ts-ignore: decorator
@inline
function firstOf(p: usize, length: i32): u64 {
  return length >= 8 ? load<u64>(p) : load<u64>(p) & (((<u64>1) << (<u64>length << 3)) - 1);
}

// @ts-ignore: decorator
@inline
function mixed(hash: u64, word: u64): u64 {
  hash = (hash ^ word) * 0x9e37_79b9_7f4a_7c15;
  return hash ^ (hash >> 29);
}

/**
 * Samples of the column that are not NULL, in the upper half, and how many of them
 * differ.
 */
export function distinctSamples(column: u32): u64 {
  memory.fill(met, 0, 4 * SLOTS);
  const at = samples + (<usize>(column * MOST) << 2);
  let values: u32 = 0;
  let different: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const hash = load<u32>(at + (<usize>i << 2));
    if (hash == 0) continue;
    values++;
    let slot = (hash >> 8) & (SLOTS - 1);
    let found = load<u32>(met + (<usize>slot << 2));
    while (found != 0 && found != hash) {
      slot = (slot + 1) & (SLOTS - 1);
      found = load<u32>(met + (<usize>slot << 2));
    }
    if (found == hash) continue;
    store<u32>(met + (<usize>slot << 2), hash);
    different++;
  }
  return ((<u64>values) << 32) | different;
}
