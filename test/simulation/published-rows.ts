import type { Version } from './virtual-container.ts';
import type { Rows } from './virtual-disk.ts';

/** What ends a file in scenarios whose documents have an end. */
export const END = 'end\n';

/** The rows of a file from that byte on. */
export function rowsOf({ bytes }: Version, fromByte = 0): [number, number][] {
  return bytes
    .toString()
    .slice(fromByte)
    .split('\n')
    .filter(line => line !== '' && line !== END.trimEnd())
    .map(line => line.split(' ').map(Number) as [number, number]);
}

/** Why a row is no change to what the consumer holds. */
export function misfit(
  change: string | undefined,
  held: number | undefined,
  value: number,
  syncMode: string,
): string | undefined {
  if (change === 'removed') return held === value ? undefined : `is removed with ${value}, and was ${held}`;
  if (change === 'added' || syncMode === 'insert')
    return held === undefined ? undefined : 'is added, and was there';
  if (change === 'updated' && held === undefined) return 'is updated, and was not there';
  return held === value ? `is sent again with ${value}` : undefined;
}

export function union(held: Rows, source: Rows): Rows {
  const all = new Map(held);
  for (const [key, value] of source) if (!all.has(key)) all.set(key, value);
  return all;
}

export function describeDifference(seen: Rows, expected: Rows): string | undefined {
  for (const [key, value] of expected) {
    if (!seen.has(key)) return `lacks key ${key}`;
    if (seen.get(key) !== value) return `has ${seen.get(key)} for key ${key}, not ${value}`;
  }
  for (const key of seen.keys()) if (!expected.has(key)) return `has key ${key}, which is gone`;
  return undefined;
}
