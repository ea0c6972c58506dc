import { availableParallelism } from 'node:os';

export interface ChunkPoolOptions {
  readonly chunkBytes: number;
  /** Memory for a chunk. */
  readonly allocate: (bytes: number) => Buffer;
  /** How many chunks are being filled at one time, at most. */
  readonly chunksBeingFilled: number;
}

/**
 * A bounded pool of the chunks that are compressed on threads, several at once. A chunk
 * is given back only when its compressed bytes have gone on, so that results cannot pile
 * up behind a slow destination.
 */
export class ChunkPool {
  readonly #chunkBytes: number;
  readonly #allocate: (bytes: number) => Buffer;
  readonly #maxChunks: number;
  readonly #free: Buffer[] = [];
  #chunksInUse = 0;
  readonly #waiters: { readonly bytes: number; readonly resolve: (chunk: Buffer) => void }[] = [];
  #running = 0;
  #idleWaiters: (() => void)[] = [];

  constructor({ chunkBytes, allocate, chunksBeingFilled }: ChunkPoolOptions) {
    this.#chunkBytes = chunkBytes;
    this.#allocate = allocate;
    // libuv has four threads by default, and name look-ups need one of them.
    this.#maxChunks = chunksBeingFilled + Math.min(3, Math.max(2, availableParallelism()));
  }

  /**
   * A chunk of at least `bytes`, as soon as one is free; to be given back by `release`.
   */
  async acquire(bytes = this.#chunkBytes): Promise<Buffer> {
    if (this.#chunksInUse < this.#maxChunks) return this.#take(bytes);
    return new Promise(resolve => this.#waiters.push({ bytes, resolve }));
  }

  release(chunk: Buffer): void {
    this.#chunksInUse--;
    if (chunk.length === this.#chunkBytes) this.#free.push(chunk);
    const waiter = this.#waiters.shift();
    if (waiter) waiter.resolve(this.#take(waiter.bytes));
  }

  /** Notes that a thread reads a chunk until `compressing` settles; returns that. */
  async reading<T>(compressing: Promise<T>): Promise<T> {
    this.#running++;
    try {
      return await compressing;
    } finally {
      if (--this.#running === 0) for (const idle of this.#idleWaiters.splice(0)) idle();
    }
  }

  /** Waits until no thread reads a chunk any more. */
  async idle(): Promise<void> {
    if (this.#running > 0) await new Promise<void>(resolve => this.#idleWaiters.push(resolve));
  }

  #take(bytes: number): Buffer {
    this.#chunksInUse++;
    if (bytes > this.#chunkBytes) return this.#allocate(bytes);
    return this.#free.pop() ?? this.#allocate(this.#chunkBytes);
  }
}
