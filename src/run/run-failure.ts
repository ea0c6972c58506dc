import { SluiceError } from '../errors.ts';
import { Held } from './safety-gates.ts';

/** What ended a run: what is not known to be the world's doing is a defect. */
export function toSluiceError(cause: unknown, isAborted: boolean): SluiceError | Held {
  if (cause instanceof Held) return cause;
  if (isAborted) return new SluiceError('CANCELLED', 'the run was cancelled', { cause, stage: 'run' });
  if (cause instanceof SluiceError) return cause;
  return new SluiceError('INTERNAL', `unexpected: ${(cause as Error)?.message ?? String(cause)}`, {
    cause,
    stage: 'run',
  });
}
