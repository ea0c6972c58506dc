import * as z from 'zod';
import type { ResolvedActivation } from '../../config/activation.ts';
import { SluiceError } from '../../errors.ts';
import { MAX_CORRECTION_MS } from '../../history/history-limits.ts';
import { KeptDocument } from '../documents/kept-document.ts';
import type { LeftOut } from '../operations.ts';
import type { DocumentStore, Scheduler, SchedulerOptions, ScheduleTarget } from '../parts.ts';
import { type DueTimes, dueTimes } from './due-times.ts';

/** Name of the document that says when each schedule was last attended to. */
export const SCHEDULES_DOCUMENT = 'schedules';

/**
 * Timers count time that passes, schedules follow the clock. Looking this often notices a
 * clock that was set and a machine that slept, whatever the timer makes of either.
 */
const LOOK_AT_LEAST_EVERY_MS = 30_000;

/**
 * Until a run that could not be accepted, for a reason that may pass, is asked for again.
 */
const ASK_AGAIN_AFTER_MS = 10_000;

/** How many of an activation's runs that were left out are remembered. */
const LEFT_OUT_KEPT = 5;

/** Instants that are none are left out: their schedules have missed nothing then. */
const schedulesDocument = z.strictObject({
  version: z.literal(1),
  /** By activation, then by what the entry says. */
  attended: z.record(z.string(), z.record(z.string(), z.string())),
  /** Absent where the clock was never set far back. */
  setBackAt: z.string().exactOptional(),
});
type SchedulesDocument = z.output<typeof schedulesDocument>;

function keptDocument(store: DocumentStore): KeptDocument<SchedulesDocument> {
  const hint = 'it is written again';
  return new KeptDocument({ store, name: SCHEDULES_DOCUMENT, schema: schedulesDocument, hint });
}

/**
 * When each entry of a schedule was last attended to, by activation and key of its
 * `DueTimes`; nothing where that cannot be read.
 */
export async function keptAttendance(
  documents: DocumentStore,
): Promise<ReadonlyMap<string, ReadonlyMap<string, Date>>> {
  const kept = await keptDocument(documents)
    .read()
    .catch(() => undefined);
  return toKnown(kept).attended;
}

interface Entry {
  readonly times: DueTimes;
  /**
   * The last instant that was attended to: by a run that is accepted, or by leaving one
   * out on purpose.
   */
  attended: Date;
  next: Date | undefined;
}

interface Plan {
  readonly activation: ResolvedActivation;
  readonly entries: readonly Entry[];
}

/**
 * Begins scheduled runs.
 *
 * Whatever made it look late (the daemon was down, the machine slept, the clock was set
 * forward), an activation gets one run for all that it missed, and entries of one
 * activation that are due together make one run. A schedule that is new misses nothing.
 * While an activation is paused its schedules pass by, and nothing is made up for.
 */
export class CronScheduler implements Scheduler {
  readonly #options: SchedulerOptions<ScheduleTarget>;
  #plans = new Map<string, Plan>();
  /** Activations of which a run was asked for, and not yet accepted or refused. */
  readonly #asking = new Set<string>();
  readonly #askAgainAt = new Map<string, Date>();
  readonly #leftOut = new Map<string, readonly LeftOut[]>();
  /**
   * When the clock was last found to be set far back: instants that were due before are
   * due once more.
   */
  #setBackAt: Date | undefined;
  #cancelTimer: (() => void) | undefined;
  #stopped = false;
  readonly #document: KeptDocument<SchedulesDocument>;

  constructor(options: SchedulerOptions<ScheduleTarget>) {
    this.#options = options;
    this.#document = keptDocument(options.documents);
  }

  async schedule(activations: readonly ResolvedActivation[]): Promise<void> {
    const known = await this.#known();
    const now = this.#now();
    const plans = new Map<string, Plan>();
    for (const activation of activations) {
      const { name } = activation;
      const kept = this.#plans.get(name)?.entries;
      const entries = new Map<string, Entry>();
      for (const item of activation.schedule) {
        if ('after' in item) continue;
        const times = dueTimes(item);
        const { key } = times;
        const attended =
          kept?.find(entry => entry.times.key === key)?.attended ?? known.get(name)?.get(key) ?? now;
        entries.set(key, { times, attended, next: times.nextAfter(attended) });
      }
      if (entries.size > 0) plans.set(name, { activation, entries: [...entries.values()] });
      this.#warnOfNever(name, entries);
    }
    this.#plans = plans;
    await this.#save();
    this.#look();
  }

