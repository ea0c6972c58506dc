import type { RetryClock } from '../../../src/sinks/azure/retry.ts';

/**
 * Time that jumps: every wait ends at once, and is noted; attempts' timeouts, told by
 * their length, end only when the test says so. Chance is what the test sets.
 */
export class TestClock implements RetryClock {
  readonly waits: number[] = [];
  chance = 0;
  #now = 0;
  readonly #timeoutMs: (ms: number) => boolean;
  readonly #timeouts = new Set<() => void>();

  /** @param timeoutMs the least length of a timeout; anything shorter is a wait */
  constructor(timeoutMs: number) {
    this.#timeoutMs = ms => ms >= timeoutMs;
  }

  now(): number {
    return this.#now;
  }

  random(): number {
    return this.chance;
  }

  after(ms: number, run: () => void): () => void {
    if (this.#timeoutMs(ms)) {
      this.#timeouts.add(run);
      return () => this.#timeouts.delete(run);
    }
    this.waits.push(ms);
    const immediate = setImmediate(() => {
      this.#now += ms;
      run();
    });
    return () => clearImmediate(immediate);
  }

  /** Lets all attempts that are under way time out. */
  endAttempts(): void {
    for (const run of [...this.#timeouts]) run();
  }

  get attemptsUnderWay(): number {
    return this.#timeouts.size;
  }
}
