/**
 * The part of a checked configuration that the runs of one activation need, as a text for
 * another process. What has become of the files since matters to nobody, and neither does
 * the size of the rest.
 *
 * References stand in it as they were written, and are resolved where it is loaded: a
 * secret that has been renewed is used.
 */

import { type CheckedConfig, checkedConfig } from './checked-config.ts';
import type { DeepReadonly } from './deep-freeze.ts';
import type { Config, NamedSection } from './schema/schema.ts';
import { Secret } from './secrets.ts';
import type { LocatedMap, LocatedNode } from './tree/located-tree.ts';
import type { Environment } from './tree/references.ts';

export interface SnapshotContent {
  /** Folder that relative paths start from. */
  readonly directory: string;
  /** Its references not resolved. */
  readonly root: LocatedMap;
}

/**
 * An activation needs at most one entry of each other section, and the destination of
 * `state`; settings of the daemon stay with it.
 */
const SHARED_KEYS = ['version', 'dataDirectory', 'notes', 'state', 'queue'];
/**
 * The daemon alone tells people of runs: a process that makes one needs no webhook, and
 * no mail server.
 */
const DAEMONS_KEYS = ['notify'];

/**
 * Holds the secrets that stand in the part, no others. An activation that is unknown
 * leaves `activations` empty.
 */
export function takeSnapshot(
  { directory, root }: SnapshotContent,
  config: DeepReadonly<Config>,
  activation: string,
): Secret {
  const { segment, model: ownModel, destination } = ownOf(config.activations, activation) ?? {};
  const model = ownOf(config.segments, segment)?.model ?? ownModel;
  const needed: readonly (readonly [NamedSection, ...(string | undefined)[]])[] = [
    ['sources', ownOf(config.models, model)?.source],
    ['destinations', destination, config.state?.destination],
    ['models', model],
    ['segments', segment],
    ['activations', activation],
  ];
  const entries = new Map([...root.entries].filter(([key]) => SHARED_KEYS.includes(key)));
  for (const [section, ...names] of needed) {
    const node = root.entries.get(section);
    if (node?.kind !== 'map') continue;
    const kept = new Map<string, LocatedNode>();
    for (const name of names) {
      const entry = name === undefined ? undefined : node.entries.get(name);
      if (name === undefined || entry === undefined) continue;
      kept.set(name, section === 'activations' ? alone(without(entry, DAEMONS_KEYS)) : entry);
    }
    if (kept.size > 0) entries.set(section, { ...node, entries: kept });
  }
  const content: SnapshotContent = { directory, root: { ...root, entries } };
  return new Secret(JSON.stringify(content, (_key, value) => (value instanceof Map ? [...value] : value)));
}

/**
 * The part as it was when the snapshot was taken, with what its references stand for now.
 * Throws CONFIG_INVALID where that does not fit.
 */
export function loadSnapshot(snapshot: string, environment: Environment = process.env): CheckedConfig {
  const { directory, root } = JSON.parse(snapshot, (key, value) =>
    key === 'entries' ? new Map(value) : value,
  ) as SnapshotContent;
  const { file } = root.place;
  return checkedConfig({ roots: [root], file, problems: [], complete: true, directory, environment });
}

function ownOf<T>(section: Readonly<Record<string, T>>, name: string | undefined): T | undefined {
  return name !== undefined && Object.hasOwn(section, name) ? section[name] : undefined;
}

/** Without schedules that name other activations, which are not in the part. */
function alone(node: LocatedNode): LocatedNode {
  const schedule = node.kind === 'map' ? node.entries.get('schedule') : undefined;
  if (node.kind !== 'map' || schedule?.kind !== 'list') return node;
  const items = schedule.items.filter(item => item.kind !== 'map' || !item.entries.has('after'));
  return { ...node, entries: new Map([...node.entries, ['schedule', { ...schedule, items }]]) };
}

function without(node: LocatedNode, keys: readonly string[]): LocatedNode {
  if (node.kind !== 'map') return node;
  return { ...node, entries: new Map([...node.entries].filter(([key]) => !keys.includes(key))) };
}
