// Loaded by row-group-worker.js: JavaScript for the same reason.
import { gzipSync } from 'node:zlib';
import { zstdCompressor } from '../../../zstd.js';

/**
 * Writes what a page holds from a place on, compressed; returns the place behind it.
 * @callback Codec
 * @param {readonly Buffer[]} parts
 * @param {number} size
 * @param {Buffer} out
 * @param {number} at
 * @returns {number}
 */

/**
 * Compresses bytes of the memory into it; returns the place behind the last one.
 * @callback Compress
 * @param {number} from
 * @param {number} bytes
 * @param {number} to
 * @param {number} table
 * @returns {number}
 */

/**
 * The memory that pages are compressed in, and where its parts are.
 * @typedef {object} Slab
 * @property {{ compress: Compress }} exports
 * @property {Buffer} memory
 * @property {number} tableAt
 * @property {number} inputAt
 * @property {number} snappyAt
 */

const SLAB_BYTES = 256 * 1024;

/** The fastest: what higher ones save is little where a page is compressed by itself. */
const ZSTD_LEVEL = 1;

/** @type {ReturnType<typeof zstdCompressor> | undefined} */
let zstd;

/**
 * @param {import('../parquet-options.ts').ParquetOptions['compression']} compression
 * @param {Slab} slab
 * @returns {Promise<Codec>}
 */
export async function codecOf(compression, slab) {
  switch (compression) {
    case 'snappy':
      return (parts, size, out, at) => snappy(slab, parts, size, out, at);
    case 'gzip':
      return whole(bytes => gzipSync(bytes));
    case 'zstd':
      zstd ??= zstdCompressor(ZSTD_LEVEL);
      return whole(await zstd);
    default:
      return (parts, _size, out, at) => parts.reduce((end, part) => end + part.copy(out, end), at);
  }
}

/**
 * @param {(bytes: Buffer) => Uint8Array} compress
 * @returns {Codec}
 */
function whole(compress) {
  return (parts, _size, out, at) => {
    const compressed = compress(Buffer.concat(parts));
    out.set(compressed, at);
    return at + compressed.length;
  };
}

/**
 * @param {Slab} slab
 * @param {readonly Buffer[]} parts
 * @param {number} size
 * @param {Buffer} out
 * @param {number} position
 */
function snappy({ exports, memory, tableAt, inputAt, snappyAt }, parts, size, out, position) {
  let at = position;
  let rest = size;
  for (; rest >= 128; rest = Math.floor(rest / 128)) out[at++] = (rest % 128) | 128;
  out[at++] = rest;
  let filled = 0;
  const compress = () => {
    const end = exports.compress(inputAt, filled, snappyAt, tableAt);
    at += memory.copy(out, at, snappyAt, end);
    filled = 0;
  };
  for (const part of parts) {
    for (let from = 0; from < part.length; ) {
      const piece = part.subarray(from, from + SLAB_BYTES - filled);
      memory.set(piece, inputAt + filled);
      filled += piece.length;
      from += piece.length;
      if (filled === SLAB_BYTES) compress();
    }
  }
  if (filled > 0) compress();
  return at;
}
