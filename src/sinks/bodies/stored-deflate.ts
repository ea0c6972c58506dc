/**
 * Deflate's stored blocks (RFC 1951, 3.2.4): what a chunk takes at most. A chunk that
 * zlib would make larger is stored, so that the bound holds by construction.
 */

export const MAX_STORED_BYTES = 65_535;
const STORED_HEADER_BYTES = 5;
const STORED_BLOCK_BYTES = MAX_STORED_BYTES + STORED_HEADER_BYTES;

/** The most that `plainBytes` take in a deflate stream. */
export function deflatedBytesBound(plainBytes: number): number {
  return plainBytes + STORED_HEADER_BYTES * Math.ceil(plainBytes / MAX_STORED_BYTES);
}

/**
 * The most plain bytes that surely take no more than `bytes`: the inverse of
 * `deflatedBytesBound`.
 */
export function plainBytesWithin(bytes: number): number {
  if (bytes === Infinity) return Infinity;
  const whole = Math.floor(Math.max(0, bytes) / STORED_BLOCK_BYTES);
  const rest = Math.max(0, bytes) - whole * STORED_BLOCK_BYTES;
  return whole * MAX_STORED_BYTES + Math.max(0, rest - STORED_HEADER_BYTES);
}

/**
 * `plain` as stored blocks, none of them the last of the stream. They begin at a byte, as
 * after a sync flush.
 */
export function storedBlocks(plain: Buffer): Buffer {
  const out = Buffer.allocUnsafe(deflatedBytesBound(plain.length));
  let at = 0;
  for (let from = 0; from < plain.length; from += MAX_STORED_BYTES) {
    const length = Math.min(MAX_STORED_BYTES, plain.length - from);
    at = out.writeUInt8(0, at);
    at = out.writeUInt16LE(length, at);
    at = out.writeUInt16LE(length ^ 0xffff, at);
    at += plain.copy(out, at, from, from + length);
  }
  return out;
}
