/** Decimal digits, eight at a time. */

export const NOT_DIGITS: u32 = 0xffff_ffff;
const ZEROS: u64 = 0x3030_3030_3030_3030;

/** The number of 8 digits, lowest address first; `NOT_DIGITS` where one is none. */
// @ts-ignore: decorator
@inline
export function numberOf(digits: u64): u32 {
  const values = digits - ZEROS;
  // Below the digits the subtraction borrows, above them the sum carries into the upper
  // half.
  if (((digits & 0xf0f0_f0f0_f0f0_f0f0) ^ ZEROS) | ((values + 0x0606_0606_0606_0606) & 0xf0f0_f0f0_f0f0_f0f0))
    return NOT_DIGITS;
  const pairs = (values * 2561) >> 8;
  const fours = ((pairs & 0x00ff_00ff_00ff_00ff) * 6_553_601) >> 16;
  return <u32>(((fours & 0x0000_ffff_0000_ffff) * 42_949_672_960_001) >> 32);
}

/** The number of up to 8 digits. */
// @ts-ignore: decorator
@inline
export function fewDigits(p: usize, count: u32): u32 {
  if (count == 8) return numberOf(load<u64>(p));
  const shift = <u64>(8 - count) << 3;
  return numberOf((load<u64>(p) << shift) | (ZEROS & (((<u64>1) << shift) - 1)));
}

/** Whether `manyDigits` met something else. */
export let isOther: bool = false;

/** The number of up to 18 digits, 1 at least; says in `isOther` whether one is none. */
// @ts-ignore: decorator
@inline
export function manyDigits(start: usize, count: u32): u64 {
  if (count <= 8) {
    const few = fewDigits(start, count);
    isOther = few == NOT_DIGITS;
    return few;
  }
  return moreDigits(start, count);
}

function moreDigits(start: usize, count: u32): u64 {
  const first = ((count - 1) & 7) + 1;
  let part = fewDigits(start, first);
  isOther = part == NOT_DIGITS;
  let value = <u64>part;
  for (let p = start + first, end = start + count; p < end; p += 8) {
    part = numberOf(load<u64>(p));
    if (part == NOT_DIGITS) isOther = true;
    value = value * 100_000_000 + part;
  }
  return value;
}
