import { stat } from 'node:fs/promises';
import { stateError } from '../system-errors.ts';

export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw stateError(error, `${path} cannot be read`, { access: 'read' });
  }
}

/** Rejects with what keeps the data directory from being written. */
export async function writing<T>(doing: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    throw stateError(cause, `${doing} failed`);
  }
}
