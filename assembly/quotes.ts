import { firstBits, specialBits } from './text';
import { RowForm } from './row-form';

/** `\.` */
const END_OF_COPY: u32 = 0x2e5c;

/** Copies the value unless it needs quotes; what was written is of no use then. */
export function needsQuotes(form: RowForm, start: usize, end: usize, position: usize): bool {
  if (start == end) return true;
  if (end - start == 2 && form.quotesEndOfCopy && <u32>load<u16>(start) == END_OF_COPY) return true;
  const low = form.low;
  const high = form.high;
  const beyondAscii = <u32>form.beyondAscii;
  let at = position;
  for (let p = start; p < end; p += 16, at += 16) {
    const bytes = v128.load(p);
    v128.store(at, bytes);
    const bits = specialBits(bytes, low, high) | (<u32>i8x16.bitmask(bytes) & beyondAscii);
    if (firstBits(bits, <u32>(end - p)) != 0) return true;
  }
  return false;
}

/** In quotes, and every quote doubled. */
export function writeQuoted(quote: u32, start: usize, end: usize, position: usize): usize {
  const quotes = i8x16.splat(<i8>quote);
  store<u8>(position, quote);
  let at = position + 1;
  let p = start;
  while (p < end) {
    const bytes = v128.load(p);
    v128.store(at, bytes);
    const left = <u32>(end - p);
    const bits = firstBits(<u32>i8x16.bitmask(i8x16.eq(bytes, quotes)), left);
    if (bits == 0) {
      const count = left < 16 ? left : 16;
      p += count;
      at += count;
      continue;
    }
    const count = <u32>ctz(bits) + 1;
    p += count;
    at += count;
    store<u8>(at++, quote);
  }
  store<u8>(at++, quote);
  return at;
}

/**
 * A spreadsheet takes a cell that begins so for a formula; EF begins the full-width forms
 * of the same characters.
 */
// @ts-ignore: decorator
@inline
export function mayBeginFormula(byte: u32): bool {
  return (
    byte == 0x3d || byte == 0x2b || byte == 0x2d || byte == 0x40 ||
    byte == 0x09 || byte == 0x0d || byte == 0x0a || byte == 0xef
  );
}
