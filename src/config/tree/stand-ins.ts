/**
 * Values in place of references that could not be resolved, for commands that have no
 * need of what they stand for: the history needs no secret, and a check without a
 * connection needs none either.
 */

import { type ConfigProblem, keyText, type LocatedMap, nodeAt, replaceAt } from './located-tree.ts';
import type { MissingReference } from './resolve-references.ts';

const zeros = (bytes: number): string => Buffer.alloc(bytes).toString('base64');

/**
 * Each is right for some keys. They differ from node to node, so that no two seem to name
 * the same thing.
 */
const CANDIDATES: readonly ((number: number) => string)[] = [
  number => `unset${number}`,
  number => `https://unset${number}.blob.core.windows.net`,
  number => `postgresql://unset@unset${number}.invalid/unset`,
  number => `unset-unset-unset-${number}`,
  () => `sv=2025-01-05&sr=c&sp=rwdl&se=2099-01-01T00:00:00Z&sig=${encodeURIComponent(zeros(32))}`,
  () => zeros(64),
  number =>
    `DefaultEndpointsProtocol=https;AccountName=unset${number};AccountKey=${zeros(64)};EndpointSuffix=core.windows.net`,
  number => `unset${number}@example.com`,
  () => '1',
  () => '100',
  () => '1h',
  () => '64MiB',
  () => '10%',
  () => 'true',
  () => 'UTC',
];

/**
 * The tree with values that `problemsOf` has nothing against where a reference is
 * missing. What no value is right for stays as it is.
 */
export function withStandIns(
  root: LocatedMap,
  missing: readonly MissingReference[],
  problemsOf: (root: LocatedMap) => readonly ConfigProblem[],
): LocatedMap {
  let tree = root;
  const numbered = missing.map(({ path }, index) => ({ path, number: index + 1 }));
  const concerned = (problems: readonly ConfigProblem[]) =>
    numbered.filter(({ path }) => problems.some(problem => concerns(problem, keyText(path))));
  // A text that a missing value is only a part of may be right already.
  let open = concerned(problemsOf(tree));
  // Twice, since a rule may find fault with one value only when the other one that it
  // reads is right.
  for (const candidate of [...CANDIDATES, ...CANDIDATES]) {
    if (open.length === 0) break;
    for (const { path, number } of open) {
      const node = nodeAt(tree, path);
      if (node?.kind === 'scalar')
        tree = replaceAt(tree, path, { ...node, value: candidate(number) }) as LocatedMap;
    }
    open = concerned(problemsOf(tree));
  }
  return tree;
}

/**
 * Whether a problem may be about the value at a key: one of a choice stands above what it
 * is about.
 */
export function concerns({ key }: ConfigProblem, of: string): boolean {
  const [outer, inner] = key.length < of.length ? [key, of] : [of, key];
  return inner === outer || (inner.startsWith(outer) && /[.[]/.test(inner[outer.length]!));
}
