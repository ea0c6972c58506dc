import { isUtf8 } from 'node:buffer';
import { ArrayJson } from '../../array-json.ts';
import type { ParquetColumn } from '../parquet-column.ts';
import { HEX } from './hex.ts';

/**
 * Fields that are larger do not go through the memory in which the others are converted.
 */
const LARGE_BYTES = 64 * 1024;
const BACKSLASH = 0x5c;
const LOWER_X = 0x78;

export function isLarge(bytes: number): boolean {
  return bytes > LARGE_BYTES;
}

/** What a large field is in the file; `undefined` where the column cannot hold it. */
export function largeValue({ kind, element }: ParquetColumn, field: Buffer): Buffer | undefined {
  switch (kind) {
    case 'text':
    case 'json':
      return isUtf8(field) ? field : undefined;
    case 'array': {
      if (!isUtf8(field)) return undefined;
      const text = Buffer.allocUnsafeSlow(ArrayJson.bytesBound(field.length));
      const end = ArrayJson.of(element!).write(field, 0, field.length, text, 0);
      return end < 0 ? undefined : text.subarray(0, end);
    }
    case 'bytes':
      return decoded(field);
    default:
      // No number and no instant is so long.
      return undefined;
  }
}

/** `\x…` decoded. */
function decoded(field: Buffer): Buffer | undefined {
  if (field.length % 2 !== 0 || field[0] !== BACKSLASH || field[1] !== LOWER_X) return undefined;
  const bytes = Buffer.allocUnsafeSlow((field.length - 2) / 2);
  let bad = 0;
  for (let p = 2, at = 0; p < field.length; p += 2, at++) {
    const value = (HEX[field[p]!]! << 4) | HEX[field[p + 1]!]!;
    bad |= value;
    bytes[at] = value;
  }
  return bad < 0 ? undefined : bytes;
}
