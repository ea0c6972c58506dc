import type { BlobStore } from './sink.ts';

const DEFAULT_BLOCKS_IN_FLIGHT = 4;
/**
 * Blocks that must be acknowledged without a complaint before one more may be in flight
 * again.
 */
const BLOCKS_PER_RECOVERY = 8;

export interface BlockStagerOptions {
  readonly store: Pick<BlobStore, 'stageBlock'>;
  /** Bytes of a usual buffer. */
  readonly blockBytes: number;
  /** Default 4. */
  readonly blocksInFlight?: number | undefined;
  /** How many buffers are being filled at one time, at most. */
  readonly buffersBeingFilled: number;
  readonly encryptionScope?: string | undefined;
  /** Told once, of the first failure, as it happens. */
  readonly onFailure?: (failure: Error) => void;
}

interface Block {
  readonly blob: string;
  readonly blockId: string;
  readonly buffer: Buffer;
  readonly length: number;
  /** Somebody else who reads the bytes. */
  readonly otherReader: Promise<void> | undefined;
}

interface Waiter {
  readonly bytes: number;
  readonly resolve: (buffer: Buffer) => void;
  readonly reject: (failure: Error) => void;
}

/**
 * Stages blocks, a bounded number at a time, out of a bounded pool of buffers that are
 * reused only after the answer. `acquire` waits while all buffers are in use: that is the
 * backpressure. The first failure is kept and thrown by every later call; blocks that
 * were not under way then are never sent. While the store is throttled the number in
 * flight is halved, and it recovers one by one.
 */
export class BlockStager {
  readonly blockBytes: number;
  /** Acknowledged. */
  blocksStaged = 0;
  bytesStaged = 0;

  readonly #options: BlockStagerOptions;
  readonly #maxInFlight: number;
  readonly #maxBuffers: number;
  readonly #abort = new AbortController();
  readonly #free: Buffer[] = [];
  #buffersInUse = 0;
  readonly #waiters: Waiter[] = [];
  readonly #queue: Block[] = [];
  #inFlight = 0;
  #idleWaiters: (() => void)[] = [];
  #failure: Error | undefined;
  #concurrency: number;
  /** Counts the halvings, so that the blocks of one burst halve only once. */
  #slowdowns = 0;
  #untroubled = 0;

  constructor(options: BlockStagerOptions) {
    const { blockBytes, blocksInFlight = DEFAULT_BLOCKS_IN_FLIGHT, buffersBeingFilled } = options;
    if (!(Number.isInteger(blocksInFlight) && blocksInFlight >= 1)) {
      throw new RangeError(`blocksInFlight must be a whole number above 0, not ${blocksInFlight}`);
    }
    this.#options = options;
    this.blockBytes = blockBytes;
    this.#maxInFlight = blocksInFlight;
    this.#maxBuffers = blocksInFlight + buffersBeingFilled;
    this.#concurrency = blocksInFlight;
  }

  /** How many blocks may be in flight now. */
  get concurrency(): number {
    return this.#concurrency;
  }

  /**
   * A buffer of at least `bytes`, as soon as one is free; to be given back by `stage` or
   * `release`.
   */
  async acquire(bytes = this.blockBytes): Promise<Buffer> {
    this.#throwFailure();
    if (this.#buffersInUse < this.#maxBuffers) return this.#take(bytes);
    return new Promise((resolve, reject) => this.#waiters.push({ bytes, resolve, reject }));
  }

  /** Gives back a buffer that was not needed. */
  release(buffer: Buffer): void {
    this.#buffersInUse--;
    // Larger ones were for one large row: kept, they would add up.
    if (buffer.length === this.blockBytes) this.#free.push(buffer);
    const waiter = this.#waiters.shift();
    if (waiter) waiter.resolve(this.#take(waiter.bytes));
  }

  /**
   * Sends the first `length` bytes of an acquired buffer, which is the stager's again
   * from here on. It is not reused while `otherReader` is pending either; its failure is
   * one of the stager's.
   */
  stage(blob: string, blockId: string, buffer: Buffer, length: number, otherReader?: Promise<void>): void {
    otherReader?.catch((error: Error) => this.#fail(error));
    this.#throwFailure();
    if (length < 1) throw new RangeError('a block of no bytes');
    this.#queue.push({ blob, blockId, buffer, length, otherReader });
    this.#sendMore();
  }

  /** Waits until every block is acknowledged. */
  async drain(): Promise<void> {
    await this.idle();
    this.#throwFailure();
  }

  /** Drops what is not under way, aborts what is, and fails every later call. */
  stop(reason: Error): void {
    this.#fail(reason);
    this.#abort.abort();
  }

  /** Waits until no request uses a buffer any more; never fails. */
  async idle(): Promise<void> {
    if (this.#inFlight === 0 && this.#queue.length === 0) return;
    await new Promise<void>(resolve => this.#idleWaiters.push(resolve));
  }

  #take(bytes: number): Buffer {
    this.#buffersInUse++;
    // Shared memory, so that the thread that computes checksums needs no copy.
    if (bytes > this.blockBytes) return Buffer.from(new SharedArrayBuffer(bytes));
    return this.#free.pop() ?? Buffer.from(new SharedArrayBuffer(this.blockBytes));
  }

  #sendMore(): void {
    while (this.#inFlight < this.#concurrency) {
      const block = this.#queue.shift();
      if (!block) break;
      this.#inFlight++;
      void this.#send(block);
    }
  }

  /** Never rejects. */
  async #send({ blob, blockId, buffer, length, otherReader }: Block): Promise<void> {
    const slowdowns = this.#slowdowns;
    const { store, encryptionScope } = this.#options;
    try {
      await store.stageBlock(blob, blockId, buffer.subarray(0, length), {
        signal: this.#abort.signal,
        onThrottled: () => this.#slowDown(slowdowns),
        ...(encryptionScope !== undefined && { encryptionScope }),
      });
      this.blocksStaged++;
      this.bytesStaged += length;
      this.#speedUp();
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error('staging a block failed', { cause: error }));
    }
    await otherReader?.catch(() => {});
    this.#inFlight--;
    this.release(buffer);
    this.#sendMore();
    if (this.#inFlight === 0) for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  #slowDown(slowdownsWhenSent: number): void {
    if (slowdownsWhenSent !== this.#slowdowns) return;
    this.#slowdowns++;
    this.#untroubled = 0;
    this.#concurrency = Math.max(1, this.#concurrency >> 1);
  }

  #speedUp(): void {
    if (this.#concurrency === this.#maxInFlight || ++this.#untroubled < BLOCKS_PER_RECOVERY) return;
    this.#untroubled = 0;
    this.#concurrency++;
  }

  #fail(failure: Error): void {
    if (this.#failure) return;
    this.#failure = failure;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(failure);
    for (const { buffer } of this.#queue.splice(0)) this.release(buffer);
    this.#options.onFailure?.(failure);
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure;
  }
}
