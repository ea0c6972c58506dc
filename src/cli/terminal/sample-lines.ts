import type { ChangeSample, SampledRow } from '../../transforms/change-sampler.ts';
import { formatCount } from './quantities.ts';
import { cutToWidth } from './table.ts';
import { escaped, type Terminal } from './terminal.ts';

/** For display only; `--json` has every value as it was sampled. */
const MAX_VALUE_COLUMNS = 40;

/** Rows of each change, one a line. `counts` says how many there are in all. */
export function sampleLines(
  sample: ChangeSample,
  counts: { readonly added: number; readonly updated: number; readonly removed: number },
  terminal: Terminal,
): string[] {
  const kinds = (['added', 'updated', 'removed'] as const).filter(change => sample[change].length > 0);
  const lines = kinds.flatMap(change => {
    const rows = sample[change];
    const rest = counts[change] - rows.length;
    return [
      terminal.paint('dim', `${change}:`),
      ...rows.map(row => `  ${rowLine(row, terminal)}`),
      ...(rest > 0 ? [terminal.paint('dim', `  … and ${formatCount(rest)} more`)] : []),
    ];
  });
  return [...lines, ...sample.gaps.map(gap => terminal.paint('dim', gap))];
}

/** `id 2: name 'two' → 'TWO', age 20 → NULL`. */
function rowLine({ key, differences }: SampledRow, terminal: Terminal): string {
  const shown = (text: string): string => cutToWidth(escaped(terminal.clean(text)), MAX_VALUE_COLUMNS);
  const textOf = (value: string | null): string =>
    value === null ? terminal.paint('dim', 'NULL') : value === '' ? "''" : shown(value);
  const keyed = key.map(({ column, value }) => `${shown(column)} ${textOf(value)}`).join(', ');
  if (differences === undefined) return keyed;
  const changes = differences.map(
    ({ column, before, after }) => `${shown(column)} ${textOf(before)} → ${textOf(after)}`,
  );
  return `${keyed}: ${changes.join(', ')}`;
}
