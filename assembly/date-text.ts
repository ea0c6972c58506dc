import { writeDigits, writeTwo, writeWord } from './number-text';

const DAYS_OF_400_YEARS: u32 = 146_097;
/** From the first of March of the year -5200, which 13 times 400 years bring to the year 0, to 2000-01-01. */
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

/** Whether the date that was written last is one before Christ, which its text says at its very end. */
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
  writeTwo(hours, position);
  store<u8>(position, COLON, 2);
  writeTwo(minutes - hours * 60, position + 3);
  return writeSeconds(seconds - minutes * 60, <u32>(microseconds - <i64>seconds * 1_000_000), position + 5);
}

/** With the colon in front, and no more digits behind the point than there are. */
export function writeSeconds(seconds: u32, microseconds: u32, position: usize): usize {
  store<u8>(position, COLON);
  writeTwo(seconds, position + 1);
  let at = position + 3;
  if (microseconds == 0) return at;
  store<u8>(at, POINT);
  const high = microseconds / 10_000;
  const low = microseconds - high * 10_000;
  writeTwo(high, at + 1);
  writeTwo(low / 100, at + 3);
  writeTwo(low % 100, at + 5);
  at += 7;
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

/** `2020-01-01` of the proleptic Gregorian calendar, counted in years that begin in March. */
function writeDay(days: i32, position: usize): usize {
  const day = <u32>days + DAYS_BEFORE;
  const cycle = day / DAYS_OF_400_YEARS;
  const dayOfCycle = day - cycle * DAYS_OF_400_YEARS;
  const yearOfCycle = (dayOfCycle - dayOfCycle / 1460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365;
  const dayOfYear = dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100);
  const fromMarch = (5 * dayOfYear + 2) / 153;
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  const year = <i32>(yearOfCycle + cycle * 400) - YEARS_BEFORE + <i32>(month <= 2);
  isBeforeChrist = year <= 0;
  let at = position;
  const shown = <u32>(isBeforeChrist ? 1 - year : year);
  if (shown < 10_000) {
    writeTwo(shown / 100, at);
    writeTwo(shown % 100, at + 2);
    at += 4;
  } else {
    at = writeDigits(shown, at);
  }
  store<u8>(at, HYPHEN);
  writeTwo(month, at + 1);
  store<u8>(at, HYPHEN, 3);
  writeTwo(dayOfYear - (153 * fromMarch + 2) / 5 + 1, at + 4);
  return at + 6;
}

function writeEra(at: usize): usize {
  return isBeforeChrist ? writeWord(BC, 3, at) : at;
}
