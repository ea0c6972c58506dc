import * as z from 'zod';
import type { DaemonClock } from '../../clock.ts';
import type { ResolvedActivation } from '../../config/activation.ts';
import { KeptDocument } from '../documents/kept-document.ts';
import type { DocumentStore, Log } from '../parts.ts';
import type { NotificationSink } from '../warnings/activation-warnings.ts';
import { DeliveryError } from './delivery.ts';
import { type Notification, notificationSchema, topicOf } from './notification.ts';
import type { Target } from './targets.ts';

export interface OutboxOptions {
  readonly documents: DocumentStore;
  readonly clock: DaemonClock;
  readonly log: Log;
  /** Those of the present configuration. */
  readonly activations: () => readonly ResolvedActivation[];
  readonly targetsOf: (activation: ResolvedActivation) => readonly Target[];
  /** Takes secrets out of what receivers answer. */
  readonly clean: (text: string) => string;
  readonly observe?: (outcome: DeliveryOutcome, kind: 'webhook' | 'email') => void;
  /** From 0 to 1. */
  readonly random?: () => number;
  readonly limits?: Partial<OutboxLimits>;
}

export type DeliveryOutcome = 'delivered' | 'failed' | 'lost';

export interface OutboxLimits {
  readonly maxAgeMs: number;
  /** In all; past it the oldest of the same target makes room. */
  readonly maxItems: number;
  readonly firstPauseMs: number;
  readonly maxPauseMs: number;
}

const LIMITS: OutboxLimits = {
  maxAgeMs: 24 * 3_600_000,
  maxItems: 1000,
  firstPauseMs: 5000,
  maxPauseMs: 15 * 60_000,
};

const MAX_MESSAGE = 4000;

/** Name of the document that holds what is not delivered yet. */
export const OUTBOX_DOCUMENT = 'notifications';

const instant = z.iso.datetime();
const outboxDocument = z.strictObject({
  version: z.literal(1),
  items: z.array(
    z.strictObject({
      target: z.string(),
      /** Place in `notify` of the activation. */
      index: z.int().min(0),
      label: z.string(),
      notification: notificationSchema,
      addedAt: instant,
    }),
  ),
  /** Notifications of a target that were given up, until one is delivered to it again. */
  lost: z.record(
    z.string(),
    z.strictObject({ label: z.string(), count: z.int(), at: instant, reason: z.string() }),
  ),
});
type OutboxDocument = z.output<typeof outboxDocument>;
type Item = Readonly<OutboxDocument['items'][number]>;
type Lost = Readonly<OutboxDocument['lost'][string]>;

interface Delivery {
  /** A pause runs, or a notification is under way. */
  isBusy: boolean;
  attempts: number;
  lastFailure: string | undefined;
  cancelTimer: (() => void) | undefined;
}

/**
 * Keeps notifications on disk until they are delivered, and delivers them: to each target
 * one after the other, in order.
 *
 * What cannot be delivered is tried again with growing pauses until it is too old; what
 * then is given up stays visible until the target takes something again. URLs are never
 * written: an item names its target by a fingerprint, and where it goes is looked up in
 * the configuration, so that one that was mistyped can be fixed.
 */
