import { SluiceError } from '../errors.ts';
import { unexpectedError } from '../system-errors.ts';

/** What ended a run: what is not known to be the world's doing is a defect. */
export function toSluiceError(cause: unknown, isAborted: boolean): SluiceError {
  if (isAborted) return new SluiceError('CANCELLED', 'the run was cancelled', { cause, stage: 'run' });
  return unexpectedError(cause, { stage: 'run' });
}
