import type { ColumnBuffer } from './column-buffer.ts';
import { HEX } from './hex.ts';

const MINUS = 0x2d;
const UUID_BYTES = 16;

export function fillUuid(
  to: ColumnBuffer,
  row: number,
  bytes: Buffer,
  starts: Int32Array,
  lengths: Int32Array,
  from: number,
  count: number,
): number {
  const { octets } = to;
  for (let k = from; k < from + count; k++, row++) {
    if (lengths[k]! < 0) {
      to.setNull(row);
      continue;
    }
    let p = starts[k]!;
    const end = p + lengths[k]!;
    let target = row * UUID_BYTES;
    const last = target + UUID_BYTES;
    while (p < end) {
      if (bytes[p] === MINUS) {
        p++;
        continue;
      }
      const value = (HEX[bytes[p]!]! << 4) | HEX[bytes[p + 1]!]!;
      if (value < 0 || target === last || p + 1 === end) return k;
      octets[target++] = value;
      p += 2;
    }
    if (target !== last) return k;
  }
  return -1;
}
