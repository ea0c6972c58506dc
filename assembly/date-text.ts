import { writeDigits, writeTwo, writeWord } from './number-text';

const DAYS_OF_400_YEARS: u32 = 146_097;
/**
 * From the first of March of the year -5200, which 13 times 400 years bring to the year
 * 0, to 2000-01-01.
 */
const DAYS_BEFORE: u32 = 730_425 + 13 * DAYS_OF_400_YEARS;
const YEARS_BEFORE: i32 = 13 * 400;
const MICROSECONDS_A_DAY: i64 = 86_400_000_000;

const HYPHEN: u32 = 0x2d;
const COLON: u32 = 0x3a;
const POINT: u32 = 0x2e;
const SPACE: u32 = 0x20;
const ZERO: u32 = 0x30;
/** ` BC` and `+00`, lowest byte first. */
const BC: u32 = 0x434220;
const UTC: u32 = 0x30302b;

/**
 * Whether the date that was written last is one before Christ, which its text says at its
 * very end.
 */
let isBeforeChrist: bool = false;

/** @param days since 2000-01-01 */
export function writeDate(days: i32, at: usize): usize {
  if (days == i32.MAX_VALUE || days == i32.MIN_VALUE) return writeInfinity(days < 0, at);
  return writeEra(writeDay(days, at));
}

/** @param microseconds since 2000-01-01 00:00:00, in UTC where `isInUtc` */
export function writeTimestamp(microseconds: i64, isInUtc: bool, position: usize): usize {
  if (microseconds == i64.MAX_VALUE || microseconds == i64.MIN_VALUE)
    return writeInfinity(microseconds < 0, position);
  // Division in floating point is faster, and at most one day off.
  let days = <i32>Math.floor(<f64>microseconds / <f64>MICROSECONDS_A_DAY);
  let time = microseconds - <i64>days * MICROSECONDS_A_DAY;
  if (time < 0) {
    days--;
    time += MICROSECONDS_A_DAY;
  } else if (time >= MICROSECONDS_A_DAY) {
    days++;
    time -= MICROSECONDS_A_DAY;
  }
  let at = writeDay(days, position);
  store<u8>(at++, SPACE);
  at = writeTime(time, at);
  if (isInUtc) {
    store<u32>(at, UTC);
    at += 3;
  }
  return writeEra(at);
}

/** @param microseconds since midnight; 24:00:00 is one of them */
export function writeTime(microseconds: i64, position: usize): usize {
  // Exact: the quotient is no nearer to the next whole number than a millionth.
  const seconds = <u32>(<f64>microseconds / 1_000_000);
  const minutes = seconds / 60;
  const hours = minutes / 60;
  const digits = pairs(hours | ((minutes - hours * 60) << 16), seconds - minutes * 60);
  store<u16>(position, <u16>digits);
  store<u8>(position, COLON, 2);
  store<u16>(position, <u16>(digits >> 16), 3);
  store<u8>(position, COLON, 5);
  store<u16>(position, <u16>(digits >> 32), 6);
  return writeFraction(<u32>(microseconds - <i64>seconds * 1_000_000), position + 8);
}

/** With no more digits behind the point than there are. */
export function writeFraction(microseconds: u32, position: usize): usize {
  if (microseconds == 0) return position;
  const high = microseconds / 10_000;
  const low = microseconds - high * 10_000;
  const middle = low / 100;
  const digits = pairs(high | (middle << 16), low - middle * 100);
  store<u8>(position, POINT);
  store<u32>(position, <u32>digits, 1);
  store<u16>(position, <u16>(digits >> 32), 5);
  let at = position + 7;
  while (<u32>load<u8>(at - 1) == ZERO) at--;
  return at;
}

/** @param secondsWest as PostgreSQL keeps the zone of a `timetz` */
export function writeZone(secondsWest: i32, position: usize): usize {
  store<u8>(position, secondsWest <= 0 ? 0x2b : HYPHEN);
  const seconds = <u32>abs(secondsWest);
  const minutes = seconds / 60;
  writeTwo(minutes / 60, position + 1);
  let at = position + 3;
  if (seconds % 3600 == 0) return at;
  store<u8>(at, COLON);
  writeTwo(minutes % 60, at + 1);
  at += 3;
  if (seconds % 60 == 0) return at;
  store<u8>(at, COLON);
  writeTwo(seconds % 60, at + 1);
  return at + 3;
}

export function writeInfinity(isNegative: bool, position: usize): usize {
  let at = position;
  if (isNegative) store<u8>(at++, HYPHEN);
  // `infi`, `nity`
  store<u32>(at, 0x69666e69);
  store<u32>(at, 0x7974696e, 4);
  return at + 8;
}

/**
 * `2020-01-01` of the proleptic Gregorian calendar, counted in years that begin in March.
 * The divisions are those of C. Neri and L. Schneider, "Euclidean affine functions and
 * their application to calendar algorithms" (2022).
 */
function writeDay(days: i32, position: usize): usize {
  const day = <u32>days + DAYS_BEFORE;
  const quarters = 4 * <u64>day + 3;
  const century = <u32>(quarters / DAYS_OF_400_YEARS);
  const dayOfCentury = <u32>(quarters % DAYS_OF_400_YEARS) | 3;
  const scaled = <u64>dayOfCentury * 2_939_745;
  const dayOfYear = <u32>scaled / 2_939_745 / 4;
  const monthAndDay = 2141 * dayOfYear + 197_913;
  const isNextYear = <u32>(dayOfYear >= 306);
  const month = (monthAndDay >> 16) - 12 * isNextYear;
  const year = <i32>(100 * century + <u32>(scaled >> 32) + isNextYear) - YEARS_BEFORE;
  isBeforeChrist = year <= 0;
  const shown = <u32>(isBeforeChrist ? 1 - year : year);
  const dayOfMonth = (monthAndDay & 0xffff) / 2141 + 1;
  let at = position;
  const isLong = shown >= 10_000;
  const hundreds = isLong ? 0 : shown / 100;
  const years = isLong ? 0 : hundreds | ((shown - hundreds * 100) << 16);
  const digits = pairs(years, month | (dayOfMonth << 16));
  if (isLong) {
    at = writeDigits(shown, at);
  } else {
    store<u32>(at, <u32>digits);
    at += 4;
  }
  store<u8>(at, HYPHEN);
  store<u16>(at, <u16>(digits >> 32), 1);
  store<u8>(at, HYPHEN, 3);
  store<u16>(at, <u16>(digits >> 48), 4);
  return at + 6;
}

/**
 * The digits of four numbers below 100, each in a half of a word: two characters for
 * each, in the same order.
 */
// @ts-ignore: decorator
@inline
function pairs(first: u32, second: u32): u64 {
  const numbers = <u64>first | (<u64>second << 32);
  const tens = ((numbers * 103) >> 10) & 0x000f_000f_000f_000f;
  return ((numbers - tens * 10) << 8) + tens + 0x3030_3030_3030_3030;
}

function writeEra(at: usize): usize {
  return isBeforeChrist ? writeWord(BC, 3, at) : at;
}
