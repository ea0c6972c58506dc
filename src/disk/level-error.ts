import { SluiceError } from '../errors.ts';
import { stateError } from '../system-errors.ts';

/**
 * The error for a LevelDB database that does not open: locked, damaged or not accessible.
 */
export function openError(directory: string, cause: unknown): SluiceError {
  const inner = (cause as { cause?: Error & { code?: string } }).cause;
  const reason = inner?.message ?? (cause as Error).message;
  if (inner?.code === 'LEVEL_LOCKED') {
    return new SluiceError('STATE_LOCKED', `the baseline in ${directory} is in use by another process`, {
      cause,
      stage: 'state',
    });
  }
  const message = `the baseline in ${directory} cannot be opened`;
  if (!/Corruption|JSON|(?:MANIFEST-\d+|\.ldb|\.log): No such file/i.test(reason))
    return stateError(cause, message);
  return new SluiceError('STATE_DAMAGED', `${message}: ${reason}`, { cause, stage: 'state' });
}
