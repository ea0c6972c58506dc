import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { lockFolder } from '../baseline/baseline.ts';
import { SluiceError } from '../errors.ts';

/** One daemon has it at a time: rejects with STATE_LOCKED, and with STATE_WRITE_FAILED where it cannot be made. */
export async function lockDaemonFolder(folder: string): Promise<{ close(): Promise<void> }> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const message = `the data directory cannot be used: ${(cause as Error).message}`;
    throw new SluiceError('STATE_WRITE_FAILED', message, { cause, stage: 'state' });
  }
  try {
    return await lockFolder(join(folder, 'lock'));
  } catch (cause) {
    if (!(cause instanceof SluiceError && cause.code === 'STATE_LOCKED')) throw cause;
    throw new SluiceError('STATE_LOCKED', `another daemon serves the data directory of ${folder}`, {
      cause,
      stage: 'state',
      hint: 'stop it first, or give this one a dataDirectory of its own',
    });
  }
}
