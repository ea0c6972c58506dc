import { EXIT } from '../errors.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export interface Stopping {
  /** Aborts with the first signal. */
  readonly signal: AbortSignal;
  /** Gives the signals back to the system. */
  release(): void;
}

/**
 * For what runs until it is told to end: the first signal lets it end, a second one ends
 * the process at once. Its run processes notice, and end by themselves.
 */
export function watchStopping(): Stopping {
  const stopping = new AbortController();
  const stop = (): void => {
    if (stopping.signal.aborted) process.exit(EXIT.cancelled);
    stopping.abort();
  };
  for (const name of SIGNALS) process.on(name, stop);
  return {
    signal: stopping.signal,
    release: () => {
      for (const name of SIGNALS) process.off(name, stop);
    },
  };
}
