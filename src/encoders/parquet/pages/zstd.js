// Loaded by row-group-worker.js: JavaScript for the same reason.
import * as zlib from 'node:zlib';

/** The fastest: what higher ones save is little where a page is compressed by itself. */
const LEVEL = 1;

/**
 * Node's own compressor where this Node has one, else the same in WebAssembly.
 * @returns {Promise<(bytes: Buffer) => Uint8Array>}
 */
export async function zstdCompressor() {
  /** @type {any} */
  const { zstdCompressSync, constants } = zlib;
  if (zstdCompressSync) {
    const params = { [constants.ZSTD_c_compressionLevel]: LEVEL };
    return bytes => zstdCompressSync(bytes, { params });
  }
  const { compress, init } = await import('@bokuweb/zstd-wasm');
  await init();
  return bytes => compress(bytes, LEVEL);
}
