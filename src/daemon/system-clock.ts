import type { DaemonClock } from './parts.ts';

/** Timers of Node fire at once beyond this. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The time of the machine. */
export const SYSTEM_CLOCK: DaemonClock = {
  now: () => new Date(),
  after(milliseconds, act) {
    let timer: NodeJS.Timeout;
    const wait = (left: number): void => {
      const step = Math.min(Math.max(0, left), LONGEST_TIMER_MS);
      timer = setTimeout(() => (left > step ? wait(left - step) : act()), step);
    };
    wait(milliseconds);
    return () => clearTimeout(timer);
  },
};