  nextRunAt(activation: string): Date | undefined {
    const plan = this.#plans.get(activation);
    if (plan === undefined || this.#options.target.isPaused(activation)) return undefined;
    return earliest(plan.entries.map(({ next }) => next));
  }

  upcoming(activation: string, count: number): readonly Date[] {
    const entries = this.#plans.get(activation)?.entries ?? [];
    const instants = entries.flatMap(({ times, next }) => {
      const due: Date[] = [];
      for (let at = next; at !== undefined && due.length < count; at = times.nextAfter(at)) due.push(at);
      return due.map(at => at.getTime());
    });
    return [...new Set(instants)]
      .sort((a, b) => a - b)
      .slice(0, count)
      .map(at => new Date(at));
  }

  leftOut(activation: string): readonly LeftOut[] {
    return this.#leftOut.get(activation) ?? [];
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer?.();
  }

  /** Attends to all that is due, and sets the timer for what is next. */
  #look(): void {
    if (this.#stopped) return;
    this.#cancelTimer?.();
    const now = this.#now();
    let isChanged = false;
    const wakeAt: (Date | undefined)[] = [];
    for (const [name, { activation, entries }] of this.#plans) {
      for (const entry of entries) {
        if (since(entry.attended, now) > MAX_CORRECTION_MS) this.#setBackAt = now;
        isChanged = followClock(entry, now) || isChanged;
      }
      if (this.#asking.has(name)) continue;
      const askAgainAt = this.#askAgainAt.get(name);
      // Further away than it was put, the clock was set back.
      if (askAgainAt !== undefined && askAgainAt > now && since(askAgainAt, now) <= ASK_AGAIN_AFTER_MS) {
        wakeAt.push(askAgainAt);
        continue;
      }
      this.#askAgainAt.delete(name);
      const due = entries.filter(({ next }) => next !== undefined && next <= now);
      if (due.length > 0) isChanged = this.#attend(activation, due, now) || isChanged;
      wakeAt.push(...entries.map(({ next }) => next).filter(next => next !== undefined && next > now));
    }
    if (isChanged) void this.#save();
    const waitMs = (earliest(wakeAt)?.getTime() ?? Number.POSITIVE_INFINITY) - now.getTime();
    this.#cancelTimer = this.#options.clock.after(Math.min(waitMs, LOOK_AT_LEAST_EVERY_MS), () =>
      this.#look(),
    );
  }

  /**
   * Asks for one run for all entries that are due, or leaves it out. Returns whether they
   * are attended to with that.
   */
  #attend({ name, overlap }: ResolvedActivation, due: readonly Entry[], now: Date): boolean {
    const instants = due.map(({ times, attended }) => times.latest(attended, now));
    const attend = (): void => {
      for (const [index, { times }] of due.entries()) {
        // As it is by now: the configuration may have been loaded again meanwhile.
        const entry = this.#plans.get(name)?.entries.find(({ times: { key } }) => key === times.key);
        if (entry === undefined) continue;
        entry.attended = times.attendedAfter(instants[index]!, now);
        entry.next = times.nextAfter(entry.attended);
      }
    };
    const dueAt = new Date(Math.max(...instants.map(instant => instant.getTime())));
    const reason = this.#reasonToLeaveOut(name, overlap);
    if (reason !== undefined) {
      const fields = { activation: name, scheduledFor: dueAt.toISOString() };
      this.#options.log.info(fields, `a scheduled run is left out: ${reason}`);
      const leftOut = [...this.leftOut(name), { dueAt: fields.scheduledFor, reason }];
      this.#leftOut.set(name, leftOut.slice(-LEFT_OUT_KEPT));
      attend();
      return true;
    }
    this.#asking.add(name);
    void this.#ask(name, dueAt).then(outcome => {
      this.#asking.delete(name);
      if (outcome === 'settled') {
        attend();
        void this.#save();
      } else {
        this.#askAgainAt.set(name, new Date(this.#now().getTime() + ASK_AGAIN_AFTER_MS));
      }
      this.#look();
    });
    return false;
  }

  #reasonToLeaveOut(name: string, overlap: ResolvedActivation['overlap']): string | undefined {
    const { target } = this.#options;
    if (target.isPaused(name)) return 'the activation is paused';
    if (overlap === 'skip') return target.isBusy(name) ? 'another run is under way or waits' : undefined;
    return target.hasScheduledWaiting(name) ? 'a scheduled run waits already' : undefined;
  }

  async #ask(activation: string, dueAt: Date): Promise<'settled' | 'again'> {
    const { target, log } = this.#options;
    try {
      await target.trigger(activation, dueAt, this.#setBackAt);
      return 'settled';
    } catch (error) {
      // A daemon that is ending leaves the run to the next start.
      const again = !(error instanceof SluiceError) || error.retryable;
      const scheduledFor = dueAt.toISOString();
      const fields = { activation, scheduledFor, error };
      if (again) log.warn(fields, 'a scheduled run was not accepted and is asked for again');
      else log.error(fields, 'a scheduled run was refused');
      return again ? 'again' : 'settled';
    }
  }

  #warnOfNever(activation: string, entries: ReadonlyMap<string, Entry>): void {
    for (const [key, { next }] of entries) {
      if (next === undefined)
        this.#options.log.warn({ activation, schedule: key }, 'a schedule is never due');
    }
  }

  async #known(): Promise<ReadonlyMap<string, ReadonlyMap<string, Date>>> {
    try {
      const { attended, setBackAt } = toKnown(await this.#document.read());
      this.#setBackAt ??= setBackAt;
      return attended;
    } catch (error) {
      // Without it nothing is known to have been missed; to start at all matters more.
      this.#options.log.error(
        { error },
        'missed runs cannot be told, since what is kept of schedules is damaged',
      );
      return new Map();
    }
  }

  /** A failure is logged: at worst a run is asked for again after a restart. */
  async #save(): Promise<void> {
    try {
      await this.#document.save(() => toDocument(this.#plans, this.#setBackAt));
    } catch (error) {
      this.#options.log.error({ error }, 'when schedules were attended to cannot be kept');
    }
  }

  #now(): Date {
    return this.#options.clock.now();
  }
}

