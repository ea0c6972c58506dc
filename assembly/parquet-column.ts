/**
 * What a column holds; the numbers are those of src/encoders/parquet/column-memory.ts, as
 * are the words of the class.
 */
export namespace Kind {
  export const BOOLEAN: u32 = 0;
  export const INT16: u32 = 1;
  export const INT32: u32 = 2;
  export const INT64: u32 = 3;
  export const FLOAT32: u32 = 4;
  export const FLOAT64: u32 = 5;
  export const DECIMAL: u32 = 6;
  export const DATE: u32 = 7;
  export const TIME: u32 = 8;
  export const TIMESTAMP: u32 = 9;
  export const TIMESTAMPTZ: u32 = 10;
  export const UUID: u32 = 11;
  export const BYTES: u32 = 12;
  /** Also JSON. */
  export const TEXT: u32 = 13;
  export const ARRAY: u32 = 14;
}

/** Rows of a page at most. */
export const PAGE_ROWS: u32 = 65_536;
/** Bytes of a least or greatest value that are kept. */
const BOUND_BYTES: u32 = 64;

// @ts-ignore: decorator
@unmanaged
export class ParquetColumn {
  kind: u32;
  /** Bytes of a stored value; 0 where values have lengths of their own. */
  width: u32;
  precision: u32;
  scale: u32;
  /** Not 0: the rows that are being filled in get no value here. */
  skipped: u32;

  // The page.
  /**
   * A bit for each row, lowest first: whether it has a value. Written where a row of the
   * page has none.
   */
  levels: usize;
  values: usize;
  /** Behind the last value. */
  at: usize;
  /** A page that reaches this is full. */
  limit: usize;
  rows: u32;
  valueCount: u32;

  // The row group.
  nullCount: u32;
  /** Whether a float is NaN, which has no place between a least and a greatest value. */
  hasNaN: u32;
  /** Whether there is a least and a greatest value yet. */
  hasBounds: u32;
  leastLength: u32;
  mostLength: u32;
  /** Whether a value that begins like it goes on behind what is kept. */
  leastCut: u32;
  mostCut: u32;
  /** Bytes of values of any length. */
  dataBytes: u32;
  padding: u32;
  least: u64;
  leastHigh: u64;
  leastRest: v128;
  leastRest2: v128;
  leastRest3: v128;
  most: u64;
  mostHigh: u64;
  mostRest: v128;
  mostRest2: v128;
  mostRest3: v128;

  /** Says of `count` further rows which have a value. */
  appendLevels(lengths: usize, count: u32): void {
    const nulls = nullsOf(lengths, count);
    const before = this.rows;
    const hadNulls = this.valueCount < before;
    this.rows = before + count;
    this.valueCount += count - nulls;
    this.nullCount += nulls;
    if (nulls == 0 && !hadNulls) return;
    const levels = this.levels;
    if (!hadNulls) memory.fill(levels, 0xff, (before >> 3) + 1);
    let at = levels + (before >> 3);
    let filled = before & 7;
    let bits = <u64>load<u8>(at) & ((1 << filled) - 1);
    for (let row: u32 = 0; row < count; row += 4, lengths += 16) {
      const left = count - row;
      let four = ~<u32>i32x4.bitmask(v128.load(lengths)) & 15;
      if (left < 4) four &= (1 << left) - 1;
      bits |= <u64>four << filled;
      filled += min<u32>(left, 4);
      if (filled >= 32) {
        store<u32>(at, <u32>bits);
        bits >>= 32;
        filled -= 32;
        at += 4;
      }
    }
    store<u64>(at, bits);
  }

  /** A value of any length that is in its place, behind room for its length. */
  // @ts-ignore: decorator
  @inline
  takeBytes(start: usize, length: u32): void {
    store<u32>(start - 4, length);
    this.at = start + length;
    this.dataBytes += length;
    this.boundBytes(start, length);
  }

  // @ts-ignore: decorator
  @inline
  boundBytes(start: usize, length: u32): void {
    if (!this.hasBounds) {
      this.hasBounds = 1;
      this.keepLeast(start, length);
      this.keepMost(start, length);
      return;
    }
    const first = v128.load(start);
    const least = changetype<usize>(this) + offsetof<ParquetColumn>('least');
    if (order(start, first, length, least, this.leastLength) < 0) this.keepLeast(start, length);
    const most = changetype<usize>(this) + offsetof<ParquetColumn>('most');
    if (order(start, first, length, most, this.mostLength) > 0) this.keepMost(start, length);
  }

  keepLeast(start: usize, length: u32): void {
    copyBound(changetype<usize>(this) + offsetof<ParquetColumn>('least'), start);
    this.leastLength = min(length, BOUND_BYTES);
    this.leastCut = <u32>(length > BOUND_BYTES);
  }

  keepMost(start: usize, length: u32): void {
    copyBound(changetype<usize>(this) + offsetof<ParquetColumn>('most'), start);
    this.mostLength = min(length, BOUND_BYTES);
    this.mostCut = <u32>(length > BOUND_BYTES);
  }

  // @ts-ignore: decorator
  @inline
  boundInteger(least: i64, most: i64): void {
    if (!this.hasBounds || least < <i64>this.least) this.least = <u64>least;
    if (!this.hasBounds || most > <i64>this.most) this.most = <u64>most;
    this.hasBounds = 1;
  }
}

/** All that may be kept; what is behind the value does not matter. */
// @ts-ignore: decorator
@inline
function copyBound(to: usize, from: usize): void {
  v128.store(to, v128.load(from));
  v128.store(to, v128.load(from, 16), 16);
  v128.store(to, v128.load(from, 32), 32);
  v128.store(to, v128.load(from, 48), 48);
}

function nullsOf(lengths: usize, count: u32): u32 {
  let sums = i32x4.splat(0);
  let row: u32 = 0;
  for (; row + 4 <= count; row += 4, lengths += 16)
    sums = i32x4.add(sums, i32x4.shr_u(v128.load(lengths), 31));
  let nulls =
    i32x4.extract_lane(sums, 0) +
    i32x4.extract_lane(sums, 1) +
    i32x4.extract_lane(sums, 2) +
    i32x4.extract_lane(sums, 3);
  for (; row < count; row++, lengths += 4) nulls += load<u32>(lengths) >> 31;
  return nulls;
}

/**
 * The order of bytes and a bound, of which `boundLength` are kept: that of unsigned
 * bytes.
 * @param first the first 16 from `start` on
 */
// @ts-ignore: decorator
@inline
function order(start: usize, first: v128, length: u32, bound: usize, boundLength: u32): i32 {
  const different = <u32>i8x16.bitmask(i8x16.ne(first, v128.load(bound)));
  const shared = min(length, boundLength);
  const place = <u32>ctz(different | 0x10000);
  if (place < shared && place < 16) return <i32>load<u8>(start + place) - <i32>load<u8>(bound + place);
  return shared <= 16 ? <i32>(length - boundLength) : orderBeyond(start, length, bound, boundLength);
}

function orderBeyond(start: usize, length: u32, bound: usize, boundLength: u32): i32 {
  const shared = min(length, boundLength);
  let p: u32 = 16;
  for (; p + 8 <= shared; p += 8) if (load<u64>(start + p) != load<u64>(bound + p)) break;
  for (; p < shared; p++) {
    const difference = <i32>load<u8>(start + p) - <i32>load<u8>(bound + p);
    if (difference) return difference;
  }
  return <i32>(length - boundLength);
}
