import { createHash } from 'node:crypto';
import type { BoundParameters } from './parameter-types.ts';

/**
 * Values of all parameters of a query, where each such set has a baseline of its own. Its
 * name is that of a folder, on disk and in the destination.
 */
export interface ParameterSet {
  readonly name: string;
  readonly values: BoundParameters;
}

/** Characters of the values in a name; what tells sets apart is the hash behind them. */
const READABLE = 40;

/** Equal sets have one name, in any order; others never have. */
export function parameterSet(values: BoundParameters): ParameterSet {
  const sorted = Object.keys(values)
    .sort()
    .map(name => [name, values[name]!.type, values[name]!.value] as const);
  const hash = createHash('sha256').update(JSON.stringify(sorted)).digest('hex').slice(0, 16);
  const words = sorted.map(([, , value]) => value ?? 'null').join('-');
  const readable = words
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, READABLE)
    .replace(/^-+|-+$/g, '');
  return { name: readable === '' ? hash : `${readable}-${hash}`, values };
}
