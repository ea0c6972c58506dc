/** Time as a run sees it; tests and the simulator bring their own. */
export interface Clock {
  now(): Date;
  sleep(milliseconds: number): Promise<void>;
}

/** Time as the daemon sees it. */
export interface DaemonClock {
  now(): Date;
  /**
   * Calls `act` once after so many milliseconds, however many; the returned function
   * calls that off.
   */
  after(milliseconds: number, act: () => void): () => void;
}

/** Timers of Node fire at once beyond this. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The time of the machine. */
export const SYSTEM_CLOCK: Clock & DaemonClock = {
  now: () => new Date(),
  sleep: milliseconds => new Promise(resolve => SYSTEM_CLOCK.after(milliseconds, resolve)),
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
