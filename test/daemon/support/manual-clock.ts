import type { DaemonClock } from '../../../src/clock.ts';

interface Timer {
  readonly at: number;
  readonly act: () => void;
}

/** What goes on forever at one instant is found out rather than waited for. */
const MOST_AT_ONE_INSTANT = 1000;

/** Lets what was begun by a timer come to rest, whatever number of promises it takes. */
export const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

/**
 * Time that passes when the test says so. Timers count time that passes (`monotonic`),
 * `now` is the clock on the wall, which can be set.
 */
export class ManualClock implements DaemonClock {
  #monotonic = 0;
  #wall: number;
  readonly #timers = new Set<Timer>();
  readonly #watchers = new Set<() => void>();
  readonly #mostTimers: number;

  /** More timers than `mostTimers` at a time are a mistake of who sets them. */
  constructor(now = '2025-04-14T07:00:00.000Z', mostTimers = 10_000) {
    this.#wall = Date.parse(now);
    this.#mostTimers = mostTimers;
  }

  now(): Date {
    return new Date(this.#wall);
  }

  after(milliseconds: number, act: () => void): () => void {
    // A real timer that is longer fires at once.
    if (!(milliseconds >= 0 && milliseconds < 2 ** 31)) throw new RangeError(`a timer of ${milliseconds} ms`);
    const timer = { at: this.#monotonic + milliseconds, act };
    this.#timers.add(timer);
    if (this.#timers.size > this.#mostTimers)
      throw new RangeError(`${this.#timers.size} timers wait at once`);
    for (const look of [...this.#watchers]) look();
    return () => this.#timers.delete(timer);
  }

  /** Timers that wait. */
  get waiting(): number {
    return this.#timers.size;
  }

  /** As soon as a timer waits for this long. */
  untilWaiting(milliseconds: number): Promise<void> {
    return new Promise(resolve => {
      const look = (): void => {
        const at = this.#monotonic + milliseconds;
        if (![...this.#timers].some(timer => timer.at === at)) return;
        this.#watchers.delete(look);
        resolve();
      };
      this.#watchers.add(look);
      look();
    });
  }

  /** Lets time pass, and timers fire as it does. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.#monotonic + milliseconds;
    let atThisInstant = 0;
    await settled();
    for (let timer = this.#first(end); timer !== undefined; timer = this.#first(end)) {
      atThisInstant = timer.at > this.#monotonic ? 0 : atThisInstant + 1;
      if (atThisInstant > MOST_AT_ONE_INSTANT) throw new RangeError('timers of no time fire without end');
      this.#move(timer.at);
      this.#timers.delete(timer);
      timer.act();
      await settled();
    }
    this.#move(end);
  }

  async passUntil(instant: string): Promise<void> {
    await this.pass(Date.parse(instant) - this.#wall);
  }

  /** The machine sleeps: the wall clock goes on, timers do not. */
  sleep(milliseconds: number): void {
    this.#wall += milliseconds;
  }

  /** Somebody sets the clock on the wall. */
  set(now: string): void {
    this.#wall = Date.parse(now);
  }

  #move(to: number): void {
    this.#wall += to - this.#monotonic;
    this.#monotonic = to;
  }

  #first(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= end && (first === undefined || timer.at < first.at)) first = timer;
    }
    return first;
  }
}
