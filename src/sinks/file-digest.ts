import { createHash, type Hash } from 'node:crypto';
import { type Digests, digestThread } from './digest-thread.ts';

/**
 * A file whose first block is smaller is hashed where it is: starting a thread would take
 * longer.
 */
const MIN_THREAD_BYTES = 1024 * 1024;

/** Checksums of one file as stored, from its blocks in order. */
export class FileDigest {
  #hashes: { readonly md5: Hash; readonly sha256: Hash } | undefined;
  #file: number | undefined;

  /**
   * Reads the first `length` bytes, which must not change until the promise, if there is
   * one, resolves.
   */
  update(buffer: Buffer, length: number): Promise<void> | undefined {
    if (this.#file === undefined && this.#hashes === undefined) {
      if (length >= MIN_THREAD_BYTES) this.#file = digestThread.open();
      else this.#hashes = newHashes();
    }
    if (this.#file !== undefined)
      return digestThread.update(this.#file, sharedMemoryOf(buffer, length), length);
    const bytes = buffer.subarray(0, length);
    this.#hashes!.md5.update(bytes);
    this.#hashes!.sha256.update(bytes);
    return undefined;
  }

  /** Ends the digest. */
  async digest(): Promise<Digests> {
    if (this.#file !== undefined) {
      const file = this.#file;
      this.#file = undefined;
      return digestThread.finish(file);
    }
    const { md5, sha256 } = this.#hashes ?? newHashes();
    return { md5: md5.digest(), sha256: sha256.digest() };
  }

  /** There will be no digest. */
  discard(): void {
    if (this.#file !== undefined) digestThread.discard(this.#file);
    this.#file = undefined;
  }
}

function newHashes(): { md5: Hash; sha256: Hash } {
  return { md5: createHash('md5'), sha256: createHash('sha256') };
}

function sharedMemoryOf(buffer: Buffer, length: number): SharedArrayBuffer {
  const memory = buffer.buffer as ArrayBuffer | SharedArrayBuffer;
  if (memory instanceof SharedArrayBuffer && buffer.byteOffset === 0) return memory;
  const copy = new SharedArrayBuffer(length);
  new Uint8Array(copy).set(buffer.subarray(0, length));
  return copy;
}
