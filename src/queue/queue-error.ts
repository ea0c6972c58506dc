import { SluiceError } from '../errors.ts';

/** What no repetition changes: rights, passwords, a database that is not there. */
const REFUSED = /^(?:28|3D|42501|42704)/;

/** What the PostgreSQL of the queue does not let happen. */
export function queueError(cause: unknown): SluiceError {
  if (cause instanceof SluiceError) return cause;
  const { code = '', message = String(cause) } = cause as { code?: string; message?: string };
  const reason = message === '' ? code : message;
  if (REFUSED.test(code))
    return new SluiceError('QUEUE_REFUSED', `the database of the queue refuses: ${reason}`, { cause });
  return new SluiceError('QUEUE_CONNECT_FAILED', `the database of the queue does not answer: ${reason}`, {
    cause,
  });
}
