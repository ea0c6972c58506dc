import { writeFraction, writeInfinity } from './date-text';
import { magnitude, writeDigits, writeInteger, writeTwo, writeWord } from './number-text';

const SPACE: u32 = 0x20;
const PLUS: u32 = 0x2b;
const HYPHEN: u32 = 0x2d;
const COLON: u32 = 0x3a;
const LOWER_S: u32 = 0x73;
/**
 * ` yea`, ` mon`, ` day`: what names a part, lowest byte first, but for the `r` of years.
 */
const YEAR: u32 = 0x61657920;
const MONTH: u32 = 0x6e6f6d20;
const DAY: u32 = 0x79616420;
const LETTER_R: u32 = 0x72;

/**
 * Whether nothing has been written, and whether the part before is negative: positive
 * parts need a sign then.
 */
let isFirst: bool = true;
let isAfterNegative: bool = false;

/** The text that the style `postgres` gives: `1 year 2 mons -3 days +04:05:06.7`. */
export function writeInterval(start: usize, canBeInfinite: bool, position: usize): usize {
  const time = <i64>bswap(load<u64>(start));
  const days = <i32>bswap(load<u32>(start, 8));
  const months = <i32>bswap(load<u32>(start, 12));
  if (canBeInfinite) {
    if (time == i64.MAX_VALUE && days == i32.MAX_VALUE && months == i32.MAX_VALUE)
      return writeInfinity(false, position);
    if (time == i64.MIN_VALUE && days == i32.MIN_VALUE && months == i32.MIN_VALUE)
      return writeInfinity(true, position);
  }
  isFirst = true;
  isAfterNegative = false;
  let at = writePart(months / 12, YEAR, position);
  at = writePart(months % 12, MONTH, at);
  at = writePart(days, DAY, at);
  if (!isFirst && time == 0) return at;
  if (!isFirst) store<u8>(at++, SPACE);
  if (time < 0) store<u8>(at++, HYPHEN);
  else if (isAfterNegative) store<u8>(at++, PLUS);
  const microseconds = magnitude(time);
  const seconds = microseconds / 1_000_000;
  const hours = seconds / 3600;
  const rest = <u32>(seconds - hours * 3600);
  if (hours < 100) {
    writeTwo(<u32>hours, at);
    at += 2;
  } else {
    at = writeDigits(hours, at);
  }
  store<u8>(at, COLON);
  writeTwo(rest / 60, at + 1);
  store<u8>(at, COLON, 3);
  writeTwo(rest % 60, at + 4);
  return writeFraction(<u32>(microseconds - seconds * 1_000_000), at + 6);
}

function writePart(value: i32, unit: u32, position: usize): usize {
  if (value == 0) return position;
  let at = position;
  if (!isFirst) store<u8>(at++, SPACE);
  if (isAfterNegative && value > 0) store<u8>(at++, PLUS);
  at = writeWord(unit, 4, writeInteger(value, at));
  if (unit == YEAR) store<u8>(at++, LETTER_R);
  if (value != 1) store<u8>(at++, LOWER_S);
  isFirst = false;
  isAfterNegative = value < 0;
  return at;
}
