import type { RowSource } from '../sources/source.ts';

/**
 * A source that waits for a lock, or for an answer that is computed, gives up only when
 * it is closed.
 */
export async function closingOnAbort<T>(
  source: Pick<RowSource, 'close'>,
  signal: AbortSignal,
  act: () => Promise<T>,
): Promise<T> {
  const close = (): void => void source.close();
  signal.throwIfAborted();
  signal.addEventListener('abort', close);
  try {
    return await act();
  } finally {
    signal.removeEventListener('abort', close);
  }
}
