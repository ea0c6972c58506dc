import { EXIT, SluiceError } from '../errors.ts';
import type { Terminal } from './terminal/terminal.ts';

export interface Interruption {
  /** Aborts with the first Ctrl-C, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
  /** Gives the signals back to the system. */
  release(): void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The first signal is a wish to stop cleanly; the second ends the process at once. */
export function watchSignals(
  terminal: Terminal,
  message = 'stopping; once more stops at once',
): Interruption {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) {
      terminal.status('');
      process.exit(EXIT.cancelled);
    }
    terminal.note(message);
    controller.abort();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: controller.signal,
    release: () => {
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}

/**
 * Waits for something that continues without this command. Ctrl-C ends the waiting with
 * CANCELLED.
 */
export async function withInterruption<Result>(
  terminal: Terminal,
  message: string,
  wait: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const interruption = watchSignals(terminal, message);
  try {
    return await wait(interruption.signal);
  } catch (cause) {
    if (!interruption.signal.aborted) throw cause;
    throw new SluiceError('CANCELLED', message, { cause, hint: 'the same command waits again' });
  } finally {
    interruption.release();
  }
}
