import { EXIT } from '../errors.ts';
import type { Terminal } from './terminal/terminal.ts';

export interface Interruption {
  /** Aborts with the first Ctrl-C, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
  /** Gives the signals back to the system. */
  release(): void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The first signal is a wish to stop cleanly; the second ends the process at once. */
export function watchSignals(terminal: Terminal): Interruption {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) {
      terminal.status('');
      process.exit(EXIT.cancelled);
    }
    terminal.note('stopping; once more stops at once');
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
