import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError } from '../errors.ts';
import type { Change, RowBatch } from '../row-batch.ts';
import { stateError } from '../system-errors.ts';
import { BUCKETS } from './key-table.ts';

/**
 * Rows wait for their bucket, or, with keys of a former hash, for the bucket of that;
 * others only to be seen in it.
 */
const QUEUES = 3 * BUCKETS;
export const formerQueue = (bucket: number): number => BUCKETS + bucket;
export const seenQueue = (bucket: number): number => 2 * BUCKETS + bucket;
const BUFFER_BYTES = 64 * 1024;
const BATCH_BYTES = 256 * 1024;

/**
 * What does not fit in memory, by bucket, in files that live no longer than the run: rows
 * that wait for their bucket's turn, and slots of the key table that were set aside.
 */
export class Spill {
  readonly #directory: string;
  readonly #files: (FileHandle | undefined)[] = new Array(QUEUES).fill(undefined);
  readonly #buffers: (Buffer | undefined)[] = new Array(QUEUES).fill(undefined);
  readonly #filled = new Int32Array(QUEUES);
  readonly #slots: (string | undefined)[] = new Array(BUCKETS).fill(undefined);
  #bytes = 0;
  #pending: Promise<void> = Promise.resolve();
  #created: Promise<unknown> | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Bytes written so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes a copy of the row. Await `drain` after a batch. */
  append(bucket: number, bytes: Buffer, start: number, end: number): void {
    const needed = end - start + 4;
    let buffer = this.#buffers[bucket];
    if (buffer !== undefined && this.#filled[bucket]! + needed > buffer.length) {
      this.#write(bucket);
      buffer = undefined;
    }
    if (buffer === undefined) {
      buffer = Buffer.allocUnsafeSlow(Math.max(BUFFER_BYTES, needed));
      this.#buffers[bucket] = buffer;
      this.#filled[bucket] = 0;
    }
    const at = this.#filled[bucket]!;
    buffer.writeUInt32LE(end - start, at);
    bytes.copy(buffer, at + 4, start, end);
    this.#filled[bucket] = at + needed;
  }

  /** Resolves when everything that was handed over is written. */
  async drain(): Promise<void> {
    await this.#pending;
  }

  async setAside(bucket: number, slots: Int32Array): Promise<void> {
    const path = join(this.#directory, `slots-${bucket}`);
    await this.#writing(async () => {
      await this.#create();
      const file = await open(path, 'w', 0o600);
      try {
        await file.appendFile(new Uint8Array(slots.buffer, slots.byteOffset, slots.byteLength));
      } finally {
        await file.close();
      }
    });
    this.#bytes += slots.byteLength;
    this.#slots[bucket] = path;
  }

  /** The slots that were set aside, if any were. */
  async slotsOf(bucket: number): Promise<Int32Array | undefined> {
    const path = this.#slots[bucket];
    if (path === undefined) return undefined;
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const slots = new Int32Array(size / 4);
      const bytes = new Uint8Array(slots.buffer);
      for (let at = 0; at < size; ) {
        const { bytesRead } = await file.read(bytes, at, size - at);
        if (bytesRead === 0)
          throw new SluiceError('STATE_DAMAGED', `${path} is too short`, { stage: 'state' });
        at += bytesRead;
      }
      return slots;
    } finally {
      await file.close();
    }
  }

  /** The rows of a bucket, in the order in which they came. */
  async *rowsOf(bucket: number): AsyncGenerator<RowBatch> {
    if (this.#filled[bucket]! > 0) this.#write(bucket);
    await this.#pending;
    const file = this.#files[bucket];
    if (file === undefined) return;
    let rest: Buffer = Buffer.alloc(0);
    const stream = createReadStream('', {
      fd: file.fd,
      start: 0,
      autoClose: false,
      highWaterMark: BATCH_BYTES,
    });
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const bounds: number[] = [];
      let at = 0;
      while (at + 4 <= bytes.length) {
        const end = at + 4 + bytes.readUInt32LE(at);
        if (end > bytes.length) break;
        bounds.push(at + 4, end);
        at = end;
      }
      rest = bytes.subarray(at);
      if (bounds.length > 0) yield batchOf(bytes, bounds);
    }
  }

  async remove(): Promise<void> {
    await this.#pending.catch(() => {});
    for (const file of this.#files) await file?.close().catch(() => {});
    await rm(this.#directory, { recursive: true, force: true });
  }

  #write(bucket: number): void {
    const bytes = this.#buffers[bucket]!.subarray(0, this.#filled[bucket]);
    this.#buffers[bucket] = undefined;
    this.#filled[bucket] = 0;
    this.#bytes += bytes.length;
    this.#pending = this.#pending.then(() =>
      this.#writing(async () => {
        await this.#create();
        this.#files[bucket] ??= await open(join(this.#directory, `rows-${bucket}`), 'w+', 0o600);
        await this.#files[bucket].appendFile(bytes);
      }),
    );
    // The failure is seen by `drain`; until then it must not count as unhandled.
    this.#pending.catch(() => {});
  }

  #create(): Promise<unknown> {
    this.#created ??= mkdir(this.#directory, { recursive: true });
    return this.#created;
  }

  async #writing<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (cause) {
      throw stateError(cause, `setting rows aside in ${this.#directory} failed`);
    }
  }
}

/** A late batch without changes set; the diff will. */
export function batchOf(bytes: Buffer, bounds: readonly number[], change?: Change): RowBatch {
  const rowCount = bounds.length >> 1;
  const changes = change === undefined ? undefined : new Uint8Array(rowCount).fill(change);
  return { bytes, rowCount, rowBounds: Int32Array.from(bounds), changes, isLate: true };
}
