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

const COERCIONS: { readonly [Type in ResolvedFormat['type']]?: string } = {
  json: 'JSON has no number for NaN and the infinities, which were written as strings',
  xml: 'XML cannot hold some characters, which were replaced by U+FFFD',
};

/** Values that the format could hold only as something else, by column. */
export function coercionWarnings(
  coerced: ReadonlyMap<string, number>,
  format: ResolvedFormat['type'],
): RunWarning[] {
  if (coerced.size === 0) return [];
  const shown = Array.from(coerced, ([column, count]) => {
    return `${count} ${count === 1 ? 'value' : 'values'} in column "${column}"`;
  });
  const what = COERCIONS[format] ?? `${format} cannot hold some values, which were written as it can`;
  return [{ code: 'VALUE_COERCED', message: `${what}: ${shown.join(', ')}` }];
}
