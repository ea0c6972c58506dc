import { isUtf8 } from 'node:buffer';
import { notUtf8Hint, SluiceError } from '../../errors.ts';
import type { Column, RowBatch } from '../../row-batch.ts';

/**
 * @param row counts from 1, in the file that is being written
 * @param otherwise another way out than to convert the column
 */
export function notUtf8(format: string, { name }: Column, row: number, otherwise = ''): SluiceError {
  return new SluiceError(
    'VALUE_NOT_EXPRESSIBLE',
    `column "${name}" holds bytes that are not UTF-8 in row ${row} of its file, and ${format} is UTF-8`,
    { stage: 'encoding', hint: notUtf8Hint(`"${name}"`) + otherwise },
  );
}

/** The first column of a row whose bytes no text of JavaScript can hold. */
export function columnNotUtf8(batch: RowBatch, row: number, columns: readonly Column[]): Column | undefined {
  let at = batch.rowBounds[2 * row]!;
  return columns.find(() => {
    const length = Math.max(0, batch.bytes.readInt32BE(at));
    const start = at + 4;
    at = start + length;
    return !isUtf8(batch.bytes.subarray(start, at));
  });
}
