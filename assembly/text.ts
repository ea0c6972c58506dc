import { copyBytes } from './copy';
import { RowForm } from './row-form';

/** Flag of an escape: its value counts as written as something else. */
const COERCES: u64 = 0x80;
const C2: u32 = 0xc2;
const END_OF_CONTROLS: u32 = 0xa0;
/** U+FFFD as UTF-8, lowest byte first. */
const REPLACEMENT: u32 = 0xbdbfef;

/** What `writeText` says beside the position behind it; the first by a position of 0. */
export let isCoerced: bool = false;

/** Bits of the bytes that are special to the form, lowest first. */
// @ts-ignore: decorator
@inline
export function specialBits(bytes: v128, low: v128, high: v128): u32 {
  const lower = i8x16.swizzle(low, v128.and(bytes, i8x16.splat(0x0f)));
  const upper = i8x16.swizzle(high, i8x16.shr_u(bytes, 4));
  return i8x16.bitmask(i8x16.eq(v128.and(lower, upper), i8x16.splat(0))) ^ 0xffff;
}

/** The bits of 16 bytes that belong to the first `left`. */
// @ts-ignore: decorator
@inline
export function firstBits(bits: u32, left: u32): u32 {
  return left < 16 ? bits & ((1 << left) - 1) : bits;
}

/**
 * Text with its escapes.
 * @returns the position behind it; 0 where it is not UTF-8
 */
export function writeText(form: RowForm, start: usize, end: usize, position: usize): usize {
  const low = form.low;
  const high = form.high;
  const escapes = form.escapes;
  isCoerced = false;
  let p = start;
  let at = position;
  while (p < end) {
    const bytes = v128.load(p);
    v128.store(at, bytes);
    const left = <u32>(end - p);
    const bits = firstBits(specialBits(bytes, low, high) | <u32>i8x16.bitmask(bytes), left);
    if (bits == 0) {
      const count = left < 16 ? left : 16;
      p += count;
      at += count;
      continue;
    }
    const plain = <u32>ctz(bits);
    p += plain;
    at += plain;
    let byte = <u32>load<u8>(p);
    if (byte >= 0x80) {
      // A text in another script has few runs, and long ones.
      do {
        const size = characterSize(p, end);
        if (size == 0) return 0;
        const character = load<u32>(p);
        if (byte == C2 && form.escapesC1 && <u32>load<u8>(p, 1) < END_OF_CONTROLS) {
          byte = <u32>load<u8>(p, 1);
          p++;
          break;
        }
        if (isNoncharacter(character) && form.replacesNoncharacters) {
          store<u32>(at, REPLACEMENT);
          isCoerced = true;
        } else store<u32>(at, character);
        at += size;
        p += size;
        byte = p < end ? <u32>load<u8>(p) : 0;
      } while (byte >= 0x80);
      // What is left of it is a control of two bytes, or begins with ASCII.
      if (byte < 0x80) continue;
    }
    const escape = load<u64>(escapes + (byte << 3));
    store<u64>(at, escape >> 8);
    at += <usize>(escape & 7);
    if (escape & COERCES) isCoerced = true;
    p++;
  }
  return at;
}

/** Bytes of the character that begins there, in UTF-8 (RFC 3629); 0 where none does. */
// @ts-ignore: decorator
@inline
function characterSize(p: usize, end: usize): usize {
  const lead = <u32>load<u8>(p);
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const size: usize = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (p + size > end) return 0;
  const next = <u32>load<u8>(p, 1);
  // The second byte says whether the form is the shortest, no surrogate, and not beyond
  // U+10FFFF.
  const least: u32 = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const most: u32 = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (next < least || next > most) return 0;
  if (size > 2 && (<u32>load<u8>(p, 2) & 0xc0) != 0x80) return 0;
  if (size > 3 && (<u32>load<u8>(p, 3) & 0xc0) != 0x80) return 0;
  return size;
}

/** U+FFFE and U+FFFF: EF BF BE and EF BF BF. */
// @ts-ignore: decorator
@inline
function isNoncharacter(character: u32): bool {
  return (character & 0xfeffff) == 0xbebfef;
}

export function isUtf8(start: usize, end: usize): bool {
  let p = start;
  while (p < end) {
    const bits = firstBits(<u32>i8x16.bitmask(v128.load(p)), <u32>(end - p));
    if (bits == 0) {
      p += 16;
      continue;
    }
    p += ctz(bits);
    do {
      const size = characterSize(p, end);
      if (size == 0) return false;
      p += size;
    } while (p < end && load<u8>(p) >= 0x80);
  }
  return true;
}

/** Whether the document that `writeDocument` wrote last holds a line break. */
export let hasLineBreak: bool = false;

/**
 * A document as it came.
 * @returns whether it is UTF-8
 */
export function writeDocument(start: usize, end: usize, at: usize): bool {
  copyBytes(at, start, <u32>(end - start));
  let beyond: u32 = 0;
  let breaks: u32 = 0;
  for (let p = start; p < end; p += 16) {
    const bytes = v128.load(p);
    const left = <u32>(end - p);
    beyond |= firstBits(<u32>i8x16.bitmask(bytes), left);
    const isBreak = v128.or(i8x16.eq(bytes, i8x16.splat(0x0a)), i8x16.eq(bytes, i8x16.splat(0x0d)));
    breaks |= firstBits(<u32>i8x16.bitmask(isBreak), left);
  }
  hasLineBreak = breaks != 0;
  return beyond == 0 || isUtf8(start, end);
}
