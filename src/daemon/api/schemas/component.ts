/** The shapes that the OpenAPI document names, and the scalars that they are made of. */

import * as z from 'zod';
import type { DeepReadonly } from '../../../config/deep-freeze.ts';

/** Each becomes `#/components/schemas/ID` of the document. */
export const COMPONENTS = z.registry<{ id: string }>();

/** Gives a shape its name in the document. */
export function component<T extends z.ZodType>(id: string, schema: T): T {
  COMPONENTS.add(schema, { id });
  return schema;
}

export const instant = () => z.string().meta({ format: 'date-time' });
export const count = () => z.int().min(0);

/**
 * A text of a list that grows from release to release. Clients are told `string`, so that
 * a new one breaks none of those that were generated from an older document.
 */
export const openEnum = <T extends string>() => z.string() as unknown as z.ZodType<T, T>;

/**
 * `true` where the answer of a shape is exactly what the daemon works with, key by key;
 * else the code does not compile.
 */
export type SameShape<Schema extends z.ZodType, Internal> =
  (<T>() => T extends DeepReadonly<z.output<Schema>> ? 1 : 2) extends <
    T,
  >() => T extends DeepReadonly<Internal> ? 1 : 2
    ? true
    : false;
