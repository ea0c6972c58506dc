/**
 * Snappy's raw format. https://github.com/google/snappy/blob/main/format_description.txt
 */
import { copyBytes } from './copy';

/** What is looked for before a byte lies in the same block. */
const BLOCK_BYTES: u32 = 65_536;
const TABLE_BITS: u32 = 14;
const TABLE_BYTES: u32 = 2 << TABLE_BITS;
/** The end of a block is a literal: words are read there without a look at the end. */
const MARGIN: u32 = 15;

const LITERAL: u32 = 0;
const COPY_1: u32 = 1;
const COPY_2: u32 = 2;

/**
 * Writes what Snappy has behind the length of the whole; what several calls wrote can
 * stand behind each other.
 * @param table room for 32 KiB
 * @returns the position behind it
 */
export function compress(start: usize, length: u32, output: usize, table: usize): usize {
  const end = start + length;
  let at = output;
  for (let block = start; block < end; block += BLOCK_BYTES)
    at = compressBlock(block, min(block + BLOCK_BYTES, end), at, table);
  return at;
}

function compressBlock(start: usize, end: usize, output: usize, table: usize): usize {
  let at = output;
  let written = start;
  if (end - start > MARGIN) {
    memory.fill(table, 0, TABLE_BYTES);
    const limit = end - MARGIN;
    let p = start + 1;
    let word = load<u32>(p);
    for (;;) {
      // The longer nothing is found, the farther apart it looks.
      let skip: u32 = 32;
      let ahead = p;
      let before: usize;
      do {
        p = ahead;
        word = load<u32>(p);
        ahead = p + (skip >> 5);
        skip++;
        if (ahead > limit) return writeLiteral(written, end, at);
        const slot = slotOf(word, table);
        before = start + <usize>load<u16>(slot);
        store<u16>(slot, <u16>(p - start));
      } while (load<u32>(before) != word);
      at = writeLiteral(written, p, at);
      do {
        const length = 4 + sameBytes(before + 4, p + 4, end);
        at = writeCopy(<u32>(p - before), length, at);
        p += length;
        written = p;
        if (p >= limit) return writeLiteral(written, end, at);
        store<u16>(slotOf(load<u32>(p - 1), table), <u16>(p - 1 - start));
        word = load<u32>(p);
        const slot = slotOf(word, table);
        before = start + <usize>load<u16>(slot);
        store<u16>(slot, <u16>(p - start));
      } while (load<u32>(before) == word);
      p++;
    }
  }
  return writeLiteral(written, end, at);
}

// @ts-ignore: decorator
@inline
function slotOf(word: u32, table: usize): usize {
  return table + <usize>(((word * 0x1e35_a7bd) >> (32 - TABLE_BITS)) << 1);
}

/** How many bytes from `before` on are those from `p` on. */
// @ts-ignore: decorator
@inline
function sameBytes(before: usize, p: usize, end: usize): u32 {
  const start = p;
  while (p + 8 <= end) {
    const different = load<u64>(before) ^ load<u64>(p);
    if (different != 0) return <u32>(p - start) + (<u32>ctz(different) >> 3);
    before += 8;
    p += 8;
  }
  while (p < end && load<u8>(before) == load<u8>(p)) {
    before++;
    p++;
  }
  return <u32>(p - start);
}

function writeLiteral(start: usize, end: usize, position: usize): usize {
  const length = <u32>(end - start);
  if (length == 0) return position;
  const last = length - 1;
  let at = position;
  if (last < 60) {
    store<u8>(at, LITERAL | (last << 2));
    at += 1;
  } else if (last < 256) {
    store<u8>(at, LITERAL | (60 << 2));
    store<u8>(at, last, 1);
    at += 2;
  } else {
    store<u8>(at, LITERAL | (61 << 2));
    store<u16>(at, <u16>last, 1);
    at += 3;
  }
  copyBytes(at, start, length);
  return at + length;
}

// @ts-ignore: decorator
@inline
function writeCopy(distance: u32, length: u32, position: usize): usize {
  let at = position;
  while (length >= 68) {
    store<u32>(at, COPY_2 | (63 << 2) | (distance << 8));
    at += 3;
    length -= 64;
  }
  if (length > 64) {
    // What is left is long enough for a copy of its own.
    store<u32>(at, COPY_2 | (59 << 2) | (distance << 8));
    at += 3;
    length -= 60;
  }
  if (length >= 12 || distance >= 2048) {
    store<u32>(at, COPY_2 | ((length - 1) << 2) | (distance << 8));
    return at + 3;
  }
  store<u16>(at, <u16>(COPY_1 | ((length - 4) << 2) | ((distance >> 8) << 5) | ((distance & 0xff) << 8)));
  return at + 2;
}
