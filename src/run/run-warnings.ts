import type { HashDiff } from '../transforms/hash-diff.ts';
import type { RunWarning } from './run-record.ts';

/** Of null and repeated keys, with the samples that were kept. */
export function keyWarnings({ counts, samples }: HashDiff): RunWarning[] {
  const shown = (problem: 'null' | 'duplicate'): string =>
    samples
      .filter(sample => sample.problem === problem)
      .map(({ key }) => `(${key.map(text => text ?? 'NULL').join(', ')})`)
      .join(' ');
  const { nullKeys, duplicateKeys } = counts;
  const warnings: RunWarning[] = [];
  if (nullKeys > 0) {
    warnings.push({ code: 'NULL_KEYS', message: `${nullKeys} rows have a null key: ${shown('null')}` });
  }
  if (duplicateKeys > 0) {
    const message = `${duplicateKeys} rows repeat a key: ${shown('duplicate')}`;
    warnings.push({ code: 'DUPLICATE_KEYS', message });
  }
  return warnings;
}

/** Of values that the format could hold only as something else, by column. */
export function coercionWarnings(coerced: ReadonlyMap<string, number>): RunWarning[] {
  if (coerced.size === 0) return [];
  const shown = Array.from(coerced, ([column, count]) => `${count} in column "${column}"`).join(', ');
  const message = `values that the format cannot hold were written as it can: ${shown}`;
  return [{ code: 'VALUE_COERCED', message }];
}
