/**
 * CRC-64/NVME, which Azure Blob Storage calls CRC64. Polynomial 0xad93d23594c93659, bits
 * reflected, all bits of the start and of the result inverted.
 * https://reveng.sourceforge.io/crc-catalogue/all.htm#crc.cat.crc-64-nvme
 */

/** The polynomial, its bits reflected. */
const POLYNOMIAL: u64 = 0x9a6c9329ac4bc9b5;
/** Bytes that are taken at a time, each by a table of its own. */
const STRIDE: u32 = 16;
const TABLE_BYTES: usize = 256 * 8;
/** Where the tables are: nothing else of this module is in the memory. */
const TABLES: usize = 1024;

/** Makes the tables. To be called first, with a memory of at least 64 KiB. */
export function prepare(): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc: u64 = byte;
    for (let bit = 0; bit < 8; bit++) crc = shifted(crc);
    store<u64>(byte << 3, crc, TABLES);
  }
  for (let entry: u32 = 256; entry < STRIDE * 256; entry++) {
    const before = load<u64>((entry - 256) << 3, TABLES);
    store<u64>(entry << 3, (before >> 8) ^ load<u64>((<u32>before & 255) << 3, TABLES), TABLES);
  }
}

// @ts-ignore: a decorator of the compiler
@inline
function shifted(value: u64): u64 {
  return (value >> 1) ^ (POLYNOMIAL & (0 - (value & 1)));
}

/** The CRC of bytes behind those whose CRC is `crc`; 0 is that of none. */
export function update(crc: u64, start: usize, length: u32): u64 {
  let value = ~crc;
  let at = start;
  const end = start + length;
  for (const last = end - (length % STRIDE); at < last; at += STRIDE) {
    const head = load<u64>(at) ^ value;
    const a = <u32>head;
    const b = <u32>(head >> 32);
    const c = load<u32>(at, 8);
    const d = load<u32>(at, 12);
    value =
      load<u64>((a << 3) & 0x7f8, TABLES + 15 * TABLE_BYTES) ^
      load<u64>((a >> 5) & 0x7f8, TABLES + 14 * TABLE_BYTES) ^
      load<u64>((a >> 13) & 0x7f8, TABLES + 13 * TABLE_BYTES) ^
      load<u64>((a >> 21) & 0x7f8, TABLES + 12 * TABLE_BYTES) ^
      load<u64>((b << 3) & 0x7f8, TABLES + 11 * TABLE_BYTES) ^
      load<u64>((b >> 5) & 0x7f8, TABLES + 10 * TABLE_BYTES) ^
      load<u64>((b >> 13) & 0x7f8, TABLES + 9 * TABLE_BYTES) ^
      load<u64>((b >> 21) & 0x7f8, TABLES + 8 * TABLE_BYTES) ^
      load<u64>((c << 3) & 0x7f8, TABLES + 7 * TABLE_BYTES) ^
      load<u64>((c >> 5) & 0x7f8, TABLES + 6 * TABLE_BYTES) ^
      load<u64>((c >> 13) & 0x7f8, TABLES + 5 * TABLE_BYTES) ^
      load<u64>((c >> 21) & 0x7f8, TABLES + 4 * TABLE_BYTES) ^
      load<u64>((d << 3) & 0x7f8, TABLES + 3 * TABLE_BYTES) ^
      load<u64>((d >> 5) & 0x7f8, TABLES + 2 * TABLE_BYTES) ^
      load<u64>((d >> 13) & 0x7f8, TABLES + 1 * TABLE_BYTES) ^
      load<u64>((d >> 21) & 0x7f8, TABLES + 0 * TABLE_BYTES);
  }
  for (; at < end; at++)
    value = (value >> 8) ^ load<u64>((<u32>value ^ load<u8>(at)) << 3 & 0x7f8, TABLES);
  return ~value;
}

/**
 * The CRC of two texts of bytes behind each other, of their CRCs and the length of the
 * second.
 */
export function join(first: u64, second: u64, length: u64): u64 {
  // The first is multiplied by x to the power of the bits that come behind it.
  return multiply(first, powerOfX(length << 3)) ^ second;
}

/** x to that power, modulo the polynomial. */
function powerOfX(exponent: u64): u64 {
  let result: u64 = 1 << 63;
  let square: u64 = 1 << 62;
  for (let rest = exponent; rest != 0; rest >>= 1) {
    if (rest & 1) result = multiply(result, square);
    square = multiply(square, square);
  }
  return result;
}

/** The product modulo the polynomial. The highest bit is the coefficient of 1. */
function multiply(a: u64, b: u64): u64 {
  let product: u64 = 0;
  let term = b;
  for (let rest = a; rest != 0; rest <<= 1) {
    if (rest >> 63) product ^= term;
    term = shifted(term);
  }
  return product;
}
