import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { SluiceError } from '../errors.ts';
import { readError, stateError } from '../system-errors.ts';
import { HASH_WORDS } from './key-table.ts';

/**
 * What a run will change in its baseline, on disk before anything is published: the
 * baseline can be brought forward from it at any later time, as often as need be.
 *
 *   file   = magic frame*
 *   frame  = type u32, payload bytes u32, CRC-32 of the payload u32, payload      (little-endian)
 *   upserts payload = count u32, 1 if values follow u32, count × 24-byte record, [count × length u32, values]
 *   removals payload = count u32, count × 16-byte key
 *   footer payload = JSON; a log without one was not sealed
 */
const MAGIC = Buffer.from('SLUICED1');
const FRAME_HEAD_BYTES = 12;
export const FrameType = { upserts: 1, removals: 2, footer: 3 } as const;
type FrameType = (typeof FrameType)[keyof typeof FrameType];

/** A frame is written when it holds so many records, or so many bytes of values. */
const FRAME_RECORDS = 131_072;
const FIRST_RECORDS = 1024;
const FRAME_VALUE_BYTES = 8 * 1024 * 1024;
const MAX_PAYLOAD_BYTES = 0x7fffffff;

export interface UpsertFrame {
  readonly type: typeof FrameType.upserts;
  readonly count: number;
  /** `count` × 6 words: key and row hash. */
  readonly records: Int32Array;
  /**
   * Bytes of each record's values, and all of them one after the other; absent where none
   * are kept.
   */
  readonly lengths: Uint32Array | undefined;
  readonly values: Buffer;
}
export interface RemovalFrame {
  readonly type: typeof FrameType.removals;
  readonly count: number;
  /** `count` × 4 words. */
  readonly keys: Int32Array;
}
export interface FooterFrame {
  readonly type: typeof FrameType.footer;
  readonly footer: unknown;
}

/**
 * Appends to a new log. The caller awaits `flush` whenever `isFull`, so that memory stays
 * bounded.
 */
export class DeltaLogWriter {
  /** Absent where nothing is kept. */
  readonly #file: FileHandle | undefined;
  readonly #keepsValues: boolean;
  // These grow as they fill, up to a frame: most runs change little.
  #records = new Int32Array(FIRST_RECORDS * HASH_WORDS);
  #removals = new Int32Array(FIRST_RECORDS * 4);
  #lengths = new Uint32Array(FIRST_RECORDS);
  #values = Buffer.alloc(0);
  #recordCount = 0;
  #removalCount = 0;
  #valueBytes = 0;

  private constructor(file: FileHandle | undefined, keepsValues: boolean) {
    this.#file = file;
    this.#keepsValues = keepsValues;
  }

  static async create(path: string, options: { readonly keepsValues: boolean }): Promise<DeltaLogWriter> {
    const file = await writing(() => open(path, 'wx', 0o600));
    await writing(() => file.appendFile(MAGIC));
    return new DeltaLogWriter(file, options.keepsValues);
  }

  /** A log that nobody will read: what it is told is dropped. */
  static discarding(): DeltaLogWriter {
    return new DeltaLogWriter(undefined, false);
  }

  get isFull(): boolean {
    return (
      this.#recordCount === FRAME_RECORDS ||
      this.#removalCount === FRAME_RECORDS ||
      this.#valueBytes >= FRAME_VALUE_BYTES
    );
  }

