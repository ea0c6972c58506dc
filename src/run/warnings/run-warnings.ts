import type { ResolvedFormat } from '../../config/activation.ts';
import type { RunWarning } from '../../history/run-record.ts';
import type { HashDiff } from '../../transforms/hash-diff.ts';

/** Null and repeated keys, with the samples that were kept. */
export function keyWarnings({ counts, samples }: HashDiff): RunWarning[] {
  const shown = (problem: 'null' | 'duplicate'): string =>
    samples
      .filter(sample => sample.problem === problem)
      .map(({ key }) => `(${key.map(text => text ?? 'NULL').join(', ')})`)
      .join(' ');
  const { nullKeys, duplicateKeys } = counts;
  const warnings: RunWarning[] = [];
  if (nullKeys > 0) {
    warnings.push({
      code: 'NULL_KEYS',
      message: `${nullKeys === 1 ? '1 row has' : `${nullKeys} rows have`} a null key: ${shown('null')}`,
    });
  }
  if (duplicateKeys > 0) {
    const rows = duplicateKeys === 1 ? '1 row repeats' : `${duplicateKeys} rows repeat`;
    const message = `${rows} a key: ${shown('duplicate')}`;
    warnings.push({ code: 'DUPLICATE_KEYS', message });
  }
  return warnings;
}

/** The storage service does not know how to compare them, as an old one. */
export const CRC64_REFUSED: RunWarning = {
  code: 'CRC64_REFUSED',
  message: 'the storage service takes no CRC64 of a block: blocks were sent with their MD5 instead',
};

const COERCIONS: { readonly [Type in ResolvedFormat['type']]: string } = {
  csv: 'line breaks within fields, or characters that the encoding does not have, were written as the options say',
  json: 'JSON has no number for NaN and the infinities',
  xml: 'XML cannot hold some characters',
  parquet: 'Parquet cannot hold some values',
};

/** What becomes of values by default and by `onUnrepresentable: replace`. */
const REPLACEMENTS: { readonly [Type in ResolvedFormat['type']]?: string } = {
  json: 'which were written as strings',
  xml: 'which were replaced by U+FFFD',
  parquet: 'for which the nearest ones were written, or NULL for a number',
};

/** Values that the format could hold only as something else, by column. */
export function coercionWarnings(
  coerced: ReadonlyMap<string, number>,
  { type, onUnrepresentable }: Pick<ResolvedFormat, 'type' | 'onUnrepresentable'>,
): RunWarning[] {
  if (coerced.size === 0) return [];
  const shown = Array.from(coerced, ([column, count]) => {
    return `${count} ${count === 1 ? 'value' : 'values'} in column "${column}"`;
  });
  const instead =
    onUnrepresentable === 'null' && type !== 'csv' ? 'for which NULL was written' : REPLACEMENTS[type];
  const what = [COERCIONS[type], instead].filter(text => text !== undefined).join(', ');
  return [{ code: 'VALUE_COERCED', message: `${what}: ${shown.join(', ')}` }];
}
