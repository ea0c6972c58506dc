// JavaScript, because checksum-worker.js needs it too.

/** Bytes that are handed over at a time: they stay in the nearest caches. */
const CHUNK_BYTES = 32 * 1024;
/** What lies below is the module's. */
const BYTES_AT = 64 * 1024;
const PAGES = 2;

/**
 * assembly/crc64.ts
 * @typedef {object} Exports
 * @property {WebAssembly.Memory} memory
 * @property {() => void} prepare
 * @property {(crc: bigint, start: number, length: number) => bigint} update
 * @property {(first: bigint, second: bigint, length: bigint) => bigint} join
 */

/**
 * CRC-64/NVME, which Azure Blob Storage calls CRC64. That of no bytes is 0.
 * https://reveng.sourceforge.io/crc-catalogue/all.htm#crc.cat.crc-64-nvme
 */
export class Crc64 {
  /** @type {Exports} */
  #exports;
  /** @type {Uint8Array} */
  #chunk;

  /** @param {WebAssembly.Module} code assembly/crc64.ts */
  constructor(code) {
    const { exports } = new WebAssembly.Instance(code, {});
    this.#exports = /** @type {Exports} */ (/** @type {unknown} */ (exports));
    const { memory, prepare } = this.#exports;
    memory.grow(PAGES);
    prepare();
    this.#chunk = new Uint8Array(memory.buffer, BYTES_AT, CHUNK_BYTES);
  }

  /**
   * The CRC of the bytes behind those whose CRC is `before`.
   * @param {Uint8Array} bytes
   * @param {bigint} [before]
   */
  of(bytes, before = 0n) {
    let crc = before;
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      const piece = bytes.subarray(at, at + CHUNK_BYTES);
      this.#chunk.set(piece);
      crc = this.#exports.update(crc, BYTES_AT, piece.length);
    }
    return BigInt.asUintN(64, crc);
  }

  /**
   * The CRC of two pieces behind each other, by their CRCs and the bytes of the second.
   * @param {bigint} first
   * @param {bigint} second
   * @param {number} bytes
   */
  join(first, second, bytes) {
    return BigInt.asUintN(64, this.#exports.join(first, second, BigInt(bytes)));
  }
}
