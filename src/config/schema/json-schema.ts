/**
 * The configuration as JSON Schema: for editors, for the reference page, and to know
 * which keys hold secrets.
 */

import * as z from 'zod';
import { configSchema } from './schema.ts';

export interface JsonSchema {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly writeOnly?: boolean;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema | readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly minimum?: number;
  readonly maximum?: number;
}

/**
 * Draft 7, which editors know best. Describes what a person writes, not what parsing
 * makes of it.
 */
export function configJsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    target: 'draft-7',
    // A pattern says the same where the validator does not know the format.
    override: ({ jsonSchema }) => {
      if (jsonSchema.pattern !== undefined) delete jsonSchema.format;
    },
  });
  return { ...schema, title: 'sluice.yaml' } as JsonSchema;
}

/** Stands for any key of a map and any index of a list. */
export const ANY_KEY = '*';

function collectSecretPaths(schema: JsonSchema, path: readonly string[], paths: string[][]): void {
  if (schema.writeOnly === true) paths.push([...path]);
  for (const [key, child] of Object.entries(schema.properties ?? {}))
    collectSecretPaths(child, [...path, key], paths);
  for (const branch of [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])])
    collectSecretPaths(branch, path, paths);
  if (typeof schema.additionalProperties === 'object') {
    collectSecretPaths(schema.additionalProperties, [...path, ANY_KEY], paths);
  }
  const items = schema.items === undefined ? [] : [schema.items].flat();
  for (const item of items as JsonSchema[]) collectSecretPaths(item, [...path, ANY_KEY], paths);
}

/** Paths of the keys that hold secrets, as the schema marks them. */
export function secretPaths(): string[][] {
  const paths: string[][] = [];
  collectSecretPaths(configJsonSchema(), [], paths);
  return paths;
}
