import { hasEnded } from '../history/run-state.ts';
import type { Change, RunEvent } from './operations.ts';

/** Who listens to which run. */
export class RunEvents {
  readonly #listeners = new Map<string, Set<(event: RunEvent) => void>>();
  readonly #ofAll = new Set<(change: Change) => void>();

  emit(run: string, event: RunEvent): void {
    for (const listener of this.#listeners.get(run) ?? []) listener(event);
    this.announce(event);
  }

  /** Tells those who listen to everything. */
  announce(change: Change): void {
    for (const listener of this.#ofAll) listener(change);
  }

  observeAll(listener: (change: Change) => void): () => void {
    // Its own, so that one function can listen twice.
    const own = (change: Change): void => listener(change);
    this.#ofAll.add(own);
    return () => this.#ofAll.delete(own);
  }

  observe(run: string, listener: (event: RunEvent) => void): () => void {
    let listeners = this.#listeners.get(run);
    if (listeners === undefined) {
      listeners = new Set();
      this.#listeners.set(run, listeners);
    }
    // Its own, so that one function can listen twice.
    const own = (event: RunEvent): void => listener(event);
    listeners.add(own);
    return () => {
      listeners.delete(own);
      if (listeners.size === 0 && this.#listeners.get(run) === listeners) this.#listeners.delete(run);
    };
  }

  /** Resolves when the run has ended, after `timeoutMs`, or when `signal` aborts. */
  untilEnd(run: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        stop();
        resolve();
      };
      const stop = this.observe(run, event => {
        if (event.type === 'state' && hasEnded(event.record)) done();
      });
      const timer = setTimeout(done, Math.min(timeoutMs, 2 ** 31 - 1));
      signal.addEventListener('abort', done);
      if (signal.aborted) done();
    });
  }
}
