/**
 * The configuration as a tree whose every node knows its place in a file. It is what YAML
 * and JSON files become before the schema sees them; several of them merge into one.
 */

export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export type KeyPath = readonly (string | number)[];

export interface LocatedScalar {
  readonly kind: 'scalar';
  /** The key's place where there is a key, else the value's. */
  readonly place: Place;
  readonly value: string | number | boolean | null;
  /** Whether text came from a reference, so that it is not to be shown. */
  readonly referenced: boolean;
}

export interface LocatedMap {
  readonly kind: 'map';
  readonly place: Place;
  readonly entries: ReadonlyMap<string, LocatedNode>;
}

export interface LocatedList {
  readonly kind: 'list';
  readonly place: Place;
  readonly items: readonly LocatedNode[];
}

export type LocatedNode = LocatedScalar | LocatedMap | LocatedList;

/** A problem of the configuration: where, at which key, and what. */
export interface ConfigProblem extends Place {
  /** Keys joined by dots; '' for the file as a whole. */
  readonly key: string;
  readonly message: string;
}

export function childOf(node: LocatedNode, key: string | number): LocatedNode | undefined {
  if (node.kind === 'map') return node.entries.get(String(key));
  return node.kind === 'list' && typeof key === 'number' ? node.items[key] : undefined;
}

export function nodeAt(root: LocatedNode, path: KeyPath): LocatedNode | undefined {
  let node: LocatedNode | undefined = root;
  for (const key of path) node = node && childOf(node, key);
  return node;
}

/** The tree with another node at a path, where there is one. */
export function replaceAt(node: LocatedNode, path: KeyPath, replacement: LocatedNode): LocatedNode {
  const [key, ...rest] = path;
  const child = key === undefined ? undefined : childOf(node, key);
  if (key === undefined || child === undefined) return replacement;
  const replaced = replaceAt(child, rest, replacement);
  if (node.kind === 'map') return { ...node, entries: new Map(node.entries).set(String(key), replaced) };
  return node.kind === 'list' ? { ...node, items: node.items.with(Number(key), replaced) } : node;
}

/** The place of the node at a path, or of its nearest ancestor that is there. */
export function placeOf(root: LocatedNode, path: KeyPath): Place {
  let node = root;
  for (const key of path) {
    const child = childOf(node, key);
    if (child === undefined) break;
    node = child;
  }
  return node.place;
}

/** Plain JavaScript values. Objects have no prototype, so that no key is special. */
export function toValue(node: LocatedNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(toValue);
  const value: Record<string, unknown> = Object.create(null);
  for (const [key, child] of node.entries) value[key] = toValue(child);
  return value;
}

export function keyText(path: KeyPath): string {
  return path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? key : `${text}.${key}`),
    '',
  );
}

export function showPlace(place: Place): string {
  return `${place.file}:${place.line}:${place.column}`;
}

/** Top-level sections whose entries may come from several files. */
const MERGED_SECTIONS = ['sources', 'destinations', 'models', 'segments', 'activations', 'notes', 'daemon'];

/**
 * One tree out of those of several files: sections are joined, and what is defined twice
 * is a problem that names both places. `version` may stand in each file.
 */
export function mergeTrees(
  trees: readonly LocatedMap[],
  fallbackPlace: Place,
): { root: LocatedMap; problems: ConfigProblem[] } {
  const problems: ConfigProblem[] = [];
  const merged = new Map<string, LocatedNode>();

  const refuse = (path: KeyPath, first: LocatedNode, second: LocatedNode) =>
    problems.push({
      ...second.place,
      key: keyText(path),
      message: `is defined twice, in ${showPlace(first.place)} and ${showPlace(second.place)}; keep one`,
    });

  const joinSections = (section: string, first: LocatedMap, second: LocatedMap): LocatedMap => {
    const entries = new Map(first.entries);
    for (const [name, node] of second.entries) {
      const known = entries.get(name);
      if (known === undefined) entries.set(name, node);
      else refuse([section, name], known, node);
    }
    return { kind: 'map', place: first.place, entries };
  };

  for (const tree of trees) {
    for (const [key, node] of tree.entries) {
      // A section with all its entries commented out is empty, not wrong.
      const empty = node.kind === 'scalar' && node.value === null;
      if (empty && MERGED_SECTIONS.includes(key)) continue;
      const known = merged.get(key);
      if (known === undefined) merged.set(key, node);
      else if (MERGED_SECTIONS.includes(key) && known.kind === 'map' && node.kind === 'map') {
        merged.set(key, joinSections(key, known, node));
      } else if (!(key === 'version' && sameScalar(known, node))) refuse([key], known, node);
    }
  }
  const place = trees[0]?.place ?? fallbackPlace;
  return { root: { kind: 'map', place, entries: merged }, problems };
}

function sameScalar(a: LocatedNode, b: LocatedNode): boolean {
  return a.kind === 'scalar' && b.kind === 'scalar' && a.value === b.value;
}
