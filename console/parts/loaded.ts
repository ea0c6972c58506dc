import { useEffect, useState } from 'preact/hooks';
import { type ApiError, toApiError } from '../api.ts';

export interface Loaded<T> {
  readonly value: T | undefined;
  /** Why the last try came to nothing; an older value stays. */
  readonly error: ApiError | undefined;
  readonly reload: () => void;
}

/**
 * Asks again when one of `on` changes. What is known stays until there is something
 * newer.
 */
export function useLoaded<T>(ask: (signal: AbortSignal) => Promise<T>, on: readonly unknown[]): Loaded<T> {
  const [value, setValue] = useState<T>();
  const [error, setError] = useState<ApiError>();
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    ask(stop.signal).then(
      found => {
        if (stop.signal.aborted) return;
        setValue(found);
        setError(undefined);
      },
      cause => {
        if (!stop.signal.aborted) setError(toApiError(cause));
      },
    );
    return () => stop.abort();
  }, [...on, turn]);
  return { value, error, reload: () => setTurn(turn + 1) };
}
