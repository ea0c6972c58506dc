import { availableParallelism } from 'node:os';
import { constants, deflateRaw, type ZlibOptions } from 'node:zlib';

export const CHUNK_BYTES = 256 * 1024;

export interface DeflatePoolOptions {
  readonly level?: number | undefined;
  /** How many chunks are being filled at one time, at most. */
  readonly chunksBeingFilled: number;
}

/**
 * Compresses chunks on libuv's threads, several at once, out of a bounded pool of
 * buffers. A chunk is given back only when its compressed bytes have gone on, so that
 * results cannot pile up behind a slow destination.
 */
export class DeflatePool {
  readonly #zlibOptions: ZlibOptions;
  readonly #maxChunks: number;
  readonly #free: Buffer[] = [];
  #chunksInUse = 0;
  readonly #waiters: { readonly bytes: number; readonly resolve: (chunk: Buffer) => void }[] = [];
  #running = 0;
  #idleWaiters: (() => void)[] = [];

  constructor({ level, chunksBeingFilled }: DeflatePoolOptions) {
    this.#zlibOptions = {
      level: level ?? constants.Z_DEFAULT_COMPRESSION,
      // The output ends at a byte, with nothing held back: what the next chunk gives is
      // appended to it.
      finishFlush: constants.Z_SYNC_FLUSH,
      chunkSize: CHUNK_BYTES / 2,
    };
    // libuv has four threads by default, and name look-ups need one of them.
    this.#maxChunks = chunksBeingFilled + Math.min(3, Math.max(2, availableParallelism()));
  }

  /**
   * A chunk of at least `bytes`, as soon as one is free; to be given back by `release`.
   */
  async acquire(bytes = CHUNK_BYTES): Promise<Buffer> {
    if (this.#chunksInUse < this.#maxChunks) return this.#take(bytes);
    return new Promise(resolve => this.#waiters.push({ bytes, resolve }));
  }

  release(chunk: Buffer): void {
    this.#chunksInUse--;
    if (chunk.length === CHUNK_BYTES) this.#free.push(chunk);
    const waiter = this.#waiters.shift();
    if (waiter) waiter.resolve(this.#take(waiter.bytes));
  }

  /**
   * Raw deflate of `bytes`, which must not change until then, as a continuation of a
   * stream whose last bytes before compression were `dictionary`; that may change at
   * once.
   */
  deflate(bytes: Buffer, dictionary: Buffer): Promise<Buffer> {
    this.#running++;
    const options = dictionary.length > 0 ? { ...this.#zlibOptions, dictionary } : this.#zlibOptions;
    return new Promise<Buffer>((resolve, reject) => {
      deflateRaw(bytes, options, (error, compressed) => {
        if (--this.#running === 0) for (const idle of this.#idleWaiters.splice(0)) idle();
        if (error) reject(error);
        else resolve(compressed);
      });
    });
  }

  /** Waits until no compression reads a chunk any more. */
  async idle(): Promise<void> {
    if (this.#running > 0) await new Promise<void>(resolve => this.#idleWaiters.push(resolve));
  }

  #take(bytes: number): Buffer {
    this.#chunksInUse++;
    return bytes > CHUNK_BYTES
      ? Buffer.allocUnsafeSlow(bytes)
      : (this.#free.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES));
  }
}
