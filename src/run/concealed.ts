import type { ResolvedActivation } from '../config/activation.ts';
import type { SluiceError } from '../errors.ts';

/**
 * An error about the activation without the values of references in its query. They are hidden in errors only: a value such
 * as the name of a table may well be a word of names that everybody has to read.
 */
export function concealed(error: SluiceError, { queryValues }: ResolvedActivation): SluiceError {
  return queryValues === undefined ? error : (queryValues.cleanError(error) as SluiceError);
}
