import { BlockTooSlow } from './block-too-slow.ts';
import type { BlobStore } from './sink.ts';

export const DEFAULT_BLOCKS_IN_FLIGHT = 4;
/**
 * Blocks that must be acknowledged without a complaint before one more may be in flight
 * again.
 */
const BLOCKS_PER_RECOVERY = 8;
/** As many before blocks are larger again: one that is too slow costs minutes. */
const BLOCKS_PER_LARGER = 64;
/** A block that was too slow is sent in so many, down to the smallest. */
const PIECES = 4;
const SMALLEST_PIECE_BYTES = 256 * 1024;

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

/**
 * Replaces a block in its file by so many others, whose ids it gives; `undefined` where
 * the file can have no more.
 */
export type SplitBlock = (blockId: string, pieces: number) => readonly string[] | undefined;

export interface BlockName {
  readonly blob: string;
  readonly blockId: string;
  readonly split?: SplitBlock | undefined;
}

/** The buffer of one block, or of the pieces into which it was split. */
interface HeldBuffer {
  readonly buffer: Buffer;
  blocks: number;
  /** Somebody else who reads the bytes. */
  readonly otherReader: Promise<unknown> | undefined;
}

interface Block extends BlockName {
  readonly bytes: Buffer;
  readonly held: HeldBuffer;
  /** Where it is known: not of a piece. */
  readonly crc64?: Promise<bigint> | bigint | undefined;
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
 * were not under way then are never sent. While the store is throttled, or the line is
 * too slow, the number in flight is halved, and it recovers one by one. Where the line is
 * too slow, blocks are split besides.
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
  /** What is larger is split before it is sent. */
  #maxBytes = Number.POSITIVE_INFINITY;
  /** Since a block was too slow, until one is acknowledged. */
  #patienceMs: number | undefined;

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
   * from here on. They go once their CRC64 is known; that it cannot be is a failure of
   * the stager's.
   */
  stage(name: BlockName, buffer: Buffer, length: number, crc64?: Promise<bigint> | bigint): void {
    const otherReader = crc64 instanceof Promise ? crc64 : undefined;
    otherReader?.catch((error: Error) => this.#fail(error));
    this.#throwFailure();
    if (length < 1) throw new RangeError('a block of no bytes');
    const held = { buffer, blocks: 1, otherReader };
    this.#queue.push({ ...name, bytes: buffer.subarray(0, length), held, crc64 });
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
      const [first = block, ...others] = this.#piecesOf(block);
      this.#queue.unshift(...others);
      this.#inFlight++;
      void this.#send(first);
    }
  }

  #piecesOf(block: Block): Block[] {
    const { blockId, bytes, held, split } = block;
    const count = split === undefined ? 1 : Math.ceil(bytes.length / this.#maxBytes);
    if (count <= 1) return [block];
    const ids = split?.(blockId, count);
    if (ids === undefined) return [{ ...block, split: undefined }];
    held.blocks += count - 1;
    const length = Math.ceil(bytes.length / count);
    return ids.map((id, index) => ({
      ...block,
      blockId: id,
      bytes: bytes.subarray(index * length, (index + 1) * length),
      crc64: undefined,
    }));
  }

  /** Never rejects. */
  async #send(block: Block): Promise<void> {
    if (await this.#isTooSlow(block)) this.#queue.unshift(block);
    else await this.#letGo(block.held);
    this.#inFlight--;
    this.#sendMore();
    if (this.#inFlight === 0) for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  /** Sends it; whether it is to be sent again in smaller ones. Never rejects. */
  async #isTooSlow({ blob, blockId, bytes, split, crc64 }: Block): Promise<boolean> {
    const slowdowns = this.#slowdowns;
    const { store, encryptionScope } = this.#options;
    try {
      const known = await crc64;
      await store.stageBlock(blob, blockId, bytes, {
        signal: this.#abort.signal,
        onThrottled: () => this.#slowDown(slowdowns),
        canBeSplit: split !== undefined && bytes.length > SMALLEST_PIECE_BYTES,
        patienceMs: this.#patienceMs,
        ...(encryptionScope !== undefined && { encryptionScope }),
        ...(known !== undefined && { crc64: known }),
      });
      this.blocksStaged++;
      this.bytesStaged += bytes.length;
      this.#patienceMs = undefined;
      this.#speedUp();
    } catch (error) {
      if (error instanceof BlockTooSlow && !this.#failure) {
        this.#slowDown(slowdowns);
        this.#patienceMs = error.leftMs;
        const smaller = Math.max(SMALLEST_PIECE_BYTES, Math.ceil(bytes.length / PIECES));
        this.#maxBytes = Math.min(this.#maxBytes, smaller);
        return true;
      }
      this.#fail(error instanceof Error ? error : new Error('staging a block failed', { cause: error }));
    }
    return false;
  }

  /** The buffer is free once no piece of it is under way. */
  async #letGo(held: HeldBuffer): Promise<void> {
    if (--held.blocks > 0) return;
    await held.otherReader?.catch(() => {});
    this.release(held.buffer);
  }

  #slowDown(slowdownsWhenSent: number): void {
    if (slowdownsWhenSent !== this.#slowdowns) return;
    this.#slowdowns++;
    this.#untroubled = 0;
    this.#concurrency = Math.max(1, this.#concurrency >> 1);
  }

  #speedUp(): void {
    const areFewer = this.#concurrency < this.#maxInFlight;
    if (!areFewer && this.#maxBytes === Number.POSITIVE_INFINITY) return;
    if (++this.#untroubled < (areFewer ? BLOCKS_PER_RECOVERY : BLOCKS_PER_LARGER)) return;
    this.#untroubled = 0;
    if (areFewer) {
      this.#concurrency++;
      return;
    }
    this.#maxBytes *= PIECES;
    if (this.#maxBytes >= this.blockBytes) this.#maxBytes = Number.POSITIVE_INFINITY;
  }

  #fail(failure: Error): void {
    if (this.#failure) return;
    this.#failure = failure;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(failure);
    for (const { held } of this.#queue.splice(0)) if (--held.blocks === 0) this.release(held.buffer);
    this.#options.onFailure?.(failure);
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure;
  }
}
