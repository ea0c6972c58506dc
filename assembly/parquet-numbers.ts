import { isOther, manyDigits, NOT_DIGITS } from './parquet-digits';
import { Kind, ParquetColumn } from './parquet-column';

const MINUS: u32 = 0x2d;
const PLUS: u32 = 0x2b;
const POINT: u32 = 0x2e;
const ZERO: u32 = 0x30;
const LETTER_E: u32 = 0x65;
const LOWER_T: u32 = 0x74;
const LOWER_F: u32 = 0x66;

/** Powers of ten that a double holds exactly. */
const POWERS = memory.data<f64>([
  1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
  1e20, 1e21, 1e22,
]);
const MOST_POWER: i32 = 22;
const SAFE_INTEGER: u64 = 1 << 53;
/** Digits that always fit a word of 64 bits. */
const WORD_DIGITS: u32 = 18;
/**
 * The bits of a double that a float of 32 bits has no room for, and the one in the middle
 * of them.
 */
const CUT_BITS: u64 = 0x1fff_ffff;
const MIDDLE: u64 = 0x1000_0000;

/** The double nearest to a decimal, and the float nearest to it. */
// @ts-ignore: decorator
@external("caller", "parseDouble")
declare function parseDouble(start: usize, end: usize): f64;
// @ts-ignore: decorator
@external("caller", "parseFloat")
declare function parseFloat(value: f64, start: usize, end: usize): f32;

export function fillBooleans(column: ParquetColumn, starts: usize, lengths: usize, count: u32): bool {
  // The bits before are those of values that were counted already.
  let place: u32 = 0;
  for (let row: u32 = 0; row < count; row++) if (load<i32>(lengths + (<usize>row << 2)) >= 0) place++;
  place = column.valueCount - place;
  let at = column.values + (place >> 3);
  let filled = place & 7;
  let bits: u32 = filled == 0 ? 0 : load<u8>(at);
  let least: u32 = 1;
  let most: u32 = 0;
  for (let row: u32 = 0; row < count; row++) {
    const length = load<i32>(lengths + (<usize>row << 2));
    if (length < 0) continue;
    const byte = <u32>load<u8>(<usize>load<u32>(starts + (<usize>row << 2)));
    const bit = <u32>(byte == LOWER_T);
    if (length != 1 || (!bit && byte != LOWER_F)) return false;
    least &= bit;
    most |= bit;
    bits |= bit << filled;
    if (++filled == 8) {
      store<u8>(at++, bits);
      bits = 0;
      filled = 0;
    }
  }
  if (filled > 0) store<u8>(at, bits);
  column.at = at + (filled > 0 ? 1 : 0);
  if (least <= most) column.boundInteger(least, most);
  return true;
}

export function fillIntegers(column: ParquetColumn, starts: usize, lengths: usize, count: u32): bool {
  const kind = column.kind;
  const bits: u32 = kind == Kind.INT16 ? 16 : kind == Kind.INT32 ? 32 : 64;
  const width = column.width;
  let at = column.at;
  let least = i64.MAX_VALUE;
  let most = i64.MIN_VALUE;
  for (let row: u32 = 0; row < count; row++) {
    const length = load<i32>(lengths + (<usize>row << 2));
    if (length < 0) continue;
    let p = <usize>load<u32>(starts + (<usize>row << 2));
    const isNegative = length > 0 && <u32>load<u8>(p) == MINUS;
    p += <usize>isNegative;
    const digits = <u32>length - <u32>isNegative;
    let value: i64;
    // Unsigned, 0 is above the greatest number of digits too.
    if (digits - 1 < WORD_DIGITS) {
      const magnitude = <i64>manyDigits(p, digits);
      value = isNegative ? -magnitude : magnitude;
      if (isOther || (bits < 64 && (value >> (bits - 1)) != value >> 63) || (bits < 64 && digits > 10)) return false;
    } else {
      // 19 digits: up to 9,999,999,999,999,999,999, which fits without a sign.
      const magnitude = digits == 19 && bits == 64 ? manyDigits(p, digits) : 0;
      if (digits != 19 || bits < 64 || isOther || magnitude > (1 << 63) - <u64>!isNegative) return false;
      value = isNegative ? <i64>(0 - magnitude) : <i64>magnitude;
    }
    if (width == 8) store<u64>(at, <u64>value);
    else store<u32>(at, <u32>value);
    at += width;
    least = min(least, value);
    most = max(most, value);
  }
  column.at = at;
  if (least <= most) column.boundInteger(least, most);
  return true;
}

