import { SluiceError } from '../errors.ts';
import type { Column } from '../row-batch.ts';

/** Whether `bytes[start] … bytes[end - 1]` is UTF-8 (RFC 3629). Node's own check needs an object per call. */
// hot: bench/row-path, for fields with a byte beyond ASCII. Invariant: nothing at `end` or behind it decides.
export function isUtf8Between(bytes: Uint8Array, start: number, end: number): boolean {
  let p = start;
  while (p < end) {
    const lead = bytes[p++]!;
    if (lead < 0x80) continue;
    if (lead < 0xc2 || lead > 0xf4) return false;
    const more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    if (p + more > end) return false;
    const next = bytes[p]!;
    // The second byte says whether the form is the shortest, no surrogate, and not beyond U+10FFFF.
    const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    if (next < low || next > high) return false;
    if (more > 1 && (bytes[p + 1]! & 0xc0) !== 0x80) return false;
    if (more > 2 && (bytes[p + 2]! & 0xc0) !== 0x80) return false;
    p += more;
  }
  return true;
}

/** @param row counts from 1, in the file that is being written */
export function notUtf8(format: string, { name }: Column, row: number): SluiceError {
  return new SluiceError(
    'VALUE_NOT_EXPRESSIBLE',
    `column "${name}" holds bytes that are not UTF-8 in row ${row} of its file, and ${format} is UTF-8`,
    {
      stage: 'encoding',
      hint: 'convert the column in the model, with convert_from for one, or leave it out of the mapping',
    },
  );
}
