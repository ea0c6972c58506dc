/** Deflate's blocks (RFC 1951, 3.2.3 to 3.2.7). */
import { makeCode, numberCodes } from './codes';
import {
  CODE_LENGTHS,
  FIXED_LITERAL_CODES,
  FIXED_OFFSET_CODES,
  LENGTH_BASES,
  LENGTH_CODES,
  LENGTH_EXTRA_BITS,
  LENGTH_RUNS,
  LENGTH_SLOTS,
  LITERAL_CODES,
  LITERAL_COUNTS,
  LITERAL_SYMBOLS,
  MATCHES,
  OFFSET_CODES,
  OFFSET_COUNTS,
  OFFSET_SYMBOLS,
  RUN_CODES,
  RUN_COUNTS,
} from './memory';

export const MIN_LENGTH: u32 = 3;
export const MAX_LENGTH: u32 = 258;
export const END_OF_BLOCK: u32 = 256;
export const FIRST_LENGTH: u32 = 257;
/** Four of such literals, and what is left of a byte, fit a word of 64 bits. */
const MAX_LITERAL_BITS: u32 = 14;
const MAX_OFFSET_BITS: u32 = 15;
const MAX_RUN_BITS: u32 = 7;
const RUN_SYMBOLS: u32 = 19;
/** In which order the lengths of the codes of runs are told, 5 bits each. */
const RUN_ORDER: StaticArray<u8> = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** What is not yet a whole byte of the output, and where it goes. */
let bits: u64 = 0;
let bitCount: u32 = 0;
let position: usize = 0;

export function beginOutput(at: usize): void {
  position = at;
  bits = 0;
  bitCount = 0;
}

// @ts-ignore: decorator
@inline
function put(value: u32, count: u32): void {
  bits |= <u64>value << bitCount;
  bitCount += count;
  store<u64>(position, bits);
  position += bitCount >> 3;
  bits >>= bitCount & 56;
  bitCount &= 7;
}

/** Ends at a byte, by a stored block without contents; @returns where. */
export function endOutput(): usize {
  put(0, 3);
  if (bitCount > 0) put(0, 8 - bitCount);
  store<u32>(position, 0xffff_0000);
  return position + 4;
}

/** Makes the tables that are always the same. */
export function prepareBlocks(): void {
  let length = MIN_LENGTH;
  for (let slot: u32 = 0; slot < 28; slot++) {
    const extra: u32 = slot < 8 ? 0 : (slot >> 2) - 1;
    store<u32>(LENGTH_BASES + (slot << 2), length);
    store<u32>(LENGTH_EXTRA_BITS + (slot << 2), extra);
    for (let rest: u32 = 1 << extra; rest > 0; rest--) store<u8>(LENGTH_SLOTS + length++, <u8>slot);
  }
  // The longest has a symbol of its own.
  store<u8>(LENGTH_SLOTS + MAX_LENGTH, 28);
  store<u32>(LENGTH_BASES + (28 << 2), MAX_LENGTH);
  store<u32>(LENGTH_EXTRA_BITS + (28 << 2), 0);
  for (let symbol: u32 = 0; symbol < LITERAL_SYMBOLS; symbol++) {
    const length: u32 = symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8;
    store<u32>(FIXED_LITERAL_CODES + (symbol << 2), length << 16);
  }
  for (let symbol: u32 = 0; symbol < OFFSET_SYMBOLS; symbol++) store<u32>(FIXED_OFFSET_CODES + (symbol << 2), 5 << 16);
  numberCodes(FIXED_LITERAL_CODES, LITERAL_SYMBOLS, 9);
  numberCodes(FIXED_OFFSET_CODES, OFFSET_SYMBOLS, 5);
}

/** The symbol of a distance: two for each power of two. */
// @ts-ignore: decorator
@inline
export function offsetSlot(distance: u32): u32 {
  const last = distance - 1;
  if (last < 4) return last;
  const high = 31 - clz(last);
  return (high << 1) | ((last >> (high - 1)) & 1);
}

/**
 * Writes a block.
 * @param matches how many are in MATCHES
 * @param text where what the block stands for begins
 * @param literals how many come behind the last match
 */
