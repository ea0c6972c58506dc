import { Secret } from './secrets.ts';

/** `T` with every level read-only. */
export type DeepReadonly<T> = T extends
  | Secret
  | Date
  | string
  | number
  | boolean
  | bigint
  | null
  | undefined
  | ((...args: never) => unknown)
  ? T
  : { readonly [K in keyof T]: DeepReadonly<T[K]> };

/** Freezes a tree of plain objects and arrays in place. */
export function deepFreeze<T>(value: T): DeepReadonly<T> {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    if (!(value instanceof Secret)) Object.values(value).forEach(deepFreeze);
  }
  return value as DeepReadonly<T>;
}
