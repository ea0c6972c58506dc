import type { ColumnBuffer } from './column-buffer.ts';
import { exactFloat32 } from './float32.ts';
import { storeBigInt, storeBillions, storeSafe } from './int64-words.ts';

const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const ZERO = 0x30;
const LETTER_E = 0x65;
const LOWER_T = 0x74;
const LOWER_F = 0x66;

/** Powers of ten that a double holds exactly. */
const POWERS = Float64Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));
/** Digits that always fit a safe integer. */
const SAFE_DIGITS = 15;

// Every loop below is hot. Invariant: the column has room for `count` more rows, and for their data where it has any.

export function fillBoolean(
  to: ColumnBuffer,
  row: number,
  bytes: Buffer,
  starts: Int32Array,
  lengths: Int32Array,
  from: number,
  count: number,
): number {
  const { octets } = to;
  for (let k = from; k < from + count; k++, row++) {
    if (lengths[k]! < 0) {
      to.setNull(row);
      continue;
    }
    const byte = bytes[starts[k]!];
    if (lengths[k] !== 1 || (byte !== LOWER_T && byte !== LOWER_F)) return k;
    if (byte === LOWER_T) octets[row >> 3]! |= 1 << (row & 7);
    else octets[row >> 3]! &= ~(1 << (row & 7));
  }
  return -1;
}

function isDigit(byte: number): boolean {
  return (byte - ZERO) >>> 0 <= 9;
}

/** The integer of up to 10 digits between `p` and `end`, or NaN. */
function smallInteger(bytes: Buffer, start: number, end: number): number {
  let p = start;
  const negative = bytes[p] === MINUS;
  if (negative) p++;
  if (p >= end || end - p > 10) return Number.NaN;
  let value = 0;
  while (p < end) {
    const digit = bytes[p++]! - ZERO;
    if (digit >>> 0 > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return negative ? -value : value;
}

export function fillInt16(
  to: ColumnBuffer,
  row: number,
  bytes: Buffer,
  starts: Int32Array,
  lengths: Int32Array,
  from: number,
  count: number,
): number {
  const { shorts } = to;
  for (let k = from; k < from + count; k++, row++) {
    if (lengths[k]! < 0) {
      to.setNull(row);
      continue;
    }
    const value = smallInteger(bytes, starts[k]!, starts[k]! + lengths[k]!);
    if (!(value >= -32768 && value <= 32767)) return k;
    shorts[row] = value;
  }
  return -1;
}

export function fillInt32(
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
    const value = smallInteger(bytes, starts[k]!, starts[k]! + lengths[k]!);
    if (!(value >= -2147483648 && value <= 2147483647)) return k;
    words[row] = value;
  }
  return -1;
}

export function fillInt64(
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
    let p = starts[k]!;
    const end = p + lengths[k]!;
    const negative = bytes[p] === MINUS;
    if (negative) p++;
    const digits = end - p;
    if (digits < 1 || digits > 19) return k;
    // The last nine digits apart, so that either part is a safe integer.
    const middle = digits > SAFE_DIGITS ? end - 9 : end;
    let value = 0;
    for (; p < middle; p++) {
      const digit = bytes[p]! - ZERO;
      if (digit >>> 0 > 9) return k;
      value = value * 10 + digit;
    }
    if (p === end) {
      storeSafe(words, 2 * row, negative ? -value : value);
      continue;
    }
    let low = 0;
    for (; p < end; p++) {
      const digit = bytes[p]! - ZERO;
      if (digit >>> 0 > 9) return k;
      low = low * 10 + digit;
    }
    if (!storeBillions(words, 2 * row, negative, value, low)) return k;
  }
  return -1;
}

/**
 * The nearest double; NaN also for what is no number. Few digits are converted here, exactly (Clinger's fast path), others
 * by the engine, as a string.
 */
function double(bytes: Buffer, start: number, end: number): number {
  let p = start;
  const negative = bytes[p] === MINUS;
  if (negative) p++;
  let mantissa = 0;
  let exponent = 0;
  const first = p;
  while (p < end && isDigit(bytes[p]!)) mantissa = mantissa * 10 + bytes[p++]! - ZERO;
  let digits = p - first;
  if (digits === 0) return notDigits(bytes, start, end);
  if (p < end && bytes[p] === DOT) {
    const point = ++p;
    while (p < end && isDigit(bytes[p]!)) mantissa = mantissa * 10 + bytes[p++]! - ZERO;
    exponent = point - p;
    if (exponent === 0) return Number.NaN;
    digits -= exponent;
  }
  if (p < end && bytes[p] === LETTER_E) {
    p++;
    const sign = bytes[p] === MINUS ? -1 : 1;
    if (bytes[p] === MINUS || bytes[p] === PLUS) p++;
    const power = p;
    let tens = 0;
    while (p < end && isDigit(bytes[p]!)) tens = tens * 10 + bytes[p++]! - ZERO;
    if (p === power) return Number.NaN;
    exponent += sign * tens;
  }
  if (p !== end) return Number.NaN;
  if (digits <= SAFE_DIGITS && exponent >= -22 && exponent <= 22) {
    const value = exponent < 0 ? mantissa / POWERS[-exponent]! : mantissa * POWERS[exponent]!;
    return negative ? -value : value;
  }
  return Number(bytes.toString('latin1', start, end));
}

