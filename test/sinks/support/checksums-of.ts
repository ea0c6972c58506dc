import { createHash } from 'node:crypto';

/** The checksums that a file has by default, by another way than the product's. */
export function checksumsOf(bytes: Uint8Array): { crc64: string; sha256: string } {
  return {
    crc64: crc64Of(bytes).toString(16).padStart(16, '0'),
    sha256: createHash('sha256').update(bytes).digest('hex'),
  };
}

/** The polynomial as the catalogue has it, its highest bit first. */
const POLYNOMIAL = 0xad93d23594c93659n;

/**
 * CRC-64/NVME byte by byte, out of what the catalogue says of it: init and xorout all
 * ones, refin and refout true.
 * https://reveng.sourceforge.io/crc-catalogue/all.htm#crc.cat.crc-64-nvme
 */
export function crc64Of(bytes: Uint8Array): bigint {
  let [high, low] = [-1, -1];
  for (const byte of bytes) {
    const index = (low ^ byte) & 255;
    low = ((low >>> 8) | (high << 24)) ^ LOW[index]!;
    high = (high >>> 8) ^ HIGH[index]!;
  }
  return (BigInt(~high >>> 0) << 32n) | BigInt(~low >>> 0);
}

const TABLE = Array.from({ length: 256 }, (_, byte) => {
  // Reflected twice, so that each step is the catalogue's own.
  let value = reflected(BigInt(byte), 8) << 56n;
  for (let bit = 0; bit < 8; bit++) {
    const carry = value >> 63n;
    value = BigInt.asUintN(64, value << 1n) ^ (carry === 1n ? POLYNOMIAL : 0n);
  }
  return reflected(value, 64);
});
const LOW = Int32Array.from(TABLE, value => Number(BigInt.asIntN(32, value)));
const HIGH = Int32Array.from(TABLE, value => Number(BigInt.asIntN(32, value >> 32n)));

function reflected(value: bigint, bits: number): bigint {
  return BigInt(`0b${value.toString(2).padStart(bits, '0').split('').reverse().join('')}`);
}