  /**
   * Notes that the row with these hashes is to be in the baseline; `values` are kept
   * where the log keeps values.
   */
  upsert(hashes: Int32Array, at: number, bytes: Buffer, start: number, end: number): void {
    const to = this.#recordCount * HASH_WORDS;
    if (to === this.#records.length) this.#records = doubled(this.#records);
    for (let word = 0; word < HASH_WORDS; word++) this.#records[to + word] = hashes[at + word]!;
    if (this.#keepsValues) {
      const length = end - start;
      if (this.#valueBytes + length > this.#values.length) {
        const grown = Buffer.allocUnsafe(Math.max(this.#values.length * 2, this.#valueBytes + length));
        this.#values.copy(grown, 0, 0, this.#valueBytes);
        this.#values = grown;
      }
      bytes.copy(this.#values, this.#valueBytes, start, end);
      if (this.#recordCount === this.#lengths.length) this.#lengths = doubled(this.#lengths);
      this.#lengths[this.#recordCount] = length;
      this.#valueBytes += length;
    }
    this.#recordCount++;
  }

  /** Notes that the key is to leave the baseline. */
  remove(keys: Int32Array, at: number): void {
    if (this.#removalCount * 4 === this.#removals.length) this.#removals = doubled(this.#removals);
    this.#removals.set(keys.subarray(at, at + 4), this.#removalCount * 4);
    this.#removalCount++;
  }

  async flush(): Promise<void> {
    if (this.#recordCount > 0) {
      const payload = [
        u32(this.#recordCount, this.#keepsValues ? 1 : 0),
        bytesOf(this.#records.subarray(0, this.#recordCount * HASH_WORDS)),
      ];
      if (this.#keepsValues) {
        payload.push(bytesOf(this.#lengths.subarray(0, this.#recordCount)));
        payload.push(this.#values.subarray(0, this.#valueBytes));
      }
      await this.#append(FrameType.upserts, payload);
      this.#recordCount = 0;
      this.#valueBytes = 0;
    }
    if (this.#removalCount > 0) {
      const keys = bytesOf(this.#removals.subarray(0, this.#removalCount * 4));
      await this.#append(FrameType.removals, [u32(this.#removalCount), keys]);
      this.#removalCount = 0;
    }
  }

  /** Ends the log with its footer and makes all of it durable. */
  async seal(footer: unknown): Promise<void> {
    await this.flush();
    await this.#append(FrameType.footer, [Buffer.from(JSON.stringify(footer))]);
    await writing(async () => this.#file?.sync());
    await this.close();
  }

  async close(): Promise<void> {
    await this.#file?.close();
  }

  async #append(type: FrameType, payload: readonly Buffer[]): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    const bytes = payload.reduce((sum, part) => sum + part.length, 0);
    const checksum = payload.reduce((value, part) => crc32(part, value), 0);
    const frame = [u32(type, bytes, checksum), ...payload];
    const total = bytes + FRAME_HEAD_BYTES;
    const { bytesWritten } = await writing(() => file.writev(frame));
    if (bytesWritten !== total) {
      throw new SluiceError(
        'STATE_WRITE_FAILED',
        `only ${bytesWritten} of ${total} bytes of the delta log were written`,
        {
          stage: 'state',
        },
      );
    }
  }
}

/**
 * Reads a log from its start, one frame at a time, and checks each. Ends behind the
 * footer.
 */
export async function* readDeltaLog(path: string): AsyncGenerator<UpsertFrame | RemovalFrame | FooterFrame> {
  const damaged = (what: string): SluiceError =>
    new SluiceError('STATE_DAMAGED', `delta log ${path}: ${what}`, { stage: 'state' });
  const file = await open(path, 'r').catch((cause: Error) => {
    throw readError(cause, `delta log ${path} cannot be opened`, () =>
      damaged(`it cannot be opened: ${cause.message}`),
    );
  });
  try {
    const take = async (bytes: number): Promise<Buffer> => {
      const buffer = Buffer.allocUnsafeSlow(bytes);
      const { bytesRead } = await file.read(buffer, 0, bytes);
      if (bytesRead !== bytes) throw damaged('it ends in the middle of a frame, so it was never sealed');
      return buffer;
    };
    if (!(await take(MAGIC.length)).equals(MAGIC)) throw damaged('it does not begin as one');
    for (;;) {
      const head = await take(FRAME_HEAD_BYTES);
      const bytes = head.readUInt32LE(4);
      if (bytes > MAX_PAYLOAD_BYTES) throw damaged(`a frame says that it has ${bytes} bytes`);
      const payload = await take(bytes);
      if (crc32(payload) !== head.readUInt32LE(8)) throw damaged('the checksum of a frame is wrong');
      const type = head.readUInt32LE(0);
      if (type === FrameType.footer) {
        yield { type, footer: JSON.parse(payload.toString()) };
        return;
      }
      const count = payload.readUInt32LE(0);
      if (type === FrameType.removals) {
        yield { type, count, keys: wordsOf(payload, 4, count * 4) };
      } else if (type === FrameType.upserts) {
        const recordsEnd = 8 + count * HASH_WORDS * 4;
        const records = wordsOf(payload, 8, count * HASH_WORDS);
        const hasValues = payload.readUInt32LE(4) === 1;
        const lengths = hasValues ? new Uint32Array(wordsOf(payload, recordsEnd, count)) : undefined;
        const values = hasValues ? payload.subarray(recordsEnd + count * 4) : Buffer.alloc(0);
        yield { type, count, records, lengths, values };
      } else {
        throw damaged(`a frame has type ${type}`);
      }
    }
  } finally {
    await file.close();
  }
}

/** The words at `at`; in place where they are aligned. */
export function wordsOf(bytes: Buffer, at: number, words: number): Int32Array {
  const start = bytes.byteOffset + at;
  if (start % 4 === 0) return new Int32Array(bytes.buffer, start, words);
  return new Int32Array(bytes.buffer.slice(start, start + words * 4));
}

function doubled<Words extends Int32Array | Uint32Array>(words: Words): Words {
  const larger = new (words.constructor as new (length: number) => Words)(words.length * 2);
  larger.set(words);
  return larger;
}

function bytesOf(words: Int32Array | Uint32Array): Buffer {
  return Buffer.from(words.buffer, words.byteOffset, words.byteLength);
}

function u32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, index) => {
    bytes.writeUInt32LE(value >>> 0, index * 4);
  });
  return bytes;
}

async function writing<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    throw stateError(cause, 'writing the delta log failed');
  }
}
