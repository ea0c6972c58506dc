import { physicalWidth } from '../file/parquet-schema.ts';
import type { ParquetColumn, ParquetKind } from '../parquet-column.ts';

/**
 * Where assembly/parquet-columns.ts finds and leaves what it works on, in one WebAssembly
 * memory.
 */

/** The numbers of assembly/parquet-column.ts. */
const KINDS: Readonly<Record<ParquetKind, number>> = {
  boolean: 0,
  int16: 1,
  int32: 2,
  int64: 3,
  float32: 4,
  float64: 5,
  decimal: 6,
  date: 7,
  time: 8,
  timestamp: 9,
  timestamptz: 10,
  uuid: 11,
  bytes: 12,
  text: 13,
  json: 13,
  array: 14,
};

/** Words of a column, there and here. */
export const Word = {
  kind: 0,
  width: 1,
  precision: 2,
  scale: 3,
  skipped: 4,
  levels: 5,
  values: 6,
  at: 7,
  limit: 8,
  rows: 9,
  valueCount: 10,
  nullCount: 11,
  hasNaN: 12,
  hasBounds: 13,
  leastLength: 14,
  mostLength: 15,
  leastCut: 16,
  mostCut: 17,
  dataBytes: 18,
  least: 20,
  most: 36,
} as const;
const COLUMN_WORDS = 52;

/**
 * Rows of that many bytes are handed over at a time: they and what they become stay in
 * the nearest caches.
 */
export const TILE_BYTES = 64 * 1024;
const TILE_FIELDS = 64 * 1024;
const MAX_TILE_ROWS = 1024;
const MIN_TILE_ROWS = 16;
/**
 * So that columns do not lie a power of two apart, where they would share few places of
 * the processor's cache.
 */
const STRIDE_ROWS = 16;
/** Rows of a page at most, and bytes that make it full: fewer where columns are many. */
const PAGE_ROWS = 64 * 1024;
const PAGE_BYTES = 256 * 1024;
const MIN_PAGE_BYTES = 32 * 1024;
const PAGES_BYTES = 16 * 1024 * 1024;
/** What an array may become as JSON, byte for byte. */
const ARRAY_EXPANSION = 6;
const SAMPLE_WORDS = 2048;
const SAMPLE_SLOTS_BYTES = 32 * 1024;
/** Read or written behind what is told. */
const SLACK_BYTES = 64;
/** As much of a large value as a least or greatest value keeps. */
const SCRATCH_BYTES = 64;

export class ColumnMemory {
  readonly columnsAt: number;
  readonly samplesAt: number;
  readonly startsAt: number;
  readonly lengthsAt: number;
  readonly boundsAt: number;
  readonly scratchAt: number;
  /** The last: what it holds may be as long as a row. */
  readonly rowsAt: number;
  readonly tileRows: number;
  /** From the fields of one column to those of the next. */
  readonly stride: number;
  readonly #places: readonly { readonly levels: number; readonly values: number }[];
  readonly #columns: readonly ParquetColumn[];
  readonly #pageBytes: number;

  constructor(columns: readonly ParquetColumn[], from: number) {
    this.#columns = columns;
    const count = columns.length;
    this.tileRows = Math.min(MAX_TILE_ROWS, Math.max(MIN_TILE_ROWS, Math.floor(TILE_FIELDS / count / 4) * 4));
    this.stride = this.tileRows + STRIDE_ROWS;
    this.#pageBytes = Math.min(PAGE_BYTES, Math.max(MIN_PAGE_BYTES, Math.floor(PAGES_BYTES / count)));
    let end = from;
    const take = (bytes: number): number => {
      const at = Math.ceil(end / SLACK_BYTES) * SLACK_BYTES;
      end = at + bytes;
      return at;
    };
    this.columnsAt = take(4 * COLUMN_WORDS * count);
    this.samplesAt = take(SAMPLE_SLOTS_BYTES + 4 * SAMPLE_WORDS * count);
    this.startsAt = take(4 * this.stride * count);
    this.lengthsAt = take(4 * this.stride * count + SLACK_BYTES);
    this.boundsAt = take(8 * this.tileRows);
    this.scratchAt = take(SCRATCH_BYTES + SLACK_BYTES);
    this.#places = columns.map(column => ({
      levels: take(PAGE_ROWS / 8 + SLACK_BYTES),
      values: take(this.#pageBytes + this.#tileBytes(column) + SLACK_BYTES),
    }));
    this.rowsAt = take(0);
  }

  /** Bytes of values that a column gets of one tile at most. */
  #tileBytes({ kind }: ParquetColumn): number {
    return kind === 'array' ? ARRAY_EXPANSION * TILE_BYTES : TILE_BYTES;
  }

  /** Writes the columns, empty. */
  initialize(words: Int32Array): void {
    this.#columns.forEach((column, index) => {
      const at = this.word(index, 0);
      const { levels, values } = this.#places[index]!;
      words.fill(0, at, at + COLUMN_WORDS);
      words[at + Word.kind] = KINDS[column.kind];
      words[at + Word.width] = physicalWidth(column);
      words[at + Word.precision] = column.precision;
      words[at + Word.scale] = column.scale;
      words[at + Word.levels] = levels;
      words[at + Word.values] = values;
      words[at + Word.at] = values;
      words[at + Word.limit] = values + this.#pageBytes;
    });
  }

  word(column: number, word: number): number {
    return this.columnsAt / 4 + column * COLUMN_WORDS + word;
  }
}
