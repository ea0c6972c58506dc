import type { RowBatch } from '../../row-batch.ts';
import { lazyModule } from '../../wasm-module.ts';
import type { OutputBuffer, RowPlaces } from '../encoder.ts';
import {
  END_WORD,
  FIELD_WORDS,
  FORM_AT,
  type LaidOutForm,
  REFUSED_FIELD_WORD,
  ROW_BYTES_WORD,
  type RowBound,
  STOP_WORD,
} from './row-form.ts';
import { ROW_WRITER_CODE } from './row-writer-code.ts';

/** Why rows were not all written; the numbers are those of assembly/row-form.ts. */
const Stop = { done: 0, noMemory: 1, noRoom: 2, notUtf8: 3 } as const;

/**
 * Rows of that many bytes are handed over at a time: they and what they become stay in
 * the nearest caches.
 */
const CHUNK_BYTES = 64 * 1024;
const CHUNK_ROWS = 1024;
const OUTPUT_BYTES = 256 * 1024;
/**
 * A row that takes more gets a memory of its own, which is given back: WebAssembly's
 * memory does not shrink.
 */
const KEPT_BYTES = 32 * 1024 * 1024;
const PAGE_BYTES = 64 * 1024;
const WORD_BYTES = 8;
/** Up to 16 bytes are read behind a value. */
const READ_AHEAD_BYTES = 16;
const MOST_ROOM_BYTES = 2 ** 32 - 1;
const FORM_WORD = FORM_AT / 4;

/** Whose rows are written. */
export interface RowWriting {
  readonly form: LaidOutForm;
  /**
   * Writes a value that the form leaves to the encoder, from `at` on; returns the
   * position behind it.
   */
  writeValue(field: number, memory: Buffer, start: number, end: number, at: number): number;
  /**
   * Called for a field that is not UTF-8. @param rowsWritten rows that were written
   * before, in the same call
   */
  refuse(field: number, rowsWritten: number): never;
}

export interface Rows {
  readonly batch: RowBatch;
  /** Which of its rows, from `rows[from]` to `rows[to - 1]`. */
  readonly rows: Int32Array;
  readonly from: number;
  readonly to: number;
  /** Whether the first of them is the first of its file. */
  readonly isFirst: boolean;
}

interface Exports {
  readonly memory: WebAssembly.Memory;
  /** assembly/row-writer.ts. Addresses and counts come back signed. */
  writeRows(
    form: number,
    bounds: number,
    count: number,
    isFirst: boolean,
    output: number,
    outputEnd: number,
    room: number,
  ): number;
}

const writerModule = lazyModule(ROW_WRITER_CODE);

/**
 * The hot loop of the text formats, in WebAssembly: rows are copied into its memory,
 * written there, and what they became is copied out. The memory holds a form, bounds of
 * rows, rows, and what they become, one behind the other.
 */
export class RowWriter {
  /** Bytes of the row that did not fit last. */
  #rowBytes = 0;
  readonly #keptBytes: number;
  readonly #exports: Exports;
  #memory: Buffer;
  #words: Int32Array;
  #current: RowWriting | undefined;
  /** Rows that are larger are handed over one at a time. */
  #chunkRowBytes = 0;
  #boundsAt = 0;
  #rowsAt = 0;
  #outputAt = 0;
  #outputEnd = 0;

  constructor(keptBytes = KEPT_BYTES) {
    this.#keptBytes = keptBytes;
    const writeValue = (field: number, start: number, end: number, at: number): number =>
      this.#current!.writeValue(field, this.#memory, start >>> 0, end >>> 0, at >>> 0);
    const { exports } = new WebAssembly.Instance(writerModule(), { caller: { writeValue } });
    this.#exports = exports as unknown as Exports;
    this.#memory = Buffer.from(this.#exports.memory.buffer);
    this.#words = new Int32Array(this.#exports.memory.buffer);
  }

