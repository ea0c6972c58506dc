import { isUtf8 } from 'node:buffer';
import { ArrayJson } from './array-json.ts';
import type { ColumnBuffer } from './column-buffer.ts';
import { HEX } from './hex.ts';

const BACKSLASH = 0x5c;
const LOWER_X = 0x78;
/** Up to here copying word by word is faster than a call. */
const SHORT = 192;

/** Texts as they are. */
export function fillText(
  to: ColumnBuffer,
  row: number,
  bytes: Buffer,
  starts: Int32Array,
  lengths: Int32Array,
  from: number,
  count: number,
): number {
  to.reserveData(totalLength(lengths, from, count));
  const { data, offsets } = to;
  const source = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const target = new DataView(data.buffer, data.byteOffset, data.length);
  const first = to.dataBytes;
  let at = first;
  // Whether a text begins in the middle of a character, which the preceding one would then have begun.
  let split = 0;
  for (let k = from; k < from + count; k++, row++) {
    const length = lengths[k]!;
    if (length < 0) to.setNull(row);
    else if (length > 0) {
      let p = starts[k]!;
      const end = p + length;
      split |= (bytes[p]! & 0xc0) === 0x80 ? 1 : 0;
      if (length <= SHORT) {
        for (; p + 4 <= end; p += 4, at += 4) target.setInt32(at, source.getInt32(p, true), true);
        while (p < end) data[at++] = bytes[p++]!;
      } else at += bytes.copy(data, at, p, end);
    }
    offsets[row + 1] = at;
  }
  to.dataBytes = at;
  if (split === 0 && isUtf8(data.subarray(first, at))) return -1;
  for (let k = from; k < from + count; k++) {
    const start = starts[k]!;
    if (lengths[k]! > 0 && !isUtf8(bytes.subarray(start, start + lengths[k]!))) return k;
  }
  return -1;
}

/** `\x…` decoded. */
export function fillBytes(
  to: ColumnBuffer,
  row: number,
  bytes: Buffer,
  starts: Int32Array,
  lengths: Int32Array,
  from: number,
  count: number,
): number {
  to.reserveData(totalLength(lengths, from, count) >> 1);
  const { data, offsets } = to;
  let target = to.dataBytes;
  for (let k = from; k < from + count; k++, row++) {
    const length = lengths[k]!;
    if (length < 0) to.setNull(row);
    else {
      let p = starts[k]!;
      const end = p + length;
      if (length % 2 !== 0 || bytes[p] !== BACKSLASH || bytes[p + 1] !== LOWER_X) return k;
      let bad = 0;
      for (p += 2; p < end; p += 2) {
        const value = (HEX[bytes[p]!]! << 4) | HEX[bytes[p + 1]!]!;
        bad |= value;
        data[target++] = value;
      }
      if (bad < 0) return k;
    }
    offsets[row + 1] = target;
  }
  to.dataBytes = target;
  return -1;
}

/** PostgreSQL's `{…}` as JSON. */
export function fillArray(
  to: ColumnBuffer,
  row: number,
  bytes: Buffer,
  starts: Int32Array,
  lengths: Int32Array,
  from: number,
  count: number,
): number {
  const json = ArrayJson.of(to.column.element!);
  for (let k = from; k < from + count; k++, row++) {
    const length = lengths[k]!;
    if (length < 0) to.setNull(row);
    else {
      const start = starts[k]!;
      if (!isUtf8(bytes.subarray(start, start + length))) return k;
      to.reserveData(ArrayJson.bytesBound(length));
      const end = json.write(bytes, start, start + length, to.data, to.dataBytes);
      if (end < 0) return k;
      to.dataBytes = end;
    }
    to.offsets[row + 1] = to.dataBytes;
  }
  return -1;
}

function totalLength(lengths: Int32Array, from: number, count: number): number {
  let total = 0;
  for (let k = from; k < from + count; k++) if (lengths[k]! > 0) total += lengths[k]!;
  return total;
}
