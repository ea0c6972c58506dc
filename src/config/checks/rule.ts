import { FileNameInvalidError } from '../file-name.ts';
import type { KeyPath } from '../tree/located-tree.ts';

export interface Finding {
  /** From the entry on. */
  readonly path: KeyPath;
  readonly message: string;
}

/** What a rule may know of how the entry was written. */
export interface Writing {
  /** Keys that stand in the file, as opposed to those with a default. */
  readonly given: ReadonlySet<string>;
  /** A value of the entry, quoted, or `(hidden)` where it may be a secret. */
  readonly show: (path: KeyPath, value: string) => string;
}

/**
 * What has to hold of several keys of an entry. It runs only when every key that it reads
 * passed the schema, so that one slip of the pen is one problem.
 */
export interface Rule<T> {
  readonly reads: readonly (keyof T & string)[];
  readonly check: (entry: T, writing: Writing) => Finding | Finding[] | undefined;
}

export function finding(path: KeyPath, message: string): Finding {
  return { path, message };
}

/** Why a name is refused, without the name itself; undefined when it is not. */
export function nameFault(resolve: () => unknown): string | undefined {
  try {
    resolve();
    return undefined;
  } catch (error) {
    if (error instanceof FileNameInvalidError) return error.reason;
    throw error;
  }
}

/** The place of the first value that stands there a second time, or -1. */
export function firstRepeated(values: readonly string[]): number {
  return values.findIndex((value, index) => values.indexOf(value) !== index);
}
