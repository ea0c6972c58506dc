import type { ColumnBuffer } from './column-buffer.ts';
import { storeBigInt, storeSafe } from './int64-words.ts';

const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const SPACE = 0x20;
const LETTER_B = 0x42;
const LETTER_C = 0x43;

const SECONDS_A_DAY = 86_400;
/** Seconds of either sign that fit a safe integer as microseconds. */
const SAFE_SECONDS = 9_007_199_254;

/** Where parsing stands: what lies between the last value read and the end of the field. */
let at = 0;

/** Days since 1970-01-01 of the `YYYY-MM-DD` at `start`, of a year before Christ where `bc`; NaN where it is no date. */
function days(bytes: Buffer, start: number, end: number, bc: boolean): number {
  let p = start;
  let year = 0;
  while (p < end && (bytes[p]! - ZERO) >>> 0 <= 9) {
    year = year * 10 + bytes[p]! - ZERO;
    p++;
  }
  if (p === start || p - start > 7 || end - p < 6 || bytes[p] !== MINUS || bytes[p + 3] !== MINUS) {
    return Number.NaN;
  }
  const month = twoDigits(bytes, p + 1);
  const day = twoDigits(bytes, p + 4);
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= 31)) return Number.NaN;
  at = p + 6;
  // The year before 1 is 1 BC, in the Gregorian calendar from end to end. Years begin in March here.
  const shifted = (bc ? 1 - year : year) - (month <= 2 ? 1 : 0);
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + (yearOfEra >> 2) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function twoDigits(bytes: Buffer, p: number): number {
  const tens = bytes[p]! - ZERO;
  const ones = bytes[p + 1]! - ZERO;
  return tens >>> 0 <= 9 && ones >>> 0 <= 9 ? tens * 10 + ones : Number.NaN;
}

/** Microseconds beyond the last whole second of the time that `seconds` has read. */
let micros = 0;

/** Whole seconds since midnight of the `HH:MM:SS[.ffffff]` at `start`; NaN where it is no time. */
function seconds(bytes: Buffer, start: number, end: number): number {
  if (end - start < 8 || bytes[start + 2] !== COLON || bytes[start + 5] !== COLON) return Number.NaN;
  const value =
    twoDigits(bytes, start) * 3600 + twoDigits(bytes, start + 3) * 60 + twoDigits(bytes, start + 6);
  let p = start + 8;
  micros = 0;
  if (p < end && bytes[p] === DOT) {
    p++;
    let unit = 1_000_000;
    while (p < end && unit > 1 && (bytes[p]! - ZERO) >>> 0 <= 9) {
      unit /= 10;
      micros += (bytes[p]! - ZERO) * unit;
      p++;
    }
    if (unit === 1_000_000) return Number.NaN;
  }
  at = p;
  return value;
}

function endsWithBc(bytes: Buffer, start: number, end: number): boolean {
  return (
    bytes[end - 1] === LETTER_C && end - start > 3 && bytes[end - 2] === LETTER_B && bytes[end - 3] === SPACE
  );
}

export function fillDate(
  to: ColumnBuffer,
  row: number,
  bytes: Buffer,
  starts: Int32Array,
  lengths: Int32Array,
  from: number,
  count: number,
): number {
  const { words } = to;
  for (let k = from; k < from + count; k++, row++) {
    if (lengths[k]! < 0) {
      to.setNull(row);
      continue;
    }
    const start = starts[k]!;
    let end = start + lengths[k]!;
    const bc = endsWithBc(bytes, start, end);
    if (bc) end -= 3;
    const value = days(bytes, start, end, bc);
    // The comparison is false for NaN.
    if (!(value >= -2147483648 && value <= 2147483647) || at !== end) return k;
    words[row] = value;
  }
  return -1;
}

export function fillTime(
  to: ColumnBuffer,
  row: number,
  bytes: Buffer,
  starts: Int32Array,
  lengths: Int32Array,
  from: number,
  count: number,
): number {
  const { words } = to;
  for (let k = from; k < from + count; k++, row++) {
    if (lengths[k]! < 0) {
      to.setNull(row);
      continue;
    }
    const end = starts[k]! + lengths[k]!;
    const value = seconds(bytes, starts[k]!, end);
    // Arrow's times end before 24:00:00, which readers would show as midnight.
    if (!(value < SECONDS_A_DAY) || at !== end) return k;
    storeSafe(words, 2 * row, value * 1_000_000 + micros);
  }
  return -1;
}

/** With or without `+00`: the session's time zone is UTC. */
export function fillTimestamp(
  to: ColumnBuffer,
  row: number,
  bytes: Buffer,
  starts: Int32Array,
  lengths: Int32Array,
  from: number,
  count: number,
): number {
  const { words } = to;
  const zoned = to.column.kind === 'timestamptz';
  for (let k = from; k < from + count; k++, row++) {
    if (lengths[k]! < 0) {
      to.setNull(row);
      continue;
    }
    const start = starts[k]!;
    let end = start + lengths[k]!;
    const bc = endsWithBc(bytes, start, end);
    if (bc) end -= 3;
    if (zoned) {
      if (end - start < 3 || bytes[end - 3] !== PLUS || bytes[end - 2] !== ZERO || bytes[end - 1] !== ZERO) {
        return k;
      }
      end -= 3;
    }
    const date = days(bytes, start, end, bc);
    if (Number.isNaN(date) || bytes[at] !== SPACE) return k;
    const time = seconds(bytes, at + 1, end);
    if (Number.isNaN(time) || at !== end) return k;
    const total = date * SECONDS_A_DAY + time;
    if (total > -SAFE_SECONDS && total < SAFE_SECONDS) {
      storeSafe(words, 2 * row, total * 1_000_000 + micros);
      continue;
    }
    const exact = BigInt(total) * 1_000_000n + BigInt(micros);
    if (BigInt.asIntN(64, exact) !== exact) return k;
    storeBigInt(words, 2 * row, 2, exact);
  }
  return -1;
}
