import { notUtf8Hint, SluiceError } from '../../errors.ts';
import type { Column } from '../../row-batch.ts';

/** @param row counts from 1, in the file that is being written */
export function notUtf8(format: string, { name }: Column, row: number): SluiceError {
  return new SluiceError(
    'VALUE_NOT_EXPRESSIBLE',
    `column "${name}" holds bytes that are not UTF-8 in row ${row} of its file, and ${format} is UTF-8`,
    { stage: 'encoding', hint: notUtf8Hint(`"${name}"`) },
  );
}
