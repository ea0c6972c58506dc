import { ParquetColumn } from './parquet-column';
import { isUtf8 } from './text';

const BACKSLASH_X: u32 = 0x785c;
const UUID_BYTES: u32 = 16;
const HYPHEN: u32 = 0x2d;

/** Text and JSON: UTF-8 as it came. */
export function fillText(column: ParquetColumn, starts: usize, lengths: usize, count: u32): bool {
  for (let row: u32 = 0; row < count; row++) {
    const length = load<i32>(lengths + (<usize>row << 2));
    if (length < 0) continue;
    const start = <usize>load<u32>(starts + (<usize>row << 2));
    const at = column.at + 4;
    const first = v128.load(start);
    v128.store(at, first);
    let beyond = <u32>i8x16.bitmask(first);
    if (length < 16) beyond &= (1 << length) - 1;
    else if (length > 16) {
      for (let i = 16; i < length; i += 16) {
        const bytes = v128.load(start + i);
        v128.store(at + i, bytes);
        // What is behind the value only makes it look at more than it has to.
        beyond |= <u32>i8x16.bitmask(bytes);
      }
    }
    if (beyond && !isUtf8(start, start + length)) return false;
    column.takeBytes(at, length);
  }
  return true;
}

/** `\x…` decoded. */
export function fillBytes(column: ParquetColumn, starts: usize, lengths: usize, count: u32): bool {
  for (let row: u32 = 0; row < count; row++) {
    const length = load<i32>(lengths + (<usize>row << 2));
    if (length < 0) continue;
    const start = <usize>load<u32>(starts + (<usize>row << 2));
    const at = column.at + 4;
    if (length < 2 || length & 1 || <u32>load<u16>(start) != BACKSLASH_X) return false;
    const size = (length - 2) >> 1;
    for (let i = 0; i < size; i += 8) {
      const digits = min(2 * (size - i), 16);
      if (!decodeHex(start + 2 + 2 * i, digits, at + i)) return false;
    }
    column.takeBytes(at, size);
  }
  return true;
}

/** Decodes up to 16 hexadecimal digits; 8 bytes are written. */
// @ts-ignore: decorator
@inline
function decodeHex(start: usize, digits: u32, at: usize): bool {
  const text = v128.load(start);
  const decimal = i8x16.sub(text, i8x16.splat(0x30));
  const isDecimal = i8x16.lt_u(decimal, i8x16.splat(10));
  const letter = i8x16.sub(v128.or(text, i8x16.splat(0x20)), i8x16.splat(0x61));
  const isLetter = i8x16.lt_u(letter, i8x16.splat(6));
  const bad = ~<u32>i8x16.bitmask(v128.or(isDecimal, isLetter)) & ((1 << digits) - 1);
  if (bad) return false;
  const values = v128.bitselect(decimal, i8x16.add(letter, i8x16.splat(10)), isDecimal);
  const pairs = v128.and(v128.or(i16x8.shl(values, 4), i16x8.shr_u(values, 8)), i16x8.splat(0xff));
  store<u64>(at, i64x2.extract_lane(i8x16.narrow_i16x8_u(pairs, pairs), 0));
  return true;
}

export function fillUuid(column: ParquetColumn, starts: usize, lengths: usize, count: u32): bool {
  let at = column.at;
  for (let row: u32 = 0; row < count; row++) {
    const length = load<i32>(lengths + (<usize>row << 2));
    if (length < 0) continue;
    const start = <usize>load<u32>(starts + (<usize>row << 2));
    if (!writeUuid(start, start + length, at)) return false;
    column.boundBytes(at, UUID_BYTES);
    at += UUID_BYTES;
  }
  column.at = at;
  return true;
}

function writeUuid(start: usize, end: usize, at: usize): bool {
  // The digits, gathered where the value and what may be written behind it will be.
  if (end - start == 36) {
    store<u64>(at, load<u64>(start));
    store<u32>(at, load<u32>(start, 9), 8);
    store<u32>(at, load<u32>(start, 14), 12);
    store<u32>(at, load<u32>(start, 19), 16);
    store<u64>(at, load<u64>(start, 24), 20);
    store<u32>(at, load<u32>(start, 32), 28);
    const hyphens =
      <u32>load<u8>(start, 8) == HYPHEN &&
      <u32>load<u8>(start, 13) == HYPHEN &&
      <u32>load<u8>(start, 18) == HYPHEN &&
      <u32>load<u8>(start, 23) == HYPHEN;
    return hyphens && decodeHex(at, 16, at) && decodeHex(at + 16, 16, at + 8);
  }
  // Hyphens between any two bytes.
  let size: u32 = 0;
  let p = start;
  while (p < end) {
    if (<u32>load<u8>(p) == HYPHEN) {
      p++;
      continue;
    }
    if (size == UUID_BYTES || p + 1 == end || !decodeHex(p, 2, at + size)) return false;
    size++;
    p += 2;
  }
  return size == UUID_BYTES;
}
