import { numberOf, NOT_DIGITS } from './parquet-digits';
import { Kind, ParquetColumn } from './parquet-column';

const MINUS: u32 = 0x2d;
const POINT: u32 = 0x2e;
const ZERO: u32 = 0x30;
const COLON: u32 = 0x3a;
const SPACE: u32 = 0x20;
/** ` BC` and `+00`, lowest byte first. */
const BC: u32 = 0x434220;
const UTC: u32 = 0x30302b;

const DAYS_OF_400_YEARS: i64 = 146_097;
const SECONDS_A_DAY: i64 = 86_400;
const MICROSECONDS: i64 = 1_000_000;
/** What fits as microseconds; at the ends not every fraction of it. */
const MOST_SECONDS: i64 = 9_223_372_036_854;
const LEAST_SECONDS: i64 = -9_223_372_036_855;

/** No date and no time. */
const NONE: i64 = i64.MIN_VALUE;

/** Where parsing stands: behind the last value read. */
let next: usize = 0;
/** Microseconds beyond the whole second of the time that was read last. */
let fraction: i64 = 0;

// @ts-ignore: decorator
@inline
function threeBytes(p: usize): u32 {
  return load<u32>(p) & 0xff_ffff;
}

// @ts-ignore: decorator
@inline
function isBeforeChrist(start: usize, end: usize): bool {
  return end - start > 3 && threeBytes(end - 3) == BC;
}

/** Days since 1970-01-01 of the `YYYY-MM-DD` at `start`; `NONE` where it is no date. */
function daysAt(start: usize, end: usize, isBc: bool): i64 {
  if (end - start < 10 || <u32>load<u8>(start, 4) != MINUS) return daysOfLongYear(start, end, isBc);
  if (<u32>load<u8>(start, 7) != MINUS) return NONE;
  const text = v128.load(start);
  const digits = i8x16.swizzle(text, i8x16(0, 1, 2, 3, 5, 6, 8, 9, 0, 0, 0, 0, 0, 0, 0, 0));
  const date = numberOf(i64x2.extract_lane(digits, 0));
  if (date == NOT_DIGITS) return NONE;
  next = start + 10;
  return daysOf(date / 10_000, (date / 100) % 100, date % 100, isBc);
}

function daysOfLongYear(start: usize, end: usize, isBc: bool): i64 {
  let p = start;
  let year: i64 = 0;
  while (p < end && <u32>load<u8>(p) - ZERO <= 9) year = year * 10 + <i64>(<u32>load<u8>(p++) - ZERO);
  if (p == start || p - start > 7 || end - p < 6) return NONE;
  if (<u32>load<u8>(p) != MINUS || <u32>load<u8>(p, 3) != MINUS) return NONE;
  const month = twoDigits(p + 1);
  const day = twoDigits(p + 4);
  if (month > 99 || day > 99) return NONE;
  next = p + 6;
  return daysOf(year, month, day, isBc);
}

/** Above 99 where they are none. */
function twoDigits(p: usize): u32 {
  const tens = <u32>load<u8>(p) - ZERO;
  const ones = <u32>load<u8>(p, 1) - ZERO;
  return tens <= 9 && ones <= 9 ? tens * 10 + ones : NOT_DIGITS;
}

/**
 * The year before 1 is 1 BC, in the Gregorian calendar from end to end. Years begin in
 * March here.
 */
function daysOf(year: i64, month: u32, day: u32, isBc: bool): i64 {
  if (month - 1 > 11 || day - 1 > 30) return NONE;
  // Counted from a multiple of 400 years that is before every date.
  const shifted = (isBc ? 1 - year : year) - <i64>(month <= 2) + 25_000 * 400;
  const era = shifted / 400;
  const yearOfEra = shifted - era * 400;
  const dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const dayOfEra = yearOfEra * 365 + (yearOfEra >> 2) - yearOfEra / 100 + <i64>dayOfYear;
  return (era - 25_000) * DAYS_OF_400_YEARS + dayOfEra - 719_468;
}

/**
 * Whole seconds since midnight of the `HH:MM:SS[.ffffff]` at `start`; `NONE` where it is
 * no time.
 */
