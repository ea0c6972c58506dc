/**
 * Frames of Zstandard whose blocks are raw (RFC 8878, 3.1.1.2): what a piece of text
 * takes at most. One that the compressor would make larger is stored so, and the bound
 * holds by construction.
 */

const MAGIC = 0xfd2fb528;
/** One segment, its length in four bytes. */
const DESCRIPTOR = 0b1010_0000;
const HEADER_BYTES = 4 + 1 + 4;
const BLOCK_HEADER_BYTES = 3;
const MAX_BLOCK_BYTES = 128 * 1024;
const LAST_BLOCK = 1;

export function rawFrameBytes(plainBytes: number): number {
  // A frame without text has one block all the same.
  const blocks = Math.max(1, Math.ceil(plainBytes / MAX_BLOCK_BYTES));
  return HEADER_BYTES + blocks * BLOCK_HEADER_BYTES + plainBytes;
}

/**
 * The most plain bytes whose frame takes no more than `bytes`; 0 where there are none.
 */
export function rawFrameBytesWithin(bytes: number): number {
  if (bytes === Number.POSITIVE_INFINITY) return bytes;
  const inBlocks = Math.max(0, bytes - HEADER_BYTES);
  const whole = Math.floor(inBlocks / (MAX_BLOCK_BYTES + BLOCK_HEADER_BYTES));
  const rest = inBlocks - whole * (MAX_BLOCK_BYTES + BLOCK_HEADER_BYTES);
  return whole * MAX_BLOCK_BYTES + Math.max(0, rest - BLOCK_HEADER_BYTES);
}

export function rawFrame(plain: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(rawFrameBytes(plain.length));
  let at = frame.writeUInt32LE(MAGIC, 0);
  at = frame.writeUInt8(DESCRIPTOR, at);
  at = frame.writeUInt32LE(plain.length, at);
  let from = 0;
  do {
    const length = Math.min(MAX_BLOCK_BYTES, plain.length - from);
    const last = from + length === plain.length ? LAST_BLOCK : 0;
    at = frame.writeUIntLE((length << 3) | last, at, BLOCK_HEADER_BYTES);
    at += plain.copy(frame, at, from, from + length);
    from += length;
  } while (from < plain.length);
  return frame;
}
