/**
 * Deflate (RFC 1951) for texts, a piece at a time: matches are found by hash chains and
 * taken lazily, as zlib does, but over the whole piece at once, and blocks end where
 * the text changes.
 */
import { beginOutput, endOutput, FIRST_LENGTH, MAX_LENGTH, offsetSlot, prepareBlocks, writeBlock } from './deflate/blocks';
import { guessCosts, isWorthIt, takeCosts } from './deflate/costs';
import { clearMatches, longestMatch, MIN_MATCH, matchStart, remember } from './deflate/matches';
import {
  LENGTH_SLOTS,
  LITERAL_COUNTS,
  LITERAL_SYMBOLS,
  MATCHES,
  MAX_MATCHES,
  MEMORY_BYTES,
  OFFSET_COUNTS,
  OFFSET_SYMBOLS,
  OUTPUT,
  SEEN,
  SEEN_LATELY,
  TEXT,
} from './deflate/memory';

/** A block has at least so many bytes. */
const MIN_BLOCK_BYTES: u32 = 5000;
/** So many literals and matches are seen before it is asked whether the text changed. */
const LOOK_EVERY: u32 = 512;
/** They are told apart coarsely: eight kinds of literals, short matches and long ones. */
const KINDS: u32 = 10;
const LONG_MATCH: u32 = 9;
/** Costs are taken anew after so many, and less and less often up to every so many. */
const FIRST_COSTS: u32 = 512;
const COSTS_EVERY: u32 = 4096;

/** By level: places that are looked at, and a length that is enough. */
const DEPTHS: StaticArray<u32> = [0, 1, 2, 4, 4, 8, 12, 24, 64, 200];
const LENGTHS: StaticArray<u32> = [0, 8, 12, 16, 16, 32, 48, 64, 128, 258];
/** From this level on a longer match is looked for at the next byte. */
const FIRST_LAZY: u32 = 4;

const PAGE_BITS: usize = 16;

let depth: u32 = 0;
let enough: u32 = 0;
let isLazy: bool = false;

/** To be called first. */
export function prepare(): void {
  const pages = <i32>((MEMORY_BYTES + (1 << PAGE_BITS) - 1) >> PAGE_BITS);
  memory.grow(pages - memory.size());
  prepareBlocks();
}

export function textAt(): usize {
  return TEXT;
}

export function outputAt(): usize {
  return OUTPUT;
}

// @ts-ignore: decorator
@inline
function count(at: usize): void {
  store<u32>(at, load<u32>(at) + 1);
}

/** Counts a literal. Its kind is told by its two highest bits but one, and its lowest. */
// @ts-ignore: decorator
@inline
function countLiteral(at: usize): void {
  const byte = <u32>load<u8>(at);
  count(LITERAL_COUNTS + (byte << 2));
  count(SEEN_LATELY + ((((byte >> 5) & 6) | (byte & 1)) << 2));
}

/**
 * Compresses what is in the memory from `textAt` on, up to PIECE_BYTES. The output ends
 * at a byte, and is not the end of the stream.
 * @param before bytes in front of it that it may refer to, up to WINDOW_BYTES
 * @param level 1 to 9
 * @returns how many bytes it gives, from `outputAt` on
 */
export function compress(before: u32, length: u32, level: u32): u32 {
  depth = unchecked(DEPTHS[level]);
  enough = unchecked(LENGTHS[level]);
  isLazy = level >= FIRST_LAZY;
  clearMatches();
  guessCosts();
  remember(TEXT - before, TEXT);
  beginOutput(OUTPUT);
  const end = TEXT + length;
  let at = TEXT;
  while (at < end) at = compressBlock(at, end);
  return <u32>(endOutput() - OUTPUT);
}

/** Writes a block of what begins at `start`; @returns where it ends. */
function compressBlock(start: usize, end: usize): usize {
  memory.fill(LITERAL_COUNTS, 0, LITERAL_SYMBOLS * 4);
  memory.fill(OFFSET_COUNTS, 0, OFFSET_SYMBOLS * 4);
  memory.fill(SEEN, 0, KINDS * 4);
  memory.fill(SEEN_LATELY, 0, KINDS * 4);
  let at = start;
  let literalsFrom = start;
  let match = MATCHES;
  let lately: u32 = 0;
  let seen: u32 = 0;
  let nextCosts = FIRST_COSTS;
  while (at < end && match < MATCHES + MAX_MATCHES * 8) {
    if (lately >= LOOK_EVERY) {
      if (hasChanged(<u32>(at - start), <u32>(end - at), lately)) break;
      seen += lately;
      if (seen >= nextCosts) {
        takeCosts();
        nextCosts += min(nextCosts, COSTS_EVERY);
      }
      lately = 0;
    }
    lately++;
    let length = find(at, end, MIN_MATCH - 1, depth);
    if (length < MIN_MATCH || !isWorthIt(at, length, <u32>(at - matchStart))) {
      countLiteral(at++);
      continue;
    }
    let distance = <u32>(at - matchStart);
    let noted = at + 1;
    if (isLazy) {
      // A longer one may begin at the next byte.
      while (length < enough && noted < end) {
        const next = find(noted, end, length - 1, depth >> 1);
        noted++;
        if (next < length) break;
        const farther = <u32>(noted - 1 - matchStart);
        if (4 * <i32>(next - length) + <i32>clz(farther) - <i32>clz(distance) <= 2) break;
        countLiteral(at++);
        lately++;
        length = next;
        distance = farther;
      }
    }
    store<u32>(match, <u32>(at - literalsFrom));
    store<u32>(match, length | (distance << 16), 4);
    match += 8;
    count(LITERAL_COUNTS + ((FIRST_LENGTH + <u32>load<u8>(LENGTH_SLOTS + length)) << 2));
    count(OFFSET_COUNTS + (offsetSlot(distance) << 2));
    count(SEEN_LATELY + ((length < LONG_MATCH ? 8 : 9) << 2));
    at += length;
    remember(noted, at);
    literalsFrom = at;
  }
  writeBlock(<u32>(match - MATCHES) >> 3, start, <u32>(at - literalsFrom));
  return at;
}

// @ts-ignore: decorator
@inline
function find(at: usize, end: usize, best: u32, looks: u32): u32 {
  const most = min(<u32>(end - at), MAX_LENGTH);
  return most > best ? longestMatch(at, best, most, min(enough, most), looks) : best;
}

/**
 * Whether what came lately differs so much from the block before it that codes of its own
 * pay. If not it becomes a part of the block.
 */
function hasChanged(blockBytes: u32, bytesLeft: u32, lately: u32): bool {
  let seen: u32 = 0;
  for (let kind: usize = 0; kind < KINDS * 4; kind += 4) seen += load<u32>(SEEN + kind);
  if (seen > 0 && blockBytes >= MIN_BLOCK_BYTES && bytesLeft >= MIN_BLOCK_BYTES) {
    let difference: i64 = 0;
    for (let kind: usize = 0; kind < KINDS * 4; kind += 4) {
      const expected = <i64>load<u32>(SEEN + kind) * lately;
      difference += abs(<i64>load<u32>(SEEN_LATELY + kind) * seen - expected);
    }
    // The longer a block is, the less its codes take of it.
    if (difference + <i64>(blockBytes >> 12) * seen >= <i64>(lately * 200 / 512) * seen) return true;
  }
  for (let kind: usize = 0; kind < KINDS * 4; kind += 4) {
    store<u32>(SEEN + kind, load<u32>(SEEN + kind) + load<u32>(SEEN_LATELY + kind));
    store<u32>(SEEN_LATELY + kind, 0);
  }
  return false;
}
