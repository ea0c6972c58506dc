/** `\x` */
const PREFIX: u16 = 0x785c;

/** PostgreSQL's hexadecimal text of `bytea`. */
export function writeHex(start: usize, end: usize, position: usize): usize {
  const digits = i8x16(48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 97, 98, 99, 100, 101, 102);
  store<u16>(position, PREFIX);
  let at = position + 2;
  for (let p = start; p < end; p += 16, at += 32) {
    const bytes = v128.load(p);
    const high = i8x16.swizzle(digits, i8x16.shr_u(bytes, 4));
    const low = i8x16.swizzle(digits, v128.and(bytes, i8x16.splat(0x0f)));
    v128.store(at, i8x16.shuffle(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
    v128.store(at, i8x16.shuffle(high, low, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), 16);
  }
  return position + 2 + 2 * (end - start);
}