function notDigits(bytes: Buffer, start: number, end: number): number {
  const text = bytes.toString('latin1', start, end);
  return text === 'Infinity' || text === '-Infinity' ? Number(text) : Number.NaN;
}

/** Whether a NaN is one that the text does not call NaN. */
function isRefused(bytes: Buffer, start: number, length: number): boolean {
  return bytes.toString('latin1', start, start + length) !== 'NaN';
}

export function fillFloat64(
  to: ColumnBuffer,
  row: number,
  bytes: Buffer,
  starts: Int32Array,
  lengths: Int32Array,
  from: number,
  count: number,
): number {
  const { doubles } = to;
  for (let k = from; k < from + count; k++, row++) {
    const length = lengths[k]!;
    if (length < 0) {
      to.setNull(row);
      continue;
    }
    const start = starts[k]!;
    const value = double(bytes, start, start + length);
    if (Number.isNaN(value)) {
      if (isRefused(bytes, start, length)) return k;
      to.hasNaN = true;
    }
    doubles[row] = value;
  }
  return -1;
}

export function fillFloat32(
  to: ColumnBuffer,
  row: number,
  bytes: Buffer,
  starts: Int32Array,
  lengths: Int32Array,
  from: number,
  count: number,
): number {
  const { singles } = to;
  for (let k = from; k < from + count; k++, row++) {
    const length = lengths[k]!;
    if (length < 0) {
      to.setNull(row);
      continue;
    }
    const start = starts[k]!;
    const value = double(bytes, start, start + length);
    if (Number.isNaN(value)) {
      if (isRefused(bytes, start, length)) return k;
      to.hasNaN = true;
    }
    singles[row] = value;
    // Rounded to a double first, a value next to the middle of two floats may have come out on the other side.
    if (singles[row] !== value && !Number.isNaN(value)) {
      singles[row] = exactFloat32(value, bytes, start, start + length);
    }
  }
  return -1;
}

export function fillDecimal(
  to: ColumnBuffer,
  row: number,
  bytes: Buffer,
  starts: Int32Array,
  lengths: Int32Array,
  from: number,
  count: number,
): number {
  const { words } = to;
  const { precision, scale, width } = to.column;
  const limit = precision <= SAFE_DIGITS ? POWERS[precision]! : Infinity;
  for (let k = from; k < from + count; k++, row++) {
    if (lengths[k]! < 0) {
      to.setNull(row);
      continue;
    }
    const start = starts[k]!;
    const end = start + lengths[k]!;
    let p = start;
    const negative = bytes[p] === MINUS;
    if (negative) p++;
    let value = 0;
    let digits = 0;
    while (p < end && isDigit(bytes[p]!)) {
      value = value * 10 + bytes[p]! - ZERO;
      digits++;
      p++;
    }
    let missing = scale;
    if (p < end && bytes[p] === DOT) {
      if (digits === 0 || p + 1 === end) return k;
      p++;
      while (p < end && missing > 0 && isDigit(bytes[p]!)) {
        value = value * 10 + bytes[p]! - ZERO;
        digits++;
        missing--;
        p++;
      }
      // Zeros behind the scale change nothing.
      while (p < end && bytes[p] === ZERO) p++;
    }
    if (p !== end || digits === 0) return k;
    if (digits + missing <= SAFE_DIGITS) {
      value *= POWERS[missing]!;
      if (value >= limit) return k;
      if (width === 4) words[row] = negative ? -value : value;
      else if (width === 8) storeSafe(words, 2 * row, negative ? -value : value);
      else {
        const at = 4 * row;
        storeSafe(words, at, negative ? -value : value);
        words[at + 2] = negative && value > 0 ? -1 : 0;
        words[at + 3] = words[at + 2]!;
      }
      continue;
    }
    const unscaled = unscaledDecimal(bytes.toString('latin1', start, end), scale);
    if (unscaled.toString().replace('-', '').length > precision) return k;
    storeBigInt(words, (width >> 2) * row, width >> 2, unscaled);
  }
  return -1;
}

/** The digits up to the scale, as an integer. `text` has no others than zeros behind it. */
function unscaledDecimal(text: string, scale: number): bigint {
  const [whole = '', fraction = ''] = text.split('.');
  return BigInt(whole + fraction.slice(0, scale).padEnd(scale, '0'));
}
