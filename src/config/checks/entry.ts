/** Entries of a configuration that may be broken in places. */

import type * as z from 'zod';
import type { ActivationConfig, NAMED_SECTIONS, NamedSection } from '../schema/schema.ts';
import { childOf, type LocatedMap, toValue } from '../tree/located-tree.ts';
import { describeAllowed } from './problems.ts';

/** An entry of the configuration as far as it could be understood. */
export interface Entry<T> {
  readonly path: readonly string[];
  readonly value: Partial<T>;
  /** Keys whose value, or default, can be relied on. */
  readonly sound: ReadonlySet<string>;
  readonly given: ReadonlySet<string>;
}

export type EntryOf<S extends NamedSection> = z.output<(typeof NAMED_SECTIONS)[S]>;

/** Those of each section, by name. */
export type Sections = { readonly [S in NamedSection]: ReadonlyMap<string, Entry<EntryOf<S>>> };

/** The model of an activation, which its segment may name. */
export function modelNameOf(
  { segment, model }: Partial<ActivationConfig>,
  { segments }: Pick<Sections, 'segments'>,
): string | undefined {
  return segment === undefined ? model : segments.get(segment)?.value.model;
}

/** `whole` is the value of an entry that the schema has nothing against. */
export function entryOf<T>(
  schema: z.ZodObject,
  node: LocatedMap,
  path: readonly string[],
  whole: T | undefined,
): Entry<T> | undefined {
  if (whole === undefined) return parseSound<T>(schema, node, path);
  return { path, value: whole, sound: keysOf(schema), given: new Set(node.entries.keys()) };
}

const schemaKeys = new WeakMap<z.ZodObject, ReadonlySet<string>>();

function keysOf(schema: z.ZodObject): ReadonlySet<string> {
  const keys = schemaKeys.get(schema) ?? new Set(Object.keys(schema.shape));
  schemaKeys.set(schema, keys);
  return keys;
}

/**
 * Parses a map without the keys that are broken; undefined when nothing of it can be
 * understood.
 */
function parseSound<T>(schema: z.ZodObject, node: LocatedMap, path: readonly string[]): Entry<T> | undefined {
  const options = { error: describeAllowed };
  const input = toValue(node) as Record<string, unknown>;
  const broken = new Set<string>();
  for (const issue of schema.safeParse(input, options).error?.issues ?? []) {
    if (issue.code === 'unrecognized_keys' && issue.path.length === 0)
      for (const key of issue.keys) broken.add(key);
    else if (issue.path.length > 0) broken.add(String(issue.path[0]));
  }
  for (const key of broken) delete input[key];
  const parsed = partialOf(schema).safeParse(input, options);
  if (!parsed.success) return undefined;
  const sound = new Set(Object.keys(schema.shape).filter(key => !broken.has(key)));
  return { path, value: parsed.data as Partial<T>, sound, given: new Set(node.entries.keys()) };
}

/** The parser that a schema makes itself at first use is kept. */
const partialSchemas = new WeakMap<z.ZodObject, z.ZodObject>();

function partialOf(schema: z.ZodObject): z.ZodObject {
  const partial = partialSchemas.get(schema) ?? schema.partial();
  partialSchemas.set(schema, partial);
  return partial;
}

/**
 * The schema of an entry; where several types are possible, that of the type it names.
 */
export function objectSchema(schema: z.ZodType, node: LocatedMap): z.ZodObject | undefined {
  const options = 'options' in schema ? (schema.options as z.ZodObject[]) : [schema as z.ZodObject];
  if (options.length === 1) return options[0];
  const type = childOf(node, 'type');
  const named = options.find(
    option => type?.kind === 'scalar' && option.shape.type.safeParse(type.value).success,
  );
  return named;
}
