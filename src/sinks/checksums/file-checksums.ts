import type { ChecksumName, Checksums } from '../sink.ts';
import { ThreadChecksums } from './checksum-thread.ts';
import { crc64 } from './crc64-module.ts';
import { RunningChecksums } from './running-checksums.js';

/**
 * A file whose first block is smaller is summed where it is: starting a thread would take
 * longer.
 */
const MIN_THREAD_BYTES = 1024 * 1024;

/** Checksums of one file as stored, from its blocks in order. */
export class FileChecksums {
  readonly #names: readonly ChecksumName[];
  #here: RunningChecksums | undefined;
  #onThread: ThreadChecksums | undefined;

  constructor(names: readonly ChecksumName[]) {
    this.#names = names;
  }

  /**
   * Takes the first `length` bytes, which must not change until the promise, if it is
   * one, resolves. Returns the CRC64 of these bytes alone.
   */
  update(buffer: Buffer, length: number): Promise<bigint> | bigint {
    if (this.#here === undefined && length >= MIN_THREAD_BYTES)
      this.#onThread ??= new ThreadChecksums(this.#names);
    if (this.#onThread) return this.#onThread.update(sharedMemoryOf(buffer, length), length);
    this.#here ??= new RunningChecksums(this.#names, crc64());
    return this.#here.update(buffer.subarray(0, length));
  }

  /** Ends them. */
  async finish(): Promise<Checksums> {
    const there = this.#onThread;
    this.#onThread = undefined;
    return there ? there.finish() : (this.#here ?? new RunningChecksums(this.#names, crc64())).finish();
  }

  /** They will not be asked for. */
  discard(): void {
    this.#onThread?.discard();
    this.#onThread = undefined;
  }
}

function sharedMemoryOf(buffer: Buffer, length: number): SharedArrayBuffer {
  const memory = buffer.buffer as ArrayBuffer | SharedArrayBuffer;
  if (memory instanceof SharedArrayBuffer && buffer.byteOffset === 0) return memory;
  const copy = new SharedArrayBuffer(length);
  new Uint8Array(copy).set(buffer.subarray(0, length));
  return copy;
}
