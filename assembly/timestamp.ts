const SPACE: u32 = 0x20;
const PLUS: u32 = 0x2b;
const LETTER_T: u32 = 0x54;
const LETTER_Z: u32 = 0x5a;
/** `2020-01-01` */
const DATE_LENGTH: u32 = 10;

/**
 * `2020-01-01 00:00:00.5+00` to `2020-01-01T00:00:00.5Z` (ISO 8601, RFC 3339). What has
 * no such form stays as PostgreSQL writes it: infinity, and the ` BC` behind years before
 * 1.
 */
export function writeTimestamp(start: usize, end: usize, at: usize): usize {
  const length = <u32>(end - start);
  if (length <= DATE_LENGTH || length > 32 || <u32>load<u8>(start, DATE_LENGTH) != SPACE) {
    return writeUnusual(start, end, at);
  }
  const first = v128.load(start);
  const second = v128.load(start, 16);
  const spaces = bitsOf(first, second, SPACE, length);
  const pluses = bitsOf(first, second, PLUS, length);
  // One space, and nothing or the offset behind the time.
  if (spaces != 1 << DATE_LENGTH || (pluses != 0 && pluses != 1 << (length - 3))) {
    return writeUnusual(start, end, at);
  }
  v128.store(at, first);
  v128.store(at, second, 16);
  store<u8>(at, LETTER_T, DATE_LENGTH);
  if (pluses == 0) return at + length;
  store<u8>(at + length - 3, LETTER_Z);
  return at + length - 2;
}

// @ts-ignore: decorator
@inline
function bitsOf(first: v128, second: v128, byte: u32, length: u32): u32 {
  const wanted = i8x16.splat(<i8>byte);
  const bits =
    <u32>i8x16.bitmask(i8x16.eq(first, wanted)) | (<u32>i8x16.bitmask(i8x16.eq(second, wanted)) << 16);
  return length < 32 ? bits & ((1 << length) - 1) : bits;
}

function writeUnusual(start: usize, end: usize, position: usize): usize {
  let p = start;
  let at = position;
  while (p < end && <u32>load<u8>(p) != SPACE) store<u8>(at++, load<u8>(p++));
  if (p == end) return at;
  store<u8>(at++, LETTER_T);
  p++;
  while (p < end && <u32>load<u8>(p) != PLUS) store<u8>(at++, load<u8>(p++));
  if (p == end) return at;
  store<u8>(at++, LETTER_Z);
  // The session's time zone is UTC: the offset is always +00.
  p += 3;
  while (p < end) store<u8>(at++, load<u8>(p++));
  return at;
}