  /**
   * Writes rows behind `out.position`, as many as fit.
   * @param start the first to write, where those before are written
   * @returns the index in `rows` of the first that did not fit, or `to`
   */
  // hot: bench/encoders. Invariant: the rows before `index` are written, those before
  // `chunkEnd` are in the memory.
  write(writing: RowWriting, taken: Rows, out: OutputBuffer, start = taken.from): number {
    this.#load(writing);
    const { from, to, isFirst } = taken;
    let index = start;
    while (index < to) {
      if (this.#isTooLarge(taken, index)) {
        if (!this.#writeApart(writing, taken, index, out)) break;
        index++;
        continue;
      }
      const chunk = index;
      const chunkEnd = this.#copyIn(taken, chunk);
      while (index < chunkEnd) {
        const outputAt = this.#outputAt + misalignment(this.#outputAt, out);
        const count = this.#exports.writeRows(
          FORM_AT,
          this.#boundsAt + 8 * (index - chunk),
          chunkEnd - index,
          isFirst && index === from,
          outputAt,
          this.#outputEnd,
          Math.max(0, Math.min(out.limit - out.position, MOST_ROOM_BYTES)),
        );
        if (out.places)
          this.#noteRows(out.places, this.#boundsAt + 8 * (index - chunk), count, outputAt, out.position);
        index += count;
        this.#copyOut(outputAt, out);
        const stop = this.#words[FORM_WORD + STOP_WORD]!;
        if (stop === Stop.noRoom) {
          this.#rowBytes = this.#words[FORM_WORD + ROW_BYTES_WORD]! >>> 0;
          return index;
        }
        if (stop === Stop.notUtf8) writing.refuse(this.#words[FORM_WORD + REFUSED_FIELD_WORD]!, index - from);
      }
    }
    return index;
  }

  /** The bytes that the row takes where it is not the first. */
  rowBytes(writing: RowWriting, batch: RowBatch, row: number): number {
    const nowhere = { bytes: Buffer.alloc(0), position: 0, limit: 0 };
    this.write(writing, { batch, rows: Int32Array.of(row), from: 0, to: 1, isFirst: false }, nowhere);
    return this.#rowBytes;
  }

  /**
   * How many values of each field were written as something else, which only `text` and
   * `number` do.
   */
  coerced({ form }: RowWriting): number[] {
    if (this.#current?.form === form) this.#unload();
    return Array.from({ length: form.fieldCount }, (_, field) =>
      form.bytes.readUInt32LE(4 * (form.coercedWord + field * FIELD_WORDS)),
    );
  }

  #load(writing: RowWriting): void {
    if (this.#current === writing) return;
    this.#unload();
    const { bytes, bound } = writing.form;
    this.#chunkRowBytes = Math.min(CHUNK_BYTES, Math.floor(OUTPUT_BYTES / bound.perByte));
    this.#boundsAt = FORM_AT + bytes.length;
    this.#rowsAt = this.#boundsAt + CHUNK_ROWS * 8;
    this.#makeRoom(bound, 0);
    bytes.copy(this.#memory, FORM_AT);
    this.#current = writing;
  }

  /** The form's counts go with it. */
  #unload(): void {
    const bytes = this.#current?.form.bytes;
    if (bytes) this.#memory.copy(bytes, 0, FORM_AT, FORM_AT + bytes.length);
    this.#current = undefined;
  }

  /** For a chunk, and for a row of its own that is as large. */
  #makeRoom({ perByte, perRow }: RowBound, rowBytes: number): void {
    this.#outputAt = this.#rowsAt + Math.max(CHUNK_BYTES, rowBytes) + READ_AHEAD_BYTES;
    this.#outputEnd = this.#outputAt + Math.max(OUTPUT_BYTES, rowBytes * perByte) + perRow + WORD_BYTES;
    const { memory } = this.#exports;
    const missing = this.#outputEnd - memory.buffer.byteLength;
    if (missing <= 0) return;
    memory.grow(Math.ceil(missing / PAGE_BYTES));
    this.#memory = Buffer.from(memory.buffer);
    this.#words = new Int32Array(memory.buffer);
  }

  #isTooLarge({ batch: { rowBounds }, rows }: Rows, index: number): boolean {
    const row = rows[index]!;
    const bytes = rowBounds[2 * row + 1]! - rowBounds[2 * row]!;
    if (bytes <= this.#chunkRowBytes) return false;
    const { bound } = this.#current!.form;
    if (bytes + bytes * bound.perByte + bound.perRow > this.#keptBytes) return true;
    this.#makeRoom(bound, bytes);
    return false;
  }

  #writeApart(writing: RowWriting, taken: Rows, index: number, out: OutputBuffer): boolean {
    this.#unload();
    const apart = new RowWriter(Infinity);
    const next = apart.write(writing, { ...taken, to: index + 1 }, out, index);
    apart.#unload();
    this.#rowBytes = apart.#rowBytes;
    this.#load(writing);
    return next > index;
  }

  /**
   * @returns behind the last row that was copied; a row that is larger than others may be
   *   is alone
   */
  #copyIn({ batch, rows, to }: Rows, from: number): number {
    const { bytes, rowBounds } = batch;
    const words = this.#words;
    const start = rowBounds[2 * rows[from]!]!;
    let end = rowBounds[2 * rows[from]! + 1]!;
    const moved = this.#rowsAt - start;
    let word = this.#boundsAt >> 2;
    words[word++] = start + moved;
    words[word++] = end + moved;
    const last = Math.min(to, from + CHUNK_ROWS);
    let index = from + 1;
    for (; index < last; index++) {
      const row = rows[index]!;
      const rowStart = rowBounds[2 * row]!;
      const rowEnd = rowBounds[2 * row + 1]!;
      const isNext = rowStart >= end && rowEnd - start <= CHUNK_BYTES;
      if (!isNext || rowEnd - rowStart > this.#chunkRowBytes) break;
      words[word++] = rowStart + moved;
      words[word++] = rowEnd + moved;
      end = rowEnd;
    }
    this.#memory.set(bytes.subarray(start, end), this.#rowsAt);
    return index;
  }

  /** Where rows were written that begin at `from`, and are copied to `to`. */
  #noteRows(places: RowPlaces, boundsAt: number, count: number, from: number, to: number): void {
    const needed = 2 * (places.rowCount + count);
    if (places.rowBounds.length < needed) {
      const larger = new Int32Array(2 * needed);
      larger.set(places.rowBounds);
      places.rowBounds = larger;
    }
    const { rowBounds } = places;
    const words = this.#words;
    const moved = to - from;
    let at = 2 * places.rowCount;
    let start = to;
    for (let word = boundsAt >> 2; at < needed; word += 2) {
      const end = words[word]! + moved;
      rowBounds[at++] = start;
      rowBounds[at++] = end;
      start = end;
    }
    places.rowCount += count;
  }

  #copyOut(from: number, out: OutputBuffer): void {
    const end = this.#words[FORM_WORD + END_WORD]! >>> 0;
    if (end === from) return;
    out.bytes.set(this.#memory.subarray(from, end), out.position);
    out.position += end - from;
  }
}

/**
 * V8 copies into shared memory byte by byte where the places are not equally distant from
 * a multiple of a word.
 */
function misalignment(at: number, { bytes, position }: OutputBuffer): number {
  return (bytes.byteOffset + position - at) & (WORD_BYTES - 1);
}

/** Serves every encoder of the process: it has work for one at a time only. */
export const rowWriter = new RowWriter();
