import { setTimeout as sleep } from 'node:timers/promises';
import type { DaemonClock } from '../../clock.ts';
import { acceptParameters } from '../../config/parameters/bind-parameters.ts';
import { SluiceError } from '../../errors.ts';
import { isoInstant } from '../../history/iso-instant.ts';
import { toRunError } from '../../history/new-record.ts';
import { newRunId } from '../../history/run-id.ts';
import { unexpectedError } from '../../system-errors.ts';
import type { Configuration } from '../configuration.ts';
import type { PlanRecord, PlanRequested } from '../operations.ts';
import type { Log } from '../parts.ts';
import type { StartProcess } from '../processes/process-starter.ts';
import type { RunProcess } from '../processes/run-process.ts';
import type { RunQueue } from '../queue/run-queue.ts';

export interface PlansOptions {
  readonly configuration: Pick<Configuration, 'resolve' | 'redactor'>;
  readonly queue: Pick<RunQueue, 'take'>;
  readonly clock: DaemonClock;
  readonly log: Log;
  readonly start: StartProcess;
  /** One has ended, or there is another: something may begin. */
  readonly onFree: () => void;
}

/** Plans that wait or are under way at a time. */
const MAX_OPEN = 20;
/** Those that have ended are kept so long, and so many. */
const KEPT_MS = 3_600_000;
const MAX_KEPT = 100;

interface LivePlan {
  record: PlanRecord;
  process?: RunProcess;
  /** Aborts when it has ended. */
  readonly end: AbortController;
}

/**
 * Plans that were asked for. Each takes the place of a run: no run of its activation is
 * under way meanwhile. They are in memory only: whoever lost one asks for another.
 */
export class Plans {
  readonly #options: PlansOptions;
  /** The oldest first. */
  readonly #plans = new Map<string, LivePlan>();
  #isClosed = false;
  #running = 0;

  constructor(options: PlansOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running;
  }

  /** Throws NAME_UNKNOWN, PARAMETER_INVALID or TOO_MANY_REQUESTS. */
  ask({ activation, full, params, rows }: PlanRequested): PlanRecord {
    const { configuration, clock, log } = this.#options;
    const resolved = configuration.resolve(activation);
    const given = acceptParameters(resolved, params, text => configuration.redactor.clean(text));
    const now = clock.now();
    this.#forget(now);
    const open = [...this.#plans.values()].filter(({ record }) => record.endedAt === undefined).length;
    if (open >= MAX_OPEN)
      throw new SluiceError('TOO_MANY_REQUESTS', `${MAX_OPEN} plans are under way or wait already`);
    const record: PlanRecord = {
      plan: newRunId(now),
      activation,
      state: 'queued',
      asked: {
        ...(full !== undefined && { full }),
        ...(Object.keys(given).length > 0 && { params: given }),
        rows,
      },
      requestedAt: isoInstant(now),
    };
    this.#plans.set(record.plan, { record, end: new AbortController() });
    log.info({ activation, plan: record.plan }, 'plan accepted');
    // Whoever asked is answered first.
    setImmediate(this.#options.onFree);
    return record;
  }

  /** The plan as it stands, or once it has ended or `until` is over. */
  async wait(
    id: string,
    until?: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<PlanRecord> {
    const live = this.#live(id);
    if (until !== undefined) {
      const signal = AbortSignal.any([live.end.signal, until.signal]);
      await sleep(until.timeoutMs, undefined, { signal }).catch(() => {});
    }
    return live.record;
  }

  /** Begins the oldest one whose activation is free. Returns whether there was one. */
  beginOne(): boolean {
    if (this.#isClosed) return false;
    for (const live of this.#plans.values()) {
      if (live.record.state !== 'queued') continue;
      const free = this.#options.queue.take(live.record.activation);
      if (free === undefined) continue;
      this.#running++;
      live.record = { ...live.record, state: 'reading', startedAt: this.#now() };
      void this.#carryOut(live).finally(() => {
        this.#running--;
        free();
        this.#options.onFree();
      });
      return true;
    }
    return false;
  }

  /** Ends those under way, and those that wait. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const error = new SluiceError('SHUTTING_DOWN', 'the daemon is ending');
    for (const live of this.#plans.values()) {
      live.process?.kill(error);
      if (live.record.state === 'queued') this.#end(live, { state: 'failed', error: toRunError(error) });
    }
    await Promise.all(Array.from(this.#plans.values(), ({ process }) => process?.ended));
  }

  async #carryOut(live: LivePlan): Promise<void> {
    const { plan, activation, asked } = live.record;
    this.#options.log.info({ activation, plan }, 'plan begins');
    try {
      live.process = this.#options.start({ kind: 'plan', plan, activation, ...asked });
      const { result, error } = await live.process.ended;
      if (error) throw error;
      if (result.kind !== 'plan') throw new SluiceError('INTERNAL', 'no result');
      this.#end(live, { state: 'succeeded', result: result.plan });
    } catch (cause) {
      this.#end(live, { state: 'failed', error: toRunError(unexpectedError(cause)) });
    }
  }

  #end(live: LivePlan, outcome: Pick<PlanRecord, 'state' | 'result' | 'error'>): void {
    live.record = { ...live.record, ...outcome, endedAt: this.#now() };
    live.end.abort();
  }

  #live(id: string): LivePlan {
    this.#forget(this.#options.clock.now());
    const live = this.#plans.get(id);
    if (live !== undefined) return live;
    throw new SluiceError('PLAN_UNKNOWN', `there is no plan ${id}`);
  }

  #forget(now: Date): void {
    const ended = [...this.#plans.values()].filter(({ record }) => record.endedAt !== undefined);
    const surplus = ended.length - MAX_KEPT;
    for (const [index, { record }] of ended.entries()) {
      const isOld = now.getTime() - Date.parse(record.endedAt ?? '') > KEPT_MS;
      if (isOld || index < surplus) this.#plans.delete(record.plan);
    }
  }

  #now(): string {
    return isoInstant(this.#options.clock.now());
  }
}
