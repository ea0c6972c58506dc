import { isUtf8 } from 'node:buffer';
import type { RowBatch } from '../../../row-batch.ts';
import { lazyModule } from '../../../wasm-module.ts';
import { ArrayJson } from '../../array-json.ts';
import type { ParquetColumn } from '../parquet-column.ts';
import { ColumnMemory, TILE_BYTES, Word } from './column-memory.ts';
import { Crates } from './crates.ts';
import { exactFloat32 } from './float32.ts';
import { isLarge, largeValue } from './large-value.ts';
import { PARQUET_COLUMNS_CODE } from './parquet-columns-code.ts';
import { type Bounds, boundsOf } from './statistics.ts';

/** The numbers of assembly/parquet-columns.ts. */
const Stop = { done: 0, pageFull: 1, refused: 2 } as const;
const MEMORY_PAGE_BYTES = 64 * 1024;
const READ_AHEAD_BYTES = 64;
/** Memory that one large row made larger is given back: WebAssembly's does not shrink. */
const KEPT_ROW_BYTES = 16 * 1024 * 1024;

/** Addresses and counts come back signed. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  heapBase(): number;
  layOut(columns: number, count: number, starts: number, lengths: number, stride: number): void;
  resetSamples(at: number): void;
  locate(bounds: number, count: number): void;
  sample(count: number): void;
  fillColumns(first: number, count: number): number;
  stop(): number;
  boundLarge(column: number, start: number, length: number): void;
  distinctSamples(column: number): bigint;
}

/** Values of a column that follow each other in the file, in plain encoding. */
export interface FilledPage {
  readonly crate: number;
  /** In the crate: first the levels, then the values. */
  readonly at: number;
  /** 0 where every row of the page has a value, or none. */
  readonly levelBytes: number;
  readonly valueBytes: number;
  readonly rowCount: number;
  readonly valueCount: number;
}

export interface FilledColumn {
  readonly pages: FilledPage[];
  readonly nullCount: number;
  readonly bounds: Bounds | undefined;
  /** Values that were looked at, and how many of them differ. */
  readonly samples: { readonly values: number; readonly different: number };
}

export interface FilledRows {
  readonly columns: readonly FilledColumn[];
  readonly crates: ArrayBuffer[];
}

interface LargeField {
  readonly index: number;
  readonly field: Buffer;
}

const columnsModule = lazyModule(PARQUET_COLUMNS_CODE);

/**
 * Fills the columns of a row group, in WebAssembly, and takes their pages away as they
 * become full.
 */
export class ColumnFiller {
  readonly #columns: readonly ParquetColumn[];
  readonly #crates = new Crates();
  #exports!: Exports;
  #layout!: ColumnMemory;
  #memory!: Buffer;
  #words!: Int32Array;
  #pages: FilledPage[][];

  constructor(columns: readonly ParquetColumn[]) {
    this.#columns = columns;
    this.#pages = columns.map(() => []);
    this.#instantiate();
  }