/** Why `toDouble` gave NaN: the text says so, or it is no number. */
let isNaNText: bool = false;

/**
 * The nearest double. Few digits are converted here, exactly (Clinger's fast path),
 * others by the caller.
 */
function toDouble(start: usize, end: usize): f64 {
  let p = start;
  const isNegative = p < end && <u32>load<u8>(p) == MINUS;
  if (isNegative) p++;
  const first = p;
  let mantissa: u64 = 0;
  while (p < end && isDigit(load<u8>(p))) mantissa = mantissa * 10 + <u64>(<u32>load<u8>(p++) - ZERO);
  let digits = <u32>(p - first);
  if (digits == 0) return notDigits(start, end);
  let exponent: i32 = 0;
  if (p < end && <u32>load<u8>(p) == POINT) {
    const point = ++p;
    while (p < end && isDigit(load<u8>(p))) mantissa = mantissa * 10 + <u64>(<u32>load<u8>(p++) - ZERO);
    exponent = <i32>(point - p);
    if (exponent == 0) return refuseDouble();
    digits -= exponent;
  }
  if (p < end && <u32>load<u8>(p) == LETTER_E) {
    p++;
    const sign = <u32>load<u8>(p);
    if (p < end && (sign == MINUS || sign == PLUS)) p++;
    const power = p;
    let tens: i32 = 0;
    while (p < end && isDigit(load<u8>(p))) tens = min(tens * 10 + <i32>(<u32>load<u8>(p++) - ZERO), 100_000);
    if (p == power) return refuseDouble();
    exponent += sign == MINUS ? -tens : tens;
  }
  if (p != end) return refuseDouble();
  if (digits <= 19 && mantissa <= SAFE_INTEGER && exponent >= -MOST_POWER && exponent <= MOST_POWER) {
    const whole = <f64>mantissa;
    const value =
      exponent < 0
        ? whole / load<f64>(POWERS + (<usize>-exponent << 3))
        : whole * load<f64>(POWERS + (<usize>exponent << 3));
    return isNegative ? -value : value;
  }
  return parseDouble(start, end);
}

// @ts-ignore: decorator
@inline
function isDigit(byte: u8): bool {
  return <u32>byte - ZERO <= 9;
}

function refuseDouble(): f64 {
  isNaNText = false;
  return NaN;
}

/** `NaN`, `Infinity` and `-Infinity`. */
function notDigits(start: usize, end: usize): f64 {
  const length = <u32>(end - start);
  isNaNText = length == 3 && <u32>load<u16>(start) == 0x614e && <u32>load<u8>(start, 2) == 0x4e;
  const isNegative = length == 9 && <u32>load<u8>(start) == MINUS;
  if (!isNegative && length != 8) return NaN;
  return load<u64>(end - 8) == 0x7974_696e_6966_6e49 ? (isNegative ? -Infinity : Infinity) : NaN;
}

export function fillFloats(column: ParquetColumn, starts: usize, lengths: usize, count: u32): bool {
  const isDouble = column.kind == Kind.FLOAT64;
  let at = column.at;
  let least = Infinity;
  let most = -Infinity;
  let values: u32 = 0;
  for (let row: u32 = 0; row < count; row++) {
    const length = load<i32>(lengths + (<usize>row << 2));
    if (length < 0) continue;
    const start = <usize>load<u32>(starts + (<usize>row << 2));
    const end = start + length;
    let value = toDouble(start, end);
    if (isNaN(value)) {
      if (!isNaNText) return false;
      column.hasNaN = 1;
    }
    if (isDouble) {
      store<f64>(at, value);
      at += 8;
    } else {
      const single = toSingle(value, start, end);
      store<f32>(at, single);
      at += 4;
      value = single;
    }
    least = min(least, value);
    most = max(most, value);
    values++;
  }
  column.at = at;
  if (values == 0 || column.hasNaN) return true;
  const before = column.hasBounds;
  column.least = reinterpret<u64>(before ? min(reinterpret<f64>(column.least), least) : least);
  column.most = reinterpret<u64>(before ? max(reinterpret<f64>(column.most), most) : most);
  column.hasBounds = 1;
  return true;
}

