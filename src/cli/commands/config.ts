import { resolveActivation, UNIT_NAMES } from '../../config/activation.ts';
import type { LoadedConfig } from '../../config/load.ts';
import { Secret } from '../../config/secrets.ts';
import { type KeyPath, keyText } from '../../config/tree/located-tree.ts';
import { EXIT } from '../../errors.ts';
import { type CommandContext, openConfig } from '../command-context.ts';
import { formatBytes, formatInterval } from '../terminal/quantities.ts';
import { fittedTableLines, indented, narrower } from '../terminal/table.ts';
import { escaped } from '../terminal/terminal.ts';

export interface ConfigOptions {
  readonly json?: boolean;
}

interface ShownValue {
  readonly key: string;
  /** What holds, for people; `(hidden)` for a secret. */
  readonly value: string;
  /** File and line; absent for a default. */
  readonly place?: string;
  /** Variables and files that it was taken from. */
  readonly references?: readonly string[];
}

/**
 * `sluice config`: every value that an activation goes by, with where it stands. Unset
 * variables do not matter.
 */
export async function config(
  name: string,
  { json }: ConfigOptions,
  context: CommandContext,
): Promise<number> {
  const { terminal } = context;
  const loaded = await openConfig(context, () => true);
  const { activations, segments, models, sources, destinations } = loaded.config;
  const { source, destination, model, segmentName } = resolveActivation(loaded.config, name);
  const parts: [path: KeyPath, value: unknown][] = [
    [['activations', name], activations[name]],
    ...(segmentName === undefined
      ? []
      : [[['segments', segmentName], segments[segmentName]] as [KeyPath, unknown]]),
    [['models', model.name], models[model.name]],
    [['sources', source.name], withoutAddress(sources[source.name])],
    [['destinations', destination.name], destinations[destination.name]],
    [['dataDirectory'], loaded.config.dataDirectory],
  ];
  const shown = parts.map(([path, value]) => ({
    part: keyText(path),
    values: [...valuesOf(value, path, loaded)],
  }));
  if (json) {
    terminal.printJson({ activation: name, values: shown.flatMap(({ values }) => values) });
    return EXIT.done;
  }
  const blocks = shown.map(({ part, values }) => {
    const rows = values.map(({ key, value, place, references }) => [
      key.slice(part.length + 1) || part,
      escaped(terminal.clean(value)),
      [place ?? 'default', ...(references === undefined ? [] : [`from ${references.join(', ')}`])].join(' '),
    ]);
    const titles = [{ title: part }, { title: '', cut: true }, { title: '' }];
    const [, ...lines] = fittedTableLines(titles, rows, narrower(terminal).outColumns);
    return [terminal.paint('bold', part), ...lines.map(indented)].join('\n');
  });
  terminal.print(blocks.join('\n\n'));
  return EXIT.done;
}

/** What follows from the other keys of a source stands nowhere. */
function withoutAddress(source: LoadedConfig['config']['sources'][string] | undefined): unknown {
  if (source === undefined || !('address' in source)) return source;
  const { address: _address, ...written } = source;
  return written;
}

/** The values below a key, in the order of the schema. */
function* valuesOf(value: unknown, path: KeyPath, loaded: LoadedConfig): Generator<ShownValue> {
  if (value === undefined) return;
  if (typeof value === 'object' && value !== null && !(value instanceof Secret) && !isPlainList(value)) {
    const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
    for (const [key, child] of entries) yield* valuesOf(child, [...path, key], loaded);
    return;
  }
  const written = writtenAt(path, loaded);
  yield {
    key: keyText(path),
    value: shownValue(value, path),
    ...(written && { place: `${written.place.file}:${written.place.line}` }),
    ...(written && written.references.length > 0 && { references: written.references }),
  };
}

/** One that is shown on one line. */
function isPlainList(value: object): value is readonly unknown[] {
  return Array.isArray(value) && value.every(item => typeof item !== 'object');
}

const REFERENCE = /\$\$\{|\$\{((?:file:)?[^}:]*)/g;

/** Where the value stands: at its key, or at one above that is a short form of it. */
function writtenAt(path: KeyPath, { writtenAt: nodeAt }: LoadedConfig) {
  for (let length = path.length; length > 1 || length === path.length; length--) {
    const node = nodeAt(path.slice(0, length));
    if (node === undefined) continue;
    if (length < path.length && node.kind === 'map') return undefined;
    const text = node.kind === 'scalar' && typeof node.value === 'string' ? node.value : '';
    const references = [...text.matchAll(REFERENCE)].flatMap(([, name]) => name ?? []);
    return { place: node.place, references };
  }
  return undefined;
}

function shownValue(value: unknown, path: KeyPath): string {
  if (value instanceof Secret) return String(value);
  if (typeof value === 'string') return value.replace(/\s+/g, ' ').trim() || JSON.stringify(value);
  const key = path.findLast(part => typeof part === 'string');
  const unit = UNIT_NAMES[key as keyof typeof UNIT_NAMES];
  if (typeof value === 'number' && value > 0 && unit !== undefined) {
    if (unit.endsWith('Bytes')) return formatBytes(value);
    return unit.endsWith('Ms') ? formatInterval(value) : `${value * 100}%`;
  }
  return Array.isArray(value) && value.length > 0 ? value.join(', ') : JSON.stringify(value);
}
