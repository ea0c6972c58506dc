// JavaScript, because checksum-worker.js needs it too.
import { createHash } from 'node:crypto';

/** @import { ChecksumName, Checksums } from '../sink.ts' */

/** Checksums of one file, from its blocks in order. */
export class RunningChecksums {
  /** @type {import('./crc64.js').Crc64} */
  #crc64;
  #hasCrc64;
  /** @type {(readonly ['sha256' | 'md5', import('node:crypto').Hash])[]} */
  #hashes;
  #crc = 0n;

  /**
   * @param {readonly ChecksumName[]} names
   * @param {import('./crc64.js').Crc64} crc64
   */
  constructor(names, crc64) {
    this.#crc64 = crc64;
    this.#hasCrc64 = names.includes('crc64');
    this.#hashes = names.filter(name => name !== 'crc64').map(name => [name, createHash(name)]);
  }

  /**
   * Takes the next block.
   * @param {Uint8Array} block
   * @returns its own CRC64
   */
  update(block) {
    const crc = this.#crc64.of(block);
    if (this.#hasCrc64) this.#crc = this.#crc64.join(this.#crc, crc, block.length);
    for (const [, hash] of this.#hashes) hash.update(block);
    return crc;
  }

  /**
   * Ends them.
   * @returns {Checksums}
   */
  finish() {
    const crc64 = this.#hasCrc64 ? { crc64: this.#crc.toString(16).padStart(16, '0') } : {};
    return {
      ...crc64,
      ...Object.fromEntries(this.#hashes.map(([name, hash]) => [name, hash.digest('hex')])),
    };
  }
}
