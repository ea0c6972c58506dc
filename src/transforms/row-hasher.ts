import { HASH_WORDS } from '../baseline/key-table.ts';
import type { RowHashing } from '../baseline/row-hashing.ts';
import type { RowBatch } from '../row-batch.ts';
import { lazyModule } from '../wasm-module.ts';
import { ROW_HASHER_CODE } from './row-hasher-code.ts';

/** Rows of that many bytes are handed over at a time: they stay in the nearest caches. */
const CHUNK_BYTES = 64 * 1024;
const CHUNK_ROWS = 1024;
/**
 * A row that is larger gets a memory of its own, which is given back: WebAssembly's
 * memory does not shrink.
 */
const KEPT_BYTES = 16 * 1024 * 1024;
const PAGE_BYTES = 64 * 1024;
/** Bytes behind a row that may be read. */
const READ_AHEAD_BYTES = 8;
/** What lies below is the module's. */
const FIELDS_AT = 1024;
const HASH_BYTES = HASH_WORDS * 4;

/** assembly/row-hasher.ts */
interface Exports {
  readonly memory: WebAssembly.Memory;
  setSecret(first: bigint, second: bigint): void;
  hashRows(
    fields: number,
    fieldCount: number,
    bounds: number,
    moved: number,
    count: number,
    scratch: number,
    hashes: number,
    changes: number,
  ): number;
}

const hasherModule = lazyModule(ROW_HASHER_CODE);

/**
 * Hashes the rows of a batch and their keys in WebAssembly. Its memory holds the places
 * of the key's fields, bounds, hashes and changes of a chunk of rows, the rows, and room
 * for a key that has to be put together.
 */
export class RowHasher {
  readonly #hashing: RowHashing;
  readonly #keyFields: readonly number[];
  readonly #keptBytes: number;
  readonly #exports: Exports;
  readonly #boundsAt: number;
  readonly #hashesAt: number;
  readonly #changesAt: number;
  readonly #rowsAt: number;
  #memory = new Uint8Array(0);
  #words = new Int32Array(0);

  /** `keyFields` are places in the row, in the order of the primary key. */
  constructor(hashing: RowHashing, keyFields: readonly number[], keptBytes = KEPT_BYTES) {
    this.#hashing = hashing;
    this.#keyFields = keyFields;
    this.#keptBytes = keptBytes;
    this.#boundsAt = FIELDS_AT + 8 * Math.ceil(keyFields.length / 2);
    this.#hashesAt = this.#boundsAt + 8 * CHUNK_ROWS;
    this.#changesAt = this.#hashesAt + HASH_BYTES * CHUNK_ROWS;
    this.#rowsAt = this.#changesAt + CHUNK_ROWS;
    this.#exports = new WebAssembly.Instance(hasherModule(), {}).exports as unknown as Exports;
    const secret = Buffer.from(hashing.secret, 'hex');
    this.#exports.setSecret(secret.readBigUInt64LE(0), secret.readBigUInt64LE(8));
    this.#makeRoom(CHUNK_BYTES);
    this.#words.set(keyFields, FIELDS_AT >> 2);
  }

  /**
   * Sets of each row the words of its hashes, and in `changes` whether it is to be looked
   * at: `added`, or `skipped` where a field of its key is NULL; such a row has no hashes.
   * @returns how many rows are skipped
   */
  // hot: bench/row-path
  hash(batch: RowBatch, hashes: Int32Array, changes: Uint8Array): number {
    const { rowBounds, rowCount } = batch;
    let skipped = 0;
    for (let from = 0; from < rowCount; ) {
      const start = rowBounds[2 * from]!;
      let end = rowBounds[2 * from + 1]!;
      const last = Math.min(rowCount, from + CHUNK_ROWS);
      let to = from + 1;
      for (; to < last; to++) {
        const rowEnd = rowBounds[2 * to + 1]!;
        if (rowBounds[2 * to]! < end || rowEnd - start > CHUNK_BYTES) break;
        end = rowEnd;
      }
      const rows = { batch, from, to, bytes: batch.bytes.subarray(start, end) };
      const hasher = this.#hasherFor(end - start);
      skipped += hasher.#hashChunk(rows, hashes, changes);
      from = to;
    }
    return skipped;
  }

  #hasherFor(bytes: number): RowHasher {
    if (bytes <= CHUNK_BYTES) return this;
    if (bytes > this.#keptBytes)
      return new RowHasher(this.#hashing, this.#keyFields, Infinity).#hasherFor(bytes);
    this.#makeRoom(bytes);
    return this;
  }

  #hashChunk(
    { batch, from, to, bytes }: { batch: RowBatch; from: number; to: number; bytes: Uint8Array },
    hashes: Int32Array,
    changes: Uint8Array,
  ): number {
    const count = to - from;
    const { rowBounds } = batch;
    this.#memory.set(bytes, this.#rowsAt);
    this.#words.set(rowBounds.subarray(2 * from, 2 * to), this.#boundsAt >> 2);
    const skipped = this.#exports.hashRows(
      FIELDS_AT,
      this.#keyFields.length,
      this.#boundsAt,
      this.#rowsAt - rowBounds[2 * from]!,
      count,
      this.#scratchAt(bytes.length),
      this.#hashesAt,
      this.#changesAt,
    );
    const hashesWord = this.#hashesAt >> 2;
    hashes.set(this.#words.subarray(hashesWord, hashesWord + count * HASH_WORDS), from * HASH_WORDS);
    changes.set(this.#memory.subarray(this.#changesAt, this.#changesAt + count), from);
    return skipped;
  }

  /** Where a key is put together, which is no larger than its row. */
  #scratchAt(rowBytes: number): number {
    return this.#rowsAt + rowBytes + READ_AHEAD_BYTES;
  }

  #makeRoom(rowBytes: number): void {
    const { memory } = this.#exports;
    const missing = this.#scratchAt(rowBytes) + rowBytes + READ_AHEAD_BYTES - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
    this.#memory = new Uint8Array(memory.buffer);
    this.#words = new Int32Array(memory.buffer);
  }
}