export function writeBlock(matches: u32, text: usize, literals: u32): void {
  store<u32>(LITERAL_COUNTS + (END_OF_BLOCK << 2), 1);
  makeCode(LITERAL_COUNTS, LITERAL_SYMBOLS - 2, MAX_LITERAL_BITS, LITERAL_CODES);
  makeCode(OFFSET_COUNTS, OFFSET_SYMBOLS - 2, MAX_OFFSET_BITS, OFFSET_CODES);
  const literalSymbols = symbolsUsed(LITERAL_CODES, LITERAL_SYMBOLS - 2, 257);
  const offsetSymbols = symbolsUsed(OFFSET_CODES, OFFSET_SYMBOLS - 2, 1);
  const runs = tellLengths(literalSymbols, offsetSymbols);
  let runSymbols = RUN_SYMBOLS;
  while (runSymbols > 4 && runCodeBits(runSymbols - 1) == 0) runSymbols--;
  const own = codeBits(LITERAL_CODES, OFFSET_CODES) + 14 + 3 * runSymbols + runBits();
  if (own < codeBits(FIXED_LITERAL_CODES, FIXED_OFFSET_CODES)) {
    put(2 << 1, 3);
    put(literalSymbols - 257, 5);
    put(offsetSymbols - 1, 5);
    put(runSymbols - 4, 4);
    for (let i: u32 = 0; i < runSymbols; i++) put(runCodeBits(i), 3);
    for (let i: u32 = 0; i < runs; i++) {
      const run = load<u32>(LENGTH_RUNS + (i << 2));
      const symbol = run & 31;
      const code = load<u32>(RUN_CODES + (symbol << 2));
      put(code & 0xffff, code >> 16);
      if (symbol >= 16) put(run >> 5, extraRunBits(symbol));
    }
  } else {
    put(1 << 1, 3);
    memory.copy(LITERAL_CODES, FIXED_LITERAL_CODES, LITERAL_SYMBOLS * 4);
    memory.copy(OFFSET_CODES, FIXED_OFFSET_CODES, OFFSET_SYMBOLS * 4);
  }
  writeSymbols(matches, text, literals);
}

function symbolsUsed(codes: usize, most: u32, least: u32): u32 {
  let used = most;
  while (used > least && load<u32>(codes + ((used - 1) << 2)) == 0) used--;
  return used;
}

/** What all symbols of the block take, extra bits left out. */
function codeBits(literalCodes: usize, offsetCodes: usize): u32 {
  let sum: u32 = 0;
  for (let at: usize = 0; at < LITERAL_SYMBOLS * 4; at += 4)
    sum += load<u32>(LITERAL_COUNTS + at) * (load<u32>(literalCodes + at) >> 16);
  for (let at: usize = 0; at < OFFSET_SYMBOLS * 4; at += 4)
    sum += load<u32>(OFFSET_COUNTS + at) * (load<u32>(offsetCodes + at) >> 16);
  return sum;
}

// @ts-ignore: decorator
@inline
function runCodeBits(place: u32): u32 {
  return load<u32>(RUN_CODES + (<u32>unchecked(RUN_ORDER[place]) << 2)) >> 16;
}

// @ts-ignore: decorator
@inline
function extraRunBits(symbol: u32): u32 {
  return symbol == 16 ? 2 : symbol == 17 ? 3 : 7;
}

function runBits(): u32 {
  let sum: u32 = 0;
  for (let symbol: u32 = 0; symbol < RUN_SYMBOLS; symbol++) {
    const extra: u32 = symbol < 16 ? 0 : extraRunBits(symbol);
    sum += load<u32>(RUN_COUNTS + (symbol << 2)) * ((load<u32>(RUN_CODES + (symbol << 2)) >> 16) + extra);
  }
  return sum;
}

/**
 * Puts the lengths of both codes as runs into LENGTH_RUNS, and makes the code of those.
 * @returns how many runs
 */
