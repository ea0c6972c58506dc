const ZERO: u32 = 0x30;
const HYPHEN: u32 = 0x2d;
const POINT: u32 = 0x2e;
/** Digits of 2^64. */
const MOST_DIGITS: usize = 20;

/** A number below 100. */
// @ts-ignore: decorator
@inline
export function writeTwo(number: u32, at: usize): void {
  const tens = number / 10;
  store<u16>(at, <u16>(0x3030 | tens | ((number - tens * 10) << 8)));
}

/** Up to four bytes of text, lowest byte first. */
// @ts-ignore: decorator
@inline
export function writeWord(text: u32, length: u32, at: usize): usize {
  store<u32>(at, text);
  return at + length;
}

export function writeDigits(number: u64, position: usize): usize {
  let at = position + MOST_DIGITS;
  let left = number;
  do {
    store<u8>(--at, ZERO + <u32>(left % 10));
    left /= 10;
  } while (left != 0);
  const length = position + MOST_DIGITS - at;
  memory.copy(position, at, length);
  return position + length;
}

/** Digits with a sign where it is negative. */
export function writeInteger(number: i64, position: usize): usize {
  let at = position;
  if (number < 0) store<u8>(at++, HYPHEN);
  return writeDigits(magnitude(number), at);
}

/** The least number has no opposite, but a magnitude. */
export function magnitude(number: i64): u64 {
  return number < 0 ? 0 - <u64>number : <u64>number;
}

/**
 * @param units the least that the currency has, of which 10 to the power of `scale` are 1
 */
export function writeMoney(units: i64, scale: u32, position: usize): usize {
  let at = position;
  if (units < 0) store<u8>(at++, HYPHEN);
  let divisor: u64 = 1;
  for (let i: u32 = 0; i < scale; i++) divisor *= 10;
  const whole = magnitude(units);
  at = writeDigits(whole / divisor, at);
  if (scale == 0) return at;
  // The 1 in front keeps the zeros, and becomes the point.
  const end = writeDigits(divisor + (whole % divisor), at);
  store<u8>(at, POINT);
  return end;
}
