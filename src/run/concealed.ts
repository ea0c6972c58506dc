import type { ResolvedActivation } from '../config/activation.ts';
import { SluiceError } from '../errors.ts';

/**
 * An error about the activation without the values of references in its query. They are
 * hidden in errors only: a value such as the name of a table may well be a word of names
 * that everybody has to read.
 */
export function concealed<T>(error: T, { queryValues }: ResolvedActivation): T {
  return queryValues && error instanceof SluiceError ? (queryValues.cleanError(error) as T) : error;
}
