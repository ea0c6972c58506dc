/** Integers of 64 bits as two words, little end first, without BigInt where the value allows. */

const TWO_32 = 2 ** 32;

/** @param value a safe integer */
export function storeSafe(words: Int32Array, at: number, value: number): void {
  const high = Math.floor(value / TWO_32);
  words[at] = value - high * TWO_32;
  words[at + 1] = high;
}

/**
 * Stores `high * 1e9 + low`, or its negative.
 * @param high below 1e10
 * @param low below 1e9
 * @returns false where the value needs more than 64 bits
 */
export function storeBillions(
  words: Int32Array,
  at: number,
  negative: boolean,
  high: number,
  low: number,
): boolean {
  // 1e9 is 15258 * 65536 + 51712; every product below is a safe integer.
  const upper = high * 15_258;
  const upperLow = upper % 65_536;
  const lower = upperLow * 65_536 + high * 51_712 + low;
  const carry = Math.floor(lower / TWO_32);
  let lowWord = lower - carry * TWO_32;
  let highWord = Math.floor(upper / 65_536) + carry;
  if (highWord > 0x7fffffff && !(negative && highWord === 0x80000000 && lowWord === 0)) return false;
  if (negative) {
    highWord = lowWord === 0 ? -highWord : -highWord - 1;
    lowWord = lowWord === 0 ? 0 : TWO_32 - lowWord;
  }
  words[at] = lowWord;
  words[at + 1] = highWord;
  return true;
}

/** Stores the low `count` words of the two's complement. */
export function storeBigInt(words: Int32Array, at: number, count: number, value: bigint): void {
  let rest = value;
  for (let i = 0; i < count; i++) {
    words[at + i] = Number(BigInt.asIntN(32, rest));
    rest >>= 32n;
  }
}