/**
 * Rounded to a double first, a value right between two floats may have come out on the
 * wrong side.
 */
// @ts-ignore: decorator
@inline
function toSingle(value: f64, start: usize, end: usize): f32 {
  const single = <f32>value;
  if (<f64>single == value || isNaN(value)) return single;
  const isNormal = abs(value) >= 1.1754943508222875e-38;
  if (isNormal && (reinterpret<u64>(value) & CUT_BITS) != MIDDLE) return single;
  return parseFloat(value, start, end);
}

export function fillDecimals(column: ParquetColumn, starts: usize, lengths: usize, count: u32): bool {
  const precision = column.precision;
  const scale = column.scale;
  const width = column.width;
  let at = column.at;
  let least = i64.MAX_VALUE;
  let most = i64.MIN_VALUE;
  for (let row: u32 = 0; row < count; row++) {
    const length = load<i32>(lengths + (<usize>row << 2));
    if (length < 0) continue;
    const start = <usize>load<u32>(starts + (<usize>row << 2));
    if (!readDecimal(start, start + length, precision, scale)) return false;
    if (width > 8) {
      storeBigEndian(at, width);
      boundBig(column);
    } else {
      const value = <i64>low;
      if (width == 8) store<u64>(at, low);
      else store<u32>(at, <u32>low);
      least = min(least, value);
      most = max(most, value);
    }
    at += width;
  }
  column.at = at;
  if (least <= most) column.boundInteger(least, most);
  return true;
}

/** The two's complement of the decimal that was read last, without its point. */
let low: u64 = 0;
let high: u64 = 0;

/** Whether the decimal has the digits, at most, that the column has room for. */
function readDecimal(start: usize, end: usize, precision: u32, scale: u32): bool {
  let p = start;
  const isNegative = p < end && <u32>load<u8>(p) == MINUS;
  if (isNegative) p++;
  low = 0;
  high = 0;
  const first = p;
  let digits: u32 = 0;
  while (p < end && isDigit(load<u8>(p))) digits += <u32>takeDigit(<u32>load<u8>(p++) - ZERO, digits);
  if (p == first) return false;
  let missing = scale;
  if (p < end && <u32>load<u8>(p) == POINT) {
    if (p + 1 == end) return false;
    p++;
    for (; p < end && missing > 0 && isDigit(load<u8>(p)); missing--)
      digits += <u32>takeDigit(<u32>load<u8>(p++) - ZERO, digits);
    // Zeros behind the scale change nothing.
    while (p < end && <u32>load<u8>(p) == ZERO) p++;
  }
  if (p != end || digits > precision) return false;
  for (; missing > 0; missing--) digits += <u32>takeDigit(0, digits);
  if (digits > precision) return false;
  if (isNegative) {
    low = 0 - low;
    high = ~high + <u64>(low == 0);
  }
  return true;
}

/** @returns whether it counts: zeros before the first other digit do not */
// @ts-ignore: decorator
@inline
function takeDigit(digit: u32, digits: u32): bool {
  if (digits < WORD_DIGITS) low = low * 10 + digit;
  else {
    const lower = (low & 0xffff_ffff) * 10 + digit;
    const upper = (low >> 32) * 10 + (lower >> 32);
    low = (upper << 32) | (lower & 0xffff_ffff);
    high = high * 10 + (upper >> 32);
  }
  return digits > 0 || digit > 0;
}

function storeBigEndian(at: usize, width: u32): void {
  // Right behind each other, and cut at the upper end.
  const cut = 128 - 8 * <u64>width;
  const upper = cut == 0 ? high : (high << cut) | (cut < 64 ? low >> (64 - cut) : 0);
  store<u64>(at, bswap(upper));
  store<u64>(at + width - 8, bswap(low));
}

function boundBig(column: ParquetColumn): void {
  const before = column.hasBounds;
  if (!before || isBelow(low, high, column.least, column.leastHigh)) {
    column.least = low;
    column.leastHigh = high;
  }
  if (!before || isBelow(column.most, column.mostHigh, low, high)) {
    column.most = low;
    column.mostHigh = high;
  }
  column.hasBounds = 1;
}

function isBelow(low: u64, high: u64, otherLow: u64, otherHigh: u64): bool {
  return high == otherHigh ? low < otherLow : <i64>high < <i64>otherHigh;
}
