// JavaScript, because deflate-worker.js needs it.

/**
 * assembly/deflate.ts
 * @typedef {object} Exports
 * @property {WebAssembly.Memory} memory
 * @property {() => void} prepare
 * @property {() => number} textAt
 * @property {() => number} outputAt
 * @property {(before: number, length: number, level: number) => number} compress
 */

/** Compresses pieces of a text, each up to 256 KiB. */
export class Deflater {
  /** @type {Exports} */
  #exports;
  /** @type {Uint8Array} */
  #memory;

  /** @param {WebAssembly.Module} code assembly/deflate.ts */
  constructor(code) {
    const { exports } = new WebAssembly.Instance(code, {});
    this.#exports = /** @type {Exports} */ (/** @type {unknown} */ (exports));
    this.#exports.prepare();
    this.#memory = new Uint8Array(this.#exports.memory.buffer);
  }

  /**
   * @param {Uint8Array} plain
   * @param {Uint8Array} before the end of the text in front of it, up to 32 KiB
   * @param {number} level 1 to 9
   * @returns what to append to a deflate stream; valid until the next call
   */
  compress(plain, before, level) {
    const textAt = this.#exports.textAt();
    this.#memory.set(before, textAt - before.length);
    this.#memory.set(plain, textAt);
    const bytes = this.#exports.compress(before.length, plain.length, level);
    const outputAt = this.#exports.outputAt();
    return this.#memory.subarray(outputAt, outputAt + bytes);
  }

  /**
   * As `compress`, with the result where the text was.
   * @param {Uint8Array} plain
   * @param {Uint8Array} before
   * @param {number} level
   * @returns how many bytes it takes, or nothing, with the text as it was, where it would
   *   be no shorter
   */
  compressInPlace(plain, before, level) {
    const compressed = this.compress(plain, before, level);
    if (compressed.length >= plain.length) return undefined;
    plain.set(compressed);
    return compressed.length;
  }
}
