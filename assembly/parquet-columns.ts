/**
 * Columns of a Parquet file, filled from rows as the database sends them: values in
 * Parquet's plain encoding, page by page, with what the file says of them. Compiled to
 * WebAssembly by `npm run assembly`; src/encoders/parquet/ calls it. Up to 32 bytes are
 * read behind a value, and up to 32 bytes behind a position are written.
 */
import { fillBytes, fillText, fillUuid } from './parquet-bytes';
import { Kind, PAGE_ROWS, ParquetColumn } from './parquet-column';
import { fillDates, fillTimes, fillTimestamps } from './parquet-instants';
import { fillBooleans, fillDecimals, fillFloats, fillIntegers } from './parquet-numbers';
import { sampleFields } from './parquet-samples';

export { distinctSamples, sampleCount, resetSamples } from './parquet-samples';

/** Why `fillColumns` ended before the last column. */
namespace Stop {
  export const DONE: u32 = 0;
  /** The page of the column has to be taken away first. */
  export const PAGE_FULL: u32 = 1;
  /** The column cannot hold one of the values. */
  export const REFUSED: u32 = 2;
}

let stopped: u32 = Stop.DONE;

export function stop(): u32 {
  return stopped;
}

export function heapBase(): usize {
  return __heap_base;
}

/**
 * Writes an array as JSON to `at`; returns the position behind it, or 0 where it is none.
 * The column is counted from 0.
 */
// @ts-ignore: decorator
@external("caller", "writeArray")
declare function writeArray(column: u32, start: usize, end: usize, at: usize): usize;

let columns: usize = 0;
let columnCount: u32 = 0;
let starts: usize = 0;
let lengths: usize = 0;
/** Fields of a column that can be located at one time; a multiple of 4. */
let stride: u32 = 0;

export function layOut(at: usize, count: u32, startsAt: usize, lengthsAt: usize, rows: u32): void {
  columns = at;
  columnCount = count;
  starts = startsAt;
  lengths = lengthsAt;
  stride = rows;
}

/**
 * Finds the fields of `count` rows, `stride` at most.
 * @param bounds start and end of each row
 */
export function locate(bounds: usize, count: u32): void {
  const step = <usize>stride << 2;
  const startsEnd = starts + step * columnCount;
  const between = lengths - starts;
  for (let row: u32 = 0; row < count; row++) {
    let p = <usize>load<u32>(bounds + (<usize>row << 3));
    for (let at = starts + (<usize>row << 2); at < startsEnd; at += step) {
      const length = <i32>bswap(load<u32>(p));
      p += 4;
      store<u32>(at, <u32>p);
      store<i32>(at + between, length);
      p += <usize>max(length, 0);
    }
  }
}

/** Takes a few of the located fields for the question whether values repeat. */
export function sample(count: u32): void {
  sampleFields(starts, lengths, stride, columnCount, count);
}

/**
 * Appends the fields of the located rows to the columns from `first` on.
 * @returns the column before which it stopped; the number of columns where it did not
 */
export function fillColumns(first: u32, count: u32): u32 {
  stopped = Stop.DONE;
  for (let index = first; index < columnCount; index++) {
    const column = changetype<ParquetColumn>(columns + <usize>index * offsetof<ParquetColumn>());
    if (column.skipped) continue;
    if (column.at >= column.limit || column.rows + count > PAGE_ROWS) {
      stopped = Stop.PAGE_FULL;
      return index;
    }
    const place = (<usize>index * stride) << 2;
    if (!fill(column, index, starts + place, lengths + place, count)) {
      stopped = Stop.REFUSED;
      return index;
    }
  }
  return columnCount;
}

function fill(column: ParquetColumn, index: u32, starts: usize, lengths: usize, count: u32): bool {
  column.appendLevels(lengths, count);
  switch (column.kind) {
    case Kind.BOOLEAN:
      return fillBooleans(column, starts, lengths, count);
    case Kind.INT16:
    case Kind.INT32:
    case Kind.INT64:
      return fillIntegers(column, starts, lengths, count);
    case Kind.FLOAT32:
    case Kind.FLOAT64:
      return fillFloats(column, starts, lengths, count);
    case Kind.DECIMAL:
      return fillDecimals(column, starts, lengths, count);
    case Kind.DATE:
      return fillDates(column, starts, lengths, count);
    case Kind.TIME:
      return fillTimes(column, starts, lengths, count);
    case Kind.TIMESTAMP:
    case Kind.TIMESTAMPTZ:
      return fillTimestamps(column, starts, lengths, count);
    case Kind.UUID:
      return fillUuid(column, starts, lengths, count);
    case Kind.BYTES:
      return fillBytes(column, starts, lengths, count);
    case Kind.TEXT:
      return fillText(column, starts, lengths, count);
    default:
      return fillArrays(column, index, starts, lengths, count);
  }
}

function fillArrays(column: ParquetColumn, index: u32, starts: usize, lengths: usize, count: u32): bool {
  for (let row: u32 = 0; row < count; row++) {
    const length = load<i32>(lengths + (<usize>row << 2));
    if (length < 0) continue;
    const start = <usize>load<u32>(starts + (<usize>row << 2));
    const at = column.at + 4;
    const end = writeArray(index, start, start + length, at);
    if (end == 0) return false;
    column.takeBytes(at, <u32>(end - at));
  }
  return true;
}

/**
 * A value that is too large for the memory here: the page that holds it is made by the
 * caller.
 */
export function boundLarge(index: u32, start: usize, length: u32): void {
  const column = changetype<ParquetColumn>(columns + <usize>index * offsetof<ParquetColumn>());
  column.dataBytes += length;
  column.boundBytes(start, length);
}
