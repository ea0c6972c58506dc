import { Cron } from 'croner';
import type { ResolvedScheduleEntry } from '../../config/activation.ts';
import { MAX_CORRECTION_MS } from '../../history/history-limits.ts';

/**
 * When one entry of a schedule is due. Pure: everything follows from the entry and the
 * instants given.
 */
export interface DueTimes {
  /** What the entry says: an entry that is changed is another one. */
  readonly key: string;
  /**
   * The first due instant after that one, the last that was attended to. Undefined where
   * there is none for years.
   */
  nextAfter(attended: Date): Date | undefined;
  /** The latest instant that is due by `now` (there must be one); it names the run. */
  latest(attended: Date, now: Date): Date;
  /** Where to count from after the run for `due` began at `now`. */
  attendedAfter(due: Date, now: Date): Date;
  /** Where to count from when the clock is found to be behind `attended`. */
  attendedBehind(attended: Date, now: Date): Date;
}

/** An entry that goes by the clock. */
export type TimedEntry = Exclude<ResolvedScheduleEntry, { readonly after: string }>;

export function dueTimes(entry: TimedEntry): DueTimes {
  return 'cron' in entry ? new CronTimes(entry.cron, entry.timezone) : new IntervalTimes(entry.everyMs);
}

/**
 * Times of a cron expression in a time zone. Where neither minute nor hour has a `*`, a
 * time that the clocks leave out is due when they jump, and one that comes twice is due
 * the first time; other expressions follow the clock on the wall.
 */
class CronTimes implements DueTimes {
  readonly key: string;
  readonly #cron: Cron;

  constructor(expression: string, timezone: string) {
    this.key = `cron ${expression.trim().split(/\s+/).join(' ')} ${timezone}`;
    this.#cron = new Cron(expression, {
      paused: true,
      timezone,
      mode: '5-part',
      domAndDow: false,
      fixedTimeRule: 'no-wildcard',
    });
  }

  nextAfter(attended: Date): Date | undefined {
    return this.#cron.nextRun(attended) ?? undefined;
  }

  latest(attended: Date, now: Date): Date {
    // Looks before a whole second, without the second itself.
    const before = new Date(Math.floor(now.getTime() / 1000) * 1000 + 1000);
    const [found] = this.#cron.previousRuns(1, before);
    return found !== undefined && found > attended ? found : this.nextAfter(attended)!;
  }

  attendedAfter(due: Date): Date {
    return due;
  }

  attendedBehind(attended: Date, now: Date): Date {
    return attended.getTime() - now.getTime() <= MAX_CORRECTION_MS ? attended : now;
  }
}

/**
 * A run that begins this much of its interval late is counted from; one that is less late
 * keeps the beat.
 */
const LATE_SHARE = 0.1;

/**
 * From the start of one run to the next, in time that passes, whatever clocks on the wall
 * do.
 */
class IntervalTimes implements DueTimes {
  readonly key: string;
  readonly #everyMs: number;

  constructor(everyMs: number) {
    this.key = `every ${everyMs}`;
    this.#everyMs = everyMs;
  }

  nextAfter(attended: Date): Date {
    return new Date(attended.getTime() + this.#everyMs);
  }

  latest(attended: Date, now: Date): Date {
    const passed = Math.floor((now.getTime() - attended.getTime()) / this.#everyMs);
    return new Date(attended.getTime() + Math.max(passed, 1) * this.#everyMs);
  }

  attendedAfter(due: Date, now: Date): Date {
    return now.getTime() - due.getTime() < this.#everyMs * LATE_SHARE ? due : now;
  }

  attendedBehind(_attended: Date, now: Date): Date {
    return now;
  }
}
