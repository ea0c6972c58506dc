// For threads, which Node loads by itself: JavaScript, so that it can while the other
// sources are run uncompiled.
import * as zlib from 'node:zlib';

/** @type {Promise<void> | undefined} */
let isReady;

/**
 * Node's own compressor where this Node has one, else the same in WebAssembly.
 * @param {number} level 1 to 19
 * @returns {Promise<(bytes: Uint8Array) => Uint8Array>} one frame of the bytes
 */
export async function zstdCompressor(level) {
  /** @type {any} */
  const { zstdCompressSync, constants } = zlib;
  if (zstdCompressSync) {
    const params = { [constants.ZSTD_c_compressionLevel]: level };
    return bytes => zstdCompressSync(bytes, { params });
  }
  const { compress, init } = await import('@bokuweb/zstd-wasm');
  isReady ??= init();
  await isReady;
  return bytes => compress(bytes, level);
}
