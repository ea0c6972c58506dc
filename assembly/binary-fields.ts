/**
 * Rows in which some fields are in PostgreSQL's binary form, with the text of those
 * fields in their place. Compiled to WebAssembly by `npm run assembly`;
 * src/sources/postgres/values/ calls it. Up to 15 bytes behind a value are read, and up
 * to 32 bytes behind a position are written.
 */
import { copyBytes } from './copy';
import { writeDate, writeTime, writeTimestamp, writeZone } from './date-text';
import { writeHex } from './hex-text';
import { writeInterval } from './interval-text';
import { writeMoney } from './number-text';

/** The form in which a field comes, and what its text is. */
export namespace Way {
  /** The text itself. */
  export const COPY: u32 = 0;
  export const DATE: u32 = 1;
  export const TIME: u32 = 2;
  export const TIMETZ: u32 = 3;
  export const TIMESTAMP: u32 = 4;
  /** In UTC. */
  export const TIMESTAMPTZ: u32 = 5;
  /** The parameter says whether the server's intervals can be infinite. */
  export const INTERVAL: u32 = 6;
  export const BYTEA: u32 = 7;
  /** The parameter is the number of digits behind the point. */
  export const MONEY: u32 = 8;
  /** Left to the caller. */
  export const CALL: u32 = 9;
}

/** Why `convertRows` ended. */
export namespace Stop {
  export const DONE: u32 = 0;
  /** The next row needs more memory than is left. */
  export const NO_MEMORY: u32 = 1;
  /** A field of the next row has another length than its type. */
  export const MALFORMED: u32 = 2;
}

// @ts-ignore: decorator
@unmanaged
export class Conversion {
  /** A way and its parameter for each field up to the last that is not copied. */
  fields: usize;
  fieldsEnd: usize;
  /**
   * Room that a row takes at most, but for what the caller writes: `perByte` for each
   * byte, and `perRow`.
   */
  perByte: u32;
  perRow: u32;

  // What `convertRows` says beside the number of rows.
  end: usize;
  stop: u32;
  malformedField: u32;
}

/**
 * Writes the text of a value that is left to the caller, up to `limit` at most; returns
 * the position behind it, or 0 where there is too little room.
 */
// @ts-ignore: decorator
@external("caller", "writeValue")
declare function writeByCaller(field: u32, start: usize, end: usize, at: usize, limit: usize): usize;

/** A value of this length only; 0 where the length says nothing. */
function lengthOf(way: u32): u32 {
  if (way == Way.DATE) return 4;
  if (way == Way.TIMETZ) return 12;
  if (way == Way.INTERVAL) return 16;
  return way == Way.BYTEA || way == Way.CALL ? 0 : 8;
}

/** The text of a value that is not left to the caller; returns the position behind it. */
export function writeValue(way: u32, parameter: u32, start: usize, end: usize, at: usize): usize {
  switch (way) {
    case Way.DATE:
      return writeDate(<i32>bswap(load<u32>(start)), at);
    case Way.TIME:
      return writeTime(<i64>bswap(load<u64>(start)), at);
    case Way.TIMETZ:
      return writeZone(<i32>bswap(load<u32>(start, 8)), writeTime(<i64>bswap(load<u64>(start)), at));
    case Way.TIMESTAMP:
      return writeTimestamp(<i64>bswap(load<u64>(start)), false, at);
    case Way.TIMESTAMPTZ:
      return writeTimestamp(<i64>bswap(load<u64>(start)), true, at);
    case Way.INTERVAL:
      return writeInterval(start, parameter != 0, at);
    case Way.MONEY:
      return writeMoney(<i64>bswap(load<u64>(start)), parameter, at);
    default:
      return writeHex(start, end, at);
  }
}

/**
 * Writes rows from `output` on, as many as fit, each whole or not at all.
 * @param bounds start and end of each row, from `moved` on
 * @param outputBounds start and end of each row that was written, counted from `output`
 * @returns how many rows; `conversion` says where they end, and why not more
 */
export function convertRows(
  conversion: Conversion,
  bounds: usize,
  moved: usize,
  count: u32,
  output: usize,
  outputEnd: usize,
  outputBounds: usize,
): u32 {
  const fields = conversion.fields;
  const fieldsEnd = conversion.fieldsEnd;
  const perByte = conversion.perByte;
  const perRow = conversion.perRow;
  let rowAt = output;
  let row: u32 = 0;
  conversion.stop = Stop.DONE;
  for (; row < count; row++, bounds += 8, outputBounds += 8) {
    let p = moved + <usize>load<u32>(bounds);
    const rowEnd = moved + <usize>load<u32>(bounds, 4);
    if (<u64>(outputEnd - rowAt) < <u64>(rowEnd - p) * perByte + perRow) {
      conversion.stop = Stop.NO_MEMORY;
      break;
    }
    let at = rowAt;
    // What is copied is copied together.
    let copied = p;
    for (let field = fields; field < fieldsEnd; field += 8) {
      const way = load<u32>(field);
      const length = <i32>bswap(load<u32>(p));
      p += 4;
      if (length < 0) continue;
      const end = p + length;
      if (way == Way.COPY) {
        p = end;
        continue;
      }
      const expected = lengthOf(way);
      if (expected != 0 && <u32>length != expected) {
        conversion.stop = Stop.MALFORMED;
        conversion.malformedField = <u32>(field - fields) >> 3;
        break;
      }
      // The length, too, which is overwritten.
      copyBytes(at, copied, <u32>(p - copied));
      at += p - copied;
      const start = at;
      if (way == Way.TIMESTAMPTZ) {
        at = writeTimestamp(<i64>bswap(load<u64>(p)), true, at);
      } else if (way == Way.CALL) {
        const limit = outputEnd - ((rowEnd - end) * perByte + perRow);
        at = writeByCaller(<u32>(field - fields) >> 3, p, end, at, limit);
        if (at == 0) {
          conversion.stop = Stop.NO_MEMORY;
          break;
        }
      } else {
        at = writeValue(way, load<u32>(field, 4), p, end, at);
      }
      store<u32>(start - 4, bswap(<u32>(at - start)));
      p = end;
      copied = end;
    }
    if (conversion.stop != Stop.DONE) break;
    copyBytes(at, copied, <u32>(rowEnd - copied));
    at += rowEnd - copied;
    store<u32>(outputBounds, <u32>(rowAt - output));
    store<u32>(outputBounds, <u32>(at - output), 4);
    rowAt = at;
  }
  conversion.end = rowAt;
  return row;
}
