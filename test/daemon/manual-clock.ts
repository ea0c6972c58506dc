import type { DaemonClock } from '../../src/daemon/parts.ts';

interface Timer {
  readonly at: number;
  readonly act: () => void;
}

/** Time that passes when the test says so. Timers fire in their order, at their time. */
export class ManualClock implements DaemonClock {
  #now: number;
  readonly #timers = new Set<Timer>();
  readonly #watchers = new Set<() => void>();

  constructor(now = '2025-04-14T07:00:00.000Z') {
    this.#now = Date.parse(now);
  }

  now(): Date {
    return new Date(this.#now);
  }

  after(milliseconds: number, act: () => void): () => void {
    const timer = { at: this.#now + milliseconds, act };
    this.#timers.add(timer);
    for (const look of [...this.#watchers]) look();
    return () => this.#timers.delete(timer);
  }

  /** Milliseconds until the timers that wait now, the next first. */
  get waits(): number[] {
    return [...this.#timers].map(({ at }) => at - this.#now).sort((a, b) => a - b);
  }

  /** As soon as a timer waits for this long. */
  untilWaiting(milliseconds: number): Promise<void> {
    return new Promise(resolve => {
      const look = (): void => {
        if (!this.waits.includes(milliseconds)) return;
        this.#watchers.delete(look);
        resolve();
      };
      this.#watchers.add(look);
      look();
    });
  }

  pass(milliseconds: number): void {
    const end = this.#now + milliseconds;
    for (;;) {
      const [next] = [...this.#timers].sort((a, b) => a.at - b.at);
      if (next === undefined || next.at > end) break;
      this.#now = next.at;
      this.#timers.delete(next);
      next.act();
    }
    this.#now = end;
  }
}