function secondsAt(start: usize, end: usize): i64 {
  if (end - start < 8 || <u32>load<u8>(start, 2) != COLON || <u32>load<u8>(start, 5) != COLON) return NONE;
  const text = v128.load(start);
  const isTime = i8x16(16, 16, 0, 1, 3, 4, 6, 7, 0, 0, 0, 0, 0, 0, 0, 0);
  // Two zeros before the six digits.
  const digits = i64x2.extract_lane(i8x16.swizzle(text, isTime), 0) | 0x3030;
  const time = numberOf(digits);
  if (time == NOT_DIGITS) return NONE;
  let p = start + 8;
  fraction = 0;
  if (p < end && <u32>load<u8>(p) == POINT) {
    p++;
    let unit: i64 = MICROSECONDS;
    while (p < end && unit > 1 && <u32>load<u8>(p) - ZERO <= 9) {
      unit /= 10;
      fraction += <i64>(<u32>load<u8>(p++) - ZERO) * unit;
    }
    if (unit == MICROSECONDS) return NONE;
  }
  next = p;
  return (time / 10_000) * 3600 + ((time / 100) % 100) * 60 + (time % 100);
}

export function fillDates(column: ParquetColumn, starts: usize, lengths: usize, count: u32): bool {
  let at = column.at;
  let least = i64.MAX_VALUE;
  let most = i64.MIN_VALUE;
  for (let row: u32 = 0; row < count; row++) {
    const length = load<i32>(lengths + (<usize>row << 2));
    if (length < 0) continue;
    const start = <usize>load<u32>(starts + (<usize>row << 2));
    let end = start + length;
    const isBc = isBeforeChrist(start, end);
    if (isBc) end -= 3;
    const value = daysAt(start, end, isBc);
    if (value != <i64>(<i32>value) || next != end) return false;
    store<i32>(at, <i32>value);
    at += 4;
    least = min(least, value);
    most = max(most, value);
  }
  column.at = at;
  if (least <= most) column.boundInteger(least, most);
  return true;
}

export function fillTimes(column: ParquetColumn, starts: usize, lengths: usize, count: u32): bool {
  let at = column.at;
  let least = i64.MAX_VALUE;
  let most = i64.MIN_VALUE;
  for (let row: u32 = 0; row < count; row++) {
    const length = load<i32>(lengths + (<usize>row << 2));
    if (length < 0) continue;
    const start = <usize>load<u32>(starts + (<usize>row << 2));
    const end = start + length;
    const time = secondsAt(start, end);
    // Times end before 24:00:00, which readers would show as midnight.
    if (time == NONE || time >= SECONDS_A_DAY || next != end) return false;
    const value = time * MICROSECONDS + fraction;
    store<i64>(at, value);
    at += 8;
    least = min(least, value);
    most = max(most, value);
  }
  column.at = at;
  if (least <= most) column.boundInteger(least, most);
  return true;
}

/** With or without `+00`: the session's time zone is UTC. */
export function fillTimestamps(column: ParquetColumn, starts: usize, lengths: usize, count: u32): bool {
  const hasZone = column.kind == Kind.TIMESTAMPTZ;
  let at = column.at;
  let least = i64.MAX_VALUE;
  let most = i64.MIN_VALUE;
  for (let row: u32 = 0; row < count; row++) {
    const length = load<i32>(lengths + (<usize>row << 2));
    if (length < 0) continue;
    const start = <usize>load<u32>(starts + (<usize>row << 2));
    const value = timestampOf(start, start + length, hasZone);
    if (value == NONE) return false;
    store<i64>(at, value);
    at += 8;
    least = min(least, value);
    most = max(most, value);
  }
  column.at = at;
  if (least <= most) column.boundInteger(least, most);
  return true;
}

/**
 * Microseconds since 1970-01-01; `NONE`, which PostgreSQL has no text for, where it is no
 * timestamp.
 */
function timestampOf(start: usize, textEnd: usize, hasZone: bool): i64 {
  let end = textEnd;
  const isBc = isBeforeChrist(start, end);
  if (isBc) end -= 3;
  if (hasZone) {
    if (end - start < 3 || threeBytes(end - 3) != UTC) return NONE;
    end -= 3;
  }
  const days = daysAt(start, end, isBc);
  if (days == NONE || <u32>load<u8>(next) != SPACE || next >= end) return NONE;
  const time = secondsAt(next + 1, end);
  if (time == NONE || next != end) return NONE;
  const seconds = days * SECONDS_A_DAY + time;
  if (seconds >= MOST_SECONDS || seconds <= LEAST_SECONDS) {
    if (seconds > MOST_SECONDS || seconds < LEAST_SECONDS) return NONE;
    if (seconds == MOST_SECONDS ? fraction > 775_807 : fraction <= 224_192) return NONE;
  }
  return seconds * MICROSECONDS + fraction;
}
