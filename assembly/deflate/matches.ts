/**
 * Finds where bytes came before, by hash chains over the last 32 KiB. Five bytes are
 * hashed: shorter matches hardly pay in rows of text, and their chains are longer.
 */
import { BEFORE, HASH_BITS, HEADS, WINDOW_BYTES } from './memory';

const WINDOW_MASK: u32 = WINDOW_BYTES - 1;
const MULTIPLIER: u64 = 0x9fb2_1c65_1e98_df25;

/** The shortest match that is found. */
export const MIN_MATCH: u32 = 5;

/** Where the best match begins that `longestMatch` found. */
export let matchStart: usize = 0;

/** Forgets what came before. */
export function clearMatches(): void {
  memory.fill(HEADS, 0, 4 << HASH_BITS);
}

// @ts-ignore: decorator
@inline
function headOf(at: usize): usize {
  // What is behind the five bytes is shifted out.
  return HEADS + (<u32>(((load<u64>(at) << 24) * MULTIPLIER) >> (64 - HASH_BITS)) << 2);
}

// @ts-ignore: decorator
@inline
function before(at: usize): usize {
  return BEFORE + ((at & WINDOW_MASK) << 2);
}

/** Notes places, without a look for what came before. */
export function remember(start: usize, end: usize): void {
  for (let at = start; at < end; at++) {
    const head = headOf(at);
    store<u32>(before(at), load<u32>(head));
    store<u32>(head, at);
  }
}

/** How many bytes from `match` on are those from `at` on; the first four are. */
// @ts-ignore: decorator
@inline
function sameBytes(match: usize, at: usize, most: u32): u32 {
  let length: u32 = 4;
  while (length < most) {
    const different = load<u64>(match + length) ^ load<u64>(at + length);
    if (different != 0) return min(length + (<u32>ctz(different) >> 3), most);
    length += 8;
  }
  return most;
}

/**
 * Notes the place, and looks for a match there that is longer than `best`, which is
 * at least four.
 * @param most as many bytes are left, or the longest that a match can be
 * @param enough no longer one is looked for
 * @param depth so many places are looked at, at most
 * @returns its length, or `best`; `matchStart` says where it begins
 */
export function longestMatch(at: usize, best: u32, most: u32, enough: u32, depth: u32): u32 {
  const word = load<u32>(at);
  const head = headOf(at);
  let match: usize = load<u32>(head);
  store<u32>(head, at);
  store<u32>(before(at), match);
  const cutoff = at - WINDOW_MASK;
  let length = best;
  for (let left = depth; length < enough && left != 0; left--) {
    // The bytes that would make it longer differ more often than the first ones.
    const end = load<u32>(at + length - 3);
    while (load<u32>(match + length - 3) != end || load<u32>(match) != word) {
      if (match < cutoff || --left == 0) return length;
      match = load<u32>(before(match));
    }
    if (match < cutoff) return length;
    const found = sameBytes(match, at, most);
    if (found > length) {
      length = found;
      matchStart = match;
    }
    match = load<u32>(before(match));
  }
  return length;
}