function tellLengths(literalSymbols: u32, offsetSymbols: u32): u32 {
  for (let i: u32 = 0; i < literalSymbols; i++)
    store<u8>(CODE_LENGTHS + i, <u8>(load<u32>(LITERAL_CODES + (i << 2)) >> 16));
  for (let i: u32 = 0; i < offsetSymbols; i++)
    store<u8>(CODE_LENGTHS + literalSymbols + i, <u8>(load<u32>(OFFSET_CODES + (i << 2)) >> 16));
  memory.fill(RUN_COUNTS, 0, 32 * 4);
  const total = literalSymbols + offsetSymbols;
  let runs: u32 = 0;
  for (let at: u32 = 0; at < total; ) {
    const length = <u32>load<u8>(CODE_LENGTHS + at);
    let end = at + 1;
    while (end < total && <u32>load<u8>(CODE_LENGTHS + end) == length) end++;
    let rest = end - at;
    if (length == 0) {
      for (; rest >= 11; rest -= min(rest, 138)) addRun(runs++, 18, min(rest, 138) - 11);
      if (rest >= 3) {
        addRun(runs++, 17, rest - 3);
        rest = 0;
      }
    } else if (rest >= 4) {
      addRun(runs++, length, 0);
      for (rest--; rest >= 3; rest -= min(rest, 6)) addRun(runs++, 16, min(rest, 6) - 3);
    }
    for (; rest > 0; rest--) addRun(runs++, length, 0);
    at = end;
  }
  makeCode(RUN_COUNTS, RUN_SYMBOLS, MAX_RUN_BITS, RUN_CODES);
  return runs;
}

function addRun(index: u32, symbol: u32, extra: u32): void {
  store<u32>(LENGTH_RUNS + (index << 2), symbol | (extra << 5));
  const entry = RUN_COUNTS + (symbol << 2);
  store<u32>(entry, load<u32>(entry) + 1);
}

/** Puts code and extra bits of each length together. */
function prepareLengths(): void {
  for (let length = MIN_LENGTH; length <= MAX_LENGTH; length++) {
    const slot = <u32>load<u8>(LENGTH_SLOTS + length);
    const code = load<u32>(LITERAL_CODES + ((FIRST_LENGTH + slot) << 2));
    const codeLength = code >> 16;
    const longer = length - load<u32>(LENGTH_BASES + (slot << 2));
    const all = codeLength + load<u32>(LENGTH_EXTRA_BITS + (slot << 2));
    store<u32>(LENGTH_CODES + (length << 2), (code & 0xffff) | (longer << codeLength) | (all << 24));
  }
}

function writeSymbols(matches: u32, start: usize, literalsLeft: u32): void {
  prepareLengths();
  let word = bits;
  let count = bitCount;
  let out = position;
  let text = start;
  const end = MATCHES + (matches << 3);
  for (let match = MATCHES; match <= end; match += 8) {
    let literals = match == end ? literalsLeft : load<u32>(match);
    for (; literals >= 4; literals -= 4, text += 4) {
      const four = load<u32>(text);
      const a = load<u32>(LITERAL_CODES + ((four & 255) << 2));
      const b = load<u32>(LITERAL_CODES + (((four >> 8) & 255) << 2));
      const c = load<u32>(LITERAL_CODES + (((four >> 16) & 255) << 2));
      const d = load<u32>(LITERAL_CODES + ((four >> 24) << 2));
      word |= <u64>(a & 0xffff) << count;
      count += a >> 16;
      word |= <u64>(b & 0xffff) << count;
      count += b >> 16;
      word |= <u64>(c & 0xffff) << count;
      count += c >> 16;
      word |= <u64>(d & 0xffff) << count;
      count += d >> 16;
      store<u64>(out, word);
      out += count >> 3;
      word >>= count & 56;
      count &= 7;
    }
    if (literals > 0) {
      for (; literals > 0; literals--, text++) {
        const code = load<u32>(LITERAL_CODES + (<u32>load<u8>(text) << 2));
        word |= <u64>(code & 0xffff) << count;
        count += code >> 16;
      }
      store<u64>(out, word);
      out += count >> 3;
      word >>= count & 56;
      count &= 7;
    }
    if (match == end) break;
    const pair = load<u32>(match, 4);
    const length = pair & 0xffff;
    const last = (pair >> 16) - 1;
    text += length;
    const lengthCode = load<u32>(LENGTH_CODES + (length << 2));
    word |= <u64>(lengthCode & 0xff_ffff) << count;
    count += lengthCode >> 24;
    const slot = offsetSlot(last + 1);
    const code = load<u32>(OFFSET_CODES + (slot << 2));
    word |= <u64>(code & 0xffff) << count;
    count += code >> 16;
    const extra: u32 = slot < 4 ? 0 : (slot >> 1) - 1;
    word |= <u64>(last & ((1 << extra) - 1)) << count;
    count += extra;
    store<u64>(out, word);
    out += count >> 3;
    word >>= count & 56;
    count &= 7;
  }
  bits = word;
  bitCount = count;
  position = out;
  const endCode = load<u32>(LITERAL_CODES + (END_OF_BLOCK << 2));
  put(endCode & 0xffff, endCode >> 16);
}