  /** Bytes of the values of any length that the row group has. */
  get dataBytes(): number {
    let bytes = 0;
    for (let index = 0; index < this.#columns.length; index++) bytes += this.#get(index, Word.dataBytes);
    return bytes;
  }

  /**
   * Takes `rows[from] … rows[to - 1]`.
   * @returns whether every field could be taken; otherwise nothing can be any more
   */
  // hot: bench/encoders. Invariant: the rows before `index` are taken.
  take(batch: RowBatch, rows: Int32Array, from: number, to: number): boolean {
    for (let index = from; index < to; ) {
      const row = rows[index]!;
      const size = batch.rowBounds[2 * row + 1]! - batch.rowBounds[2 * row]!;
      const isAlone = size > TILE_BYTES;
      const end = isAlone ? index + 1 : this.#copyIn(batch, rows, index, to);
      const large = isAlone ? this.#copyLargeIn(batch, row, size) : [];
      if (!this.#fill(end - index) || !this.#takeLarge(large)) return false;
      index = end;
    }
    return true;
  }

  /** What was taken, and begins the next row group. */
  finish(): FilledRows {
    const columns = this.#columns.map((column, index) => {
      if (this.#get(index, Word.rows) > 0) this.#seal(index);
      const samples = this.#exports.distinctSamples(index);
      return {
        pages: this.#pages[index]!,
        nullCount: this.#get(index, Word.nullCount),
        bounds: boundsOf(column, this.#memory, this.#words, this.#layout.word(index, 0)),
        samples: { values: Number(samples >> 32n), different: Number(samples & 0xffffffffn) },
      };
    });
    this.#pages = this.#columns.map(() => []);
    if (this.#memory.length > this.#layout.rowsAt + KEPT_ROW_BYTES) this.#instantiate();
    else this.#begin();
    return { columns, crates: this.#crates.take() };
  }

  /** Memory of crates, for the next ones. */
  giveBack(crates: readonly ArrayBuffer[]): void {
    this.#crates.giveBack(crates);
  }

  #instantiate(): void {
    const { exports } = new WebAssembly.Instance(columnsModule(), {
      caller: {
        writeArray: (column: number, start: number, end: number, at: number): number =>
          this.#writeArray(column, start, end, at),
        parseDouble: (start: number, end: number): number =>
          Number(this.#memory.toString('latin1', start, end)),
        parseFloat: (value: number, start: number, end: number): number =>
          exactFloat32(value, this.#memory, start, end),
      },
    });
    this.#exports = exports as unknown as Exports;
    this.#layout = new ColumnMemory(this.#columns, this.#exports.heapBase());
    this.#reserve(TILE_BYTES);
    this.#begin();
  }

  #begin(): void {
    const { columnsAt, startsAt, lengthsAt, samplesAt, stride } = this.#layout;
    this.#layout.initialize(this.#words);
    this.#exports.layOut(columnsAt, this.#columns.length, startsAt, lengthsAt, stride);
    this.#exports.resetSamples(samplesAt);
  }

  /** Room for rows of so many bytes. */
  #reserve(rowBytes: number): void {
    const { memory } = this.#exports;
    const missing = this.#layout.rowsAt + rowBytes + READ_AHEAD_BYTES - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / MEMORY_PAGE_BYTES));
    if (this.#memory?.buffer === memory.buffer) return;
    this.#memory = Buffer.from(memory.buffer);
    this.#words = new Int32Array(memory.buffer);
  }

  #get(column: number, word: number): number {
    return this.#words[this.#layout.word(column, word)]! >>> 0;
  }

  #set(column: number, word: number, value: number): void {
    this.#words[this.#layout.word(column, word)] = value;
  }

  /** @returns behind the last row that was copied */
  #copyIn({ bytes, rowBounds }: RowBatch, rows: Int32Array, from: number, to: number): number {
    const { boundsAt, rowsAt, tileRows } = this.#layout;
    const words = this.#words;
    const start = rowBounds[2 * rows[from]!]!;
    let end = start;
    let word = boundsAt >> 2;
    let index = from;
    for (const last = Math.min(to, from + tileRows); index < last; index++) {
      const rowStart = rowBounds[2 * rows[index]!]!;
      const rowEnd = rowBounds[2 * rows[index]! + 1]!;
      if (rowStart < end || rowEnd - start > TILE_BYTES) break;
      words[word++] = rowStart - start + rowsAt;
      words[word++] = rowEnd - start + rowsAt;
      end = rowEnd;
    }
    this.#memory.set(bytes.subarray(start, end), rowsAt);
    return index;
  }

  /** Copies a row but for its large fields, in whose columns it leaves the row out. */
  #copyLargeIn({ bytes, rowBounds }: RowBatch, row: number, size: number): LargeField[] {
    const { boundsAt, rowsAt } = this.#layout;
    this.#reserve(size);
    this.#words[boundsAt >> 2] = rowsAt;
    const large: LargeField[] = [];
    let p = rowBounds[2 * row]!;
    let at = rowsAt;
    for (let index = 0; index < this.#columns.length; index++) {
      const length = bytes.readInt32BE(p);
      const end = p + 4 + Math.max(0, length);
      if (isLarge(length)) {
        large.push({ index, field: bytes.subarray(p + 4, end) });
        this.#set(index, Word.skipped, 1);
        at = this.#memory.writeInt32BE(-1, at);
      } else at += bytes.copy(this.#memory, at, p, end);
      p = end;
    }
    return large;
  }

  /** Each gets a page of its own. */
  #takeLarge(fields: readonly LargeField[]): boolean {
    for (const { index, field } of fields) {
      const value = largeValue(this.#columns[index]!, field);
      if (value === undefined) return false;
      this.#set(index, Word.skipped, 0);
      if (this.#get(index, Word.rows) > 0) this.#seal(index);
      const valueBytes = 4 + value.length;
      const { crate, at, bytes } = this.#crates.place(valueBytes);
      bytes.writeUInt32LE(value.length, at);
      bytes.set(value, at + 4);
      this.#pages[index]!.push({ crate, at, levelBytes: 0, valueBytes, rowCount: 1, valueCount: 1 });
      const { scratchAt } = this.#layout;
      value.copy(this.#memory, scratchAt, 0, 64);
      this.#exports.boundLarge(index, scratchAt, value.length);
    }
    return true;
  }

  #fill(count: number): boolean {
    const { boundsAt } = this.#layout;
    const exports = this.#exports;
    exports.locate(boundsAt, count);
    exports.sample(count);
    for (let index = 0; ; ) {
      index = exports.fillColumns(index, count);
      const stop = exports.stop();
      if (stop !== Stop.pageFull) return stop === Stop.done;
      this.#seal(index);
    }
  }

  #seal(index: number): void {
    const [rowCount, valueCount] = [this.#get(index, Word.rows), this.#get(index, Word.valueCount)];
    const [levels, values] = [this.#get(index, Word.levels), this.#get(index, Word.values)];
    const levelBytes = valueCount > 0 && valueCount < rowCount ? (rowCount + 7) >> 3 : 0;
    const valueBytes = this.#get(index, Word.at) - values;
    const { crate, at, bytes } = this.#crates.place(levelBytes + valueBytes);
    bytes.set(this.#memory.subarray(levels, levels + levelBytes), at);
    bytes.set(this.#memory.subarray(values, values + valueBytes), at + levelBytes);
    this.#pages[index]!.push({ crate, at, levelBytes, valueBytes, rowCount, valueCount });
    this.#set(index, Word.at, values);
    this.#set(index, Word.rows, 0);
    this.#set(index, Word.valueCount, 0);
  }

  #writeArray(index: number, start: number, end: number, at: number): number {
    if (!isUtf8(this.#memory.subarray(start, end))) return 0;
    const json = ArrayJson.of(this.#columns[index]!.element!);
    return Math.max(0, json.write(this.#memory, start, end, this.#memory, at));
  }
}
