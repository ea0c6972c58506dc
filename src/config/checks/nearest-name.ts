import { SluiceError } from '../../errors.ts';
import { fewNames } from '../../few-names.ts';

/** Edits (insert, delete, replace, swap neighbours) between two texts. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const above = rows[i - 1] as number[];
      const replaced = (above[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min((above[j] as number) + 1, (row[j - 1] as number) + 1, replaced);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, ((rows[i - 2] as number[])[j - 2] as number) + 1);
      }
      row.push(best);
    }
    rows.push(row);
  }
  return (rows[a.length] as number[])[b.length] as number;
}

/** The one of `names` that was probably meant, if any is near enough. */
export function nearestName(seen: string, names: readonly string[]): string | undefined {
  if (seen.length > 200) return undefined;
  const wanted = seen.toLowerCase();
  const limit = Math.max(1, Math.min(3, Math.floor(seen.length / 3)));
  const ranked = names
    .map(name => ({ name, edits: distance(wanted, name.toLowerCase()) }))
    .filter(({ edits }) => edits <= limit)
    .sort((a, b) => a.edits - b.edits);
  return ranked[0]?.name;
}

/** NAME_UNKNOWN, with the names that there are. `kind` is as in `activation`. */
export function unknownNameError(kind: string, seen: string, names: readonly string[]): SluiceError {
  const message = `there is no ${kind} ${JSON.stringify(seen)}; ${knownNames(seen, names)}`;
  return new SluiceError('NAME_UNKNOWN', message, { stage: 'configuration' });
}

/**
 * `there are a, b, c` with the one that was probably meant in front, for messages about
 * unknown names.
 */
export function knownNames(seen: string, names: readonly string[]): string {
  if (names.length === 0) return 'there are none';
  const near = nearestName(seen, names);
  return `${near === undefined ? '' : `did you mean ${near}? `}there are: ${fewNames(names, 30)}`;
}
