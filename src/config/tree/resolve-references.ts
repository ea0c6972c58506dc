/** A located tree with its references resolved, and what was found on the way. */

import { encodedOnce, valuePlaces } from '../postgres/postgres-url.ts';
import { type ConfigProblem, type KeyPath, keyText, type LocatedNode } from './located-tree.ts';
import { expandReferences, type ReferenceContext } from './references.ts';

const NOWHERE: ReadonlySet<number> = new Set();

/** A variable that is not set, or a file that cannot be read. */
export interface MissingReference {
  readonly path: KeyPath;
  readonly problem: ConfigProblem;
}

export interface ResolvedTree<Node extends LocatedNode> {
  readonly root: Node;
  readonly problems: readonly ConfigProblem[];
  readonly missing: readonly MissingReference[];
  /** What is there and empty, which only some keys allow. */
  readonly empty: readonly MissingReference[];
  /** Values of references that are secrets for where they came from. */
  readonly secrets: readonly string[];
  /**
   * Values of references in models, segments and mappings: databases repeat them in what
   * they say about a query.
   */
  readonly inQueries: readonly string[];
}

function isInQuery([section, , key]: KeyPath): boolean {
  return section === 'models' || section === 'segments' || (section === 'activations' && key === 'mapping');
}

/** What holds no reference is the same node as before. */
export function resolveReferences<Node extends LocatedNode>(
  root: Node,
  context: ReferenceContext,
): ResolvedTree<Node> {
  const problems: ConfigProblem[] = [];
  const missing: MissingReference[] = [];
  const empty: MissingReference[] = [];
  const secrets: string[] = [];
  const inQueries: string[] = [];

  const resolve = (node: LocatedNode, path: KeyPath): LocatedNode => {
    if (node.kind === 'list') {
      const items = node.items.map((item, index) => resolve(item, [...path, index]));
      return items.every((item, index) => item === node.items[index]) ? node : { ...node, items };
    }
    if (node.kind === 'map') {
      let changed = false;
      const entries = new Map<string, LocatedNode>();
      for (const [key, child] of node.entries) {
        const resolved = resolve(child, [...path, key]);
        changed ||= resolved !== child;
        entries.set(key, resolved);
      }
      return changed ? { ...node, entries } : node;
    }
    if (typeof node.value !== 'string' || !node.value.includes('${')) return node;
    const isUrl = path.length === 3 && path[0] === 'sources' && path[2] === 'url';
    const places = isUrl ? valuePlaces(node.value) : NOWHERE;
    const expansion = expandReferences(node.value, context, (value, place) =>
      places.has(place) ? encodedOnce(value) : value,
    );
    const key = keyText(path);
    problems.push(...expansion.problems.map(message => ({ ...node.place, key, message })));
    for (const message of expansion.missing) missing.push({ path, problem: { ...node.place, key, message } });
    for (const message of expansion.empty) empty.push({ path, problem: { ...node.place, key, message } });
    secrets.push(...expansion.secrets);
    if (isInQuery(path)) inQueries.push(...expansion.values);
    return { ...node, value: expansion.text, referenced: expansion.referenced };
  };

  return { root: resolve(root, []) as Node, problems, missing, empty, secrets, inQueries };
}