/**
 * A clock that was set back would otherwise hold a schedule up until it has caught up
 * again.
 */
function followClock(entry: Entry, now: Date): boolean {
  if (entry.attended <= now) return false;
  const attended = entry.times.attendedBehind(entry.attended, now);
  if (attended === entry.attended) return false;
  entry.attended = attended;
  entry.next = entry.times.nextAfter(attended);
  return true;
}

function since(later: Date, earlier: Date): number {
  return later.getTime() - earlier.getTime();
}

function earliest(instants: readonly (Date | undefined)[]): Date | undefined {
  const times = instants.flatMap(instant => (instant === undefined ? [] : [instant.getTime()]));
  return times.length === 0 ? undefined : new Date(Math.min(...times));
}

function toDocument(plans: ReadonlyMap<string, Plan>, setBackAt: Date | undefined): SchedulesDocument {
  const attended = Array.from(plans, ([name, { entries }]) => [
    name,
    Object.fromEntries(entries.map(({ times, attended: at }) => [times.key, at.toISOString()])),
  ]);
  return {
    version: 1,
    attended: Object.fromEntries(attended),
    ...(setBackAt && { setBackAt: setBackAt.toISOString() }),
  };
}

interface Known {
  readonly attended: ReadonlyMap<string, ReadonlyMap<string, Date>>;
  readonly setBackAt: Date | undefined;
}

function toKnown(kept: SchedulesDocument | undefined): Known {
  const attended = Object.entries(kept?.attended ?? {}).map(([name, entries]) => {
    const instants = Object.entries(entries).map(([key, text]) => [key, new Date(text)] as const);
    return [name, new Map(instants.filter(([, at]) => !Number.isNaN(at.getTime())))] as const;
  });
  const setBackAt = kept?.setBackAt === undefined ? undefined : new Date(kept.setBackAt);
  return {
    attended: new Map(attended),
    setBackAt: setBackAt && !Number.isNaN(setBackAt.getTime()) ? setBackAt : undefined,
  };
}