export class Outbox implements NotificationSink {
  readonly #options: OutboxOptions;
  readonly #limits: OutboxLimits;
  #items: Item[] = [];
  #lost = new Map<string, Lost>();
  readonly #deliveries = new Map<string, Delivery>();
  readonly #underWay = new Set<Promise<void>>();
  readonly #abort = new AbortController();
  readonly #document: KeptDocument<OutboxDocument>;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#document = new KeptDocument({
      store: options.documents,
      name: OUTBOX_DOCUMENT,
      schema: outboxDocument,
      hint: 'it is written again; notifications that it held are not delivered',
    });
    this.#limits = { ...LIMITS, ...options.limits };
  }

  async open(): Promise<void> {
    try {
      const kept = await this.#document.read();
      this.#items = kept?.items ?? [];
      this.#lost = new Map(Object.entries(kept?.lost ?? {}));
    } catch (error) {
      this.#options.log.error(
        { error },
        'what is kept of notifications is damaged; undelivered ones are gone',
      );
    }
    for (const target of new Set(this.#items.map(item => item.target))) this.#deliver(target);
  }

  async add(notifications: readonly Notification[], activation: ResolvedActivation): Promise<void> {
    const targets = this.#options.targetsOf(activation);
    const addedAt = this.#options.clock.now().toISOString();
    this.#forgetLost();
    for (const [index, { id: target, label, on }] of targets.entries()) {
      for (const { message, ...rest } of notifications) {
        if (!on.includes(topicOf(rest))) continue;
        const isKnown = this.#items.some(item => item.target === target && item.notification.id === rest.id);
        if (isKnown) continue;
        const cleaned = cleanTexts(rest, this.#options.clean);
        const shown = this.#options.clean(message).slice(0, MAX_MESSAGE);
        this.#makeRoom(target);
        this.#items.push({ target, index, label, notification: { ...cleaned, message: shown }, addedAt });
      }
    }
    await this.#save();
    for (const { id } of targets) this.#deliver(id);
  }

  undelivered(): readonly string[] {
    this.#forgetLost();
    const lines: string[] = [];
    for (const [target, { attempts, lastFailure }] of this.#deliveries) {
      const waiting = this.#items.filter(item => item.target === target);
      const [first] = waiting;
      if (first === undefined || lastFailure === undefined) continue;
      lines.push(
        `${first.label} ${lastFailure}; ${counted(waiting.length)} since ${first.addedAt}, tried ${attempts} times`,
      );
    }
    for (const { label, count, at, reason } of this.#lost.values()) {
      lines.push(`${label}: ${counted(count)} given up, the last one at ${at}: ${reason}`);
    }
    return lines;
  }

  /** Notifications that wait, and those that were given up. */
  get counts(): { readonly waiting: number; readonly lost: number } {
    const lost = Array.from(this.#lost.values(), ({ count }) => count);
    return { waiting: this.#items.length, lost: lost.reduce((sum, count) => sum + count, 0) };
  }

  async close(): Promise<void> {
    this.#abort.abort();
    for (const { cancelTimer } of this.#deliveries.values()) cancelTimer?.();
    await Promise.all(this.#underWay);
    await this.#document.settled();
  }

  #makeRoom(target: string): void {
    if (this.#items.length < this.#limits.maxItems) return;
    const oldest = this.#items.find(item => item.target === target) ?? this.#items[0];
    if (oldest !== undefined) this.#giveUp(oldest, 'too many notifications wait');
  }

  #stateOf(target: string): Delivery {
    const known = this.#deliveries.get(target);
    if (known !== undefined) return known;
    const state = { isBusy: false, attempts: 0, lastFailure: undefined, cancelTimer: undefined };
    this.#deliveries.set(target, state);
    return state;
  }

  /** Delivers what waits for the target, unless that is under way. */
  #deliver(target: string): void {
    const state = this.#stateOf(target);
    if (state.isBusy || this.#abort.signal.aborted) return;
    state.isBusy = true;
    const work = this.#deliverAll(target, state).finally(() => this.#underWay.delete(work));
    this.#underWay.add(work);
  }

  async #deliverAll(target: string, state: Delivery): Promise<void> {
    for (let item = this.#next(target); item !== undefined; item = this.#next(target)) {
      const found = this.#find(item);
      if (found === undefined) {
        this.#giveUp(item, 'the target is no longer in the configuration');
        continue;
      }
      const pauseMs = await this.#attempt(item, found, state);
      if (this.#abort.signal.aborted) return;
      if (pauseMs !== undefined) {
        state.cancelTimer = this.#options.clock.after(pauseMs, () => {
          state.isBusy = false;
          this.#deliver(target);
        });
        return;
      }
    }
    // Nothing is left to wait for, so nothing has to be remembered.
    this.#deliveries.delete(target);
    await this.#save();
  }

  /** The one to deliver now. Those that are too old are given up on the way. */
  #next(target: string): Item | undefined {
    const oldestMs = this.#options.clock.now().getTime() - this.#limits.maxAgeMs;
    for (;;) {
      const item = this.#items.find(candidate => candidate.target === target);
      if (item === undefined || Date.parse(item.addedAt) >= oldestMs) return item;
      const { lastFailure } = this.#stateOf(target);
      this.#giveUp(item, `too old${lastFailure === undefined ? '' : `; the target ${lastFailure}`}`);
    }
  }

  /** The same place, whatever activation names it; or what stands where it stood. */
  #find({ target, index, notification }: Item): Target | undefined {
    const { activations, targetsOf } = this.#options;
    const all = activations().map(activation => ({ name: activation.name, targets: targetsOf(activation) }));
    const same = all.flatMap(({ targets }) => targets).find(({ id }) => id === target);
    return same ?? all.find(({ name }) => name === notification.activation)?.targets[index];
  }

  /** Nobody waits any more for what a target did not take that is gone. */
  #forgetLost(): void {
    if (this.#lost.size === 0) return;
    const { activations, targetsOf } = this.#options;
    const present = new Set(activations().flatMap(activation => targetsOf(activation).map(({ id }) => id)));
    for (const target of this.#lost.keys()) if (!present.has(target)) this.#lost.delete(target);
  }

  /** One attempt. Returns how long to wait before the next one where it failed. */
  async #attempt(item: Item, { sender, label }: Target, state: Delivery): Promise<number | undefined> {
    const { notification } = item;
    const { activation, run, code, event } = notification;
    const { log, observe } = this.#options;
    const fields = { activation, ...(run === undefined ? {} : { run }), code, event, target: label };
    try {
      await sender.send(notification, this.#abort.signal);
    } catch (error) {
      if (this.#abort.signal.aborted) return undefined;
      observe?.('failed', sender.kind);
      const known = error instanceof DeliveryError ? error : undefined;
      const failure = this.#options.clean(known?.message ?? String(error));
      if (known?.isRefusal) {
        this.#giveUp(item, failure, sender.kind);
        await this.#save();
        return undefined;
      }
      state.attempts++;
      state.lastFailure = failure;
      const pauseMs = this.#pauseMs(state.attempts, known?.retryAfterMs);
      log.warn(
        { ...fields, attempts: state.attempts, pauseMs },
        `a notification is not delivered: it ${failure}`,
      );
      return pauseMs;
    }
    this.#remove(item);
    this.#lost.delete(item.target);
    state.attempts = 0;
    state.lastFailure = undefined;
    observe?.('delivered', sender.kind);
    log.debug(fields, 'a notification is delivered');
    await this.#save();
    return undefined;
  }

  /**
   * Doubles from attempt to attempt, half of it by chance, so that many that failed
   * together do not come back together.
   */
  #pauseMs(attempts: number, atLeastMs = 0): number {
    const { firstPauseMs, maxPauseMs } = this.#limits;
    const { random = Math.random } = this.#options;
    const full = Math.min(firstPauseMs * 2 ** Math.min(attempts - 1, 30), maxPauseMs);
    return Math.max(full * (0.5 + 0.5 * random()), Math.min(atLeastMs, maxPauseMs));
  }

  #remove(item: Item): void {
    const index = this.#items.indexOf(item);
    if (index >= 0) this.#items.splice(index, 1);
  }

  #giveUp(item: Item, reason: string, kind: 'webhook' | 'email' = kindOf(item.target)): void {
    const { log, observe, clock } = this.#options;
    const { activation, run, code, event } = item.notification;
    this.#remove(item);
    const count = (this.#lost.get(item.target)?.count ?? 0) + 1;
    this.#lost.set(item.target, { label: item.label, count, at: clock.now().toISOString(), reason });
    observe?.('lost', kind);
    const fields = { activation, ...(run === undefined ? {} : { run }), code, event, target: item.label };
    log.error(fields, `a notification is given up: ${reason}`);
  }

  async #save(): Promise<void> {
    try {
      await this.#document.save(() => ({
        version: 1,
        items: this.#items,
        lost: Object.fromEntries(this.#lost),
      }));
    } catch (error) {
      this.#options.log.error({ error }, 'notifications cannot be kept; they are delivered from memory');
    }
  }
}

/** The same with every text in it cleaned. */
function cleanTexts<T>(value: T, clean: (text: string) => string): T {
  return JSON.parse(JSON.stringify(value), (_key, item) => (typeof item === 'string' ? clean(item) : item));
}

function kindOf(target: string): 'webhook' | 'email' {
  return target.startsWith('email') ? 'email' : 'webhook';
}

function counted(count: number): string {
  return count === 1 ? '1 notification' : `${count} notifications`;
}
