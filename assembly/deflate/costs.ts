/**
 * Whether a short match is worth it: its length and its distance may take more bits than
 * the literals that it stands for.
 */
import { FIRST_LENGTH, offsetSlot } from './blocks';
import {
  LENGTH_EXTRA_BITS,
  LENGTH_SLOTS,
  LITERAL_COSTS,
  LITERAL_COUNTS,
  LITERAL_SYMBOLS,
  OFFSET_COSTS,
  OFFSET_COUNTS,
  OFFSET_SYMBOLS,
} from './memory';

/** Longer ones always are. */
const LONG: u32 = 9;

/** For a text of which nothing is known. */
export function guessCosts(): void {
  for (let symbol: u32 = 0; symbol < LITERAL_SYMBOLS; symbol++)
    store<u32>(LITERAL_COSTS + (symbol << 2), (6 << 4) + extraLengthCost(symbol));
  for (let symbol: u32 = 0; symbol < OFFSET_SYMBOLS; symbol++)
    store<u32>(OFFSET_COSTS + (symbol << 2), (4 << 4) + extraOffsetCost(symbol));
}

/** By how often each symbol came. */
export function takeCosts(): void {
  const literals = logarithm(sumOf(LITERAL_COUNTS, LITERAL_SYMBOLS));
  for (let symbol: u32 = 0; symbol < LITERAL_SYMBOLS; symbol++)
    store<u32>(LITERAL_COSTS + (symbol << 2), literals - countLogarithm(LITERAL_COUNTS, symbol) + extraLengthCost(symbol));
  const offsets = logarithm(sumOf(OFFSET_COUNTS, OFFSET_SYMBOLS));
  for (let symbol: u32 = 0; symbol < OFFSET_SYMBOLS; symbol++)
    store<u32>(OFFSET_COSTS + (symbol << 2), offsets - countLogarithm(OFFSET_COUNTS, symbol) + extraOffsetCost(symbol));
}

// @ts-ignore: decorator
@inline
export function isWorthIt(at: usize, length: u32, distance: u32): bool {
  if (length >= LONG) return true;
  const slot = <u32>load<u8>(LENGTH_SLOTS + length);
  const match = load<u32>(LITERAL_COSTS + ((FIRST_LENGTH + slot) << 2)) + load<u32>(OFFSET_COSTS + (offsetSlot(distance) << 2));
  let literals: u32 = 0;
  for (let i: usize = 0; i < length; i++) literals += load<u32>(LITERAL_COSTS + (<u32>load<u8>(at + i) << 2));
  return match < literals;
}

function sumOf(counts: usize, symbols: u32): u32 {
  // One that never came may come yet.
  let sum: u32 = 1;
  for (let symbol: u32 = 0; symbol < symbols; symbol++) sum += load<u32>(counts + (symbol << 2));
  return sum << 1;
}

// @ts-ignore: decorator
@inline
function countLogarithm(counts: usize, symbol: u32): u32 {
  return logarithm((load<u32>(counts + (symbol << 2)) << 1) | 1);
}

/** To base 2 in sixteenths; between powers of two along a line. */
// @ts-ignore: decorator
@inline
function logarithm(value: u32): u32 {
  const zeros = clz(value);
  return ((31 - zeros) << 4) + (((value << zeros) >> 27) & 15);
}

// @ts-ignore: decorator
@inline
function extraLengthCost(symbol: u32): u32 {
  return symbol < FIRST_LENGTH || symbol > FIRST_LENGTH + 28 ? 0 : load<u32>(LENGTH_EXTRA_BITS + ((symbol - FIRST_LENGTH) << 2)) << 4;
}

// @ts-ignore: decorator
@inline
function extraOffsetCost(symbol: u32): u32 {
  return symbol < 4 ? 0 : ((symbol >> 1) - 1) << 4;
}
