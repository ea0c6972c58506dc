import * as z from 'zod';
import type { DaemonClock } from '../../clock.ts';
import type { ResolvedActivation } from '../../config/activation.ts';
import { MAX_CORRECTION_MS } from '../../history/history-limits.ts';
import type { RunRecord } from '../../history/run-record.ts';
import { isSuccess } from '../../history/run-state.ts';
import { KeptDocument } from '../documents/kept-document.ts';
import type { Notification } from '../notify/notification.ts';
import { successNotification } from '../notify/success-notification.ts';
import type { ActiveWarning, Pause } from '../operations.ts';
import type { DocumentStore, Log, Warnings } from '../parts.ts';
import { type Verdict, WARNING_RULES, type WarningRule } from './warning-rules.ts';

export interface NotificationCounts {
  readonly waiting: number;
  readonly lost: number;
}

/** Where notifications go: it keeps and delivers them. */
export interface NotificationSink {
  open(): Promise<void>;
  /**
   * Resolves when they are kept; delivery goes on by itself. Never rejects for what the
   * world can cause.
   */
  add(notifications: readonly Notification[], activation: ResolvedActivation): Promise<void>;
  undelivered(): readonly string[];
  /** Notifications that wait, and those that were given up. */
  readonly counts: NotificationCounts;
  close(): Promise<void>;
}

export interface ActivationWarningsOptions {
  readonly documents: DocumentStore;
  readonly clock: DaemonClock;
  readonly log: Log;
  readonly notifications: NotificationSink;
}

/** Name of the document that says which warnings hold. */
export const WARNINGS_DOCUMENT = 'warnings';

const instant = z.iso.datetime();
const warningsDocument = z.strictObject({
  version: z.literal(1),
  activations: z.record(
    z.string(),
    z.strictObject({
      since: instant,
      toldUntil: instant.exactOptional(),
      clockAheadMs: z.int().exactOptional(),
      active: z.array(
        z.strictObject({
          code: z.string(),
          message: z.string(),
          since: instant,
          run: z.string().exactOptional(),
        }),
      ),
    }),
  ),
});
type WarningsDocument = z.output<typeof warningsDocument>;

function keptDocument(store: DocumentStore): KeptDocument<WarningsDocument> {
  const hint = 'it is written again';
  return new KeptDocument({ store, name: WARNINGS_DOCUMENT, schema: warningsDocument, hint });
}

/**
 * The warnings that hold, by activation, as the daemon left them; none where they cannot
 * be read.
 */
export async function keptWarnings(
  documents: DocumentStore,
): Promise<ReadonlyMap<string, readonly ActiveWarning[]>> {
  const kept = await keptDocument(documents)
    .read()
    .catch(() => undefined);
  return new Map(Object.entries(kept?.activations ?? {}).map(([name, { active }]) => [name, active]));
}

interface Watched {
  /** ISO 8601, UTC. */
  since: string;
  /**
   * End of the last run that has succeeded, which was told where that is wanted; ISO
   * 8601, UTC.
   */
  toldUntil?: string;
  /** How far the clock of its destination is ahead of ours, as the last run saw it. */
  clockAheadMs?: number;
  readonly active: Map<string, ActiveWarning>;
}

/** A verdict on a warning, and what gave it. */
interface Finding {
  readonly rule: WarningRule;
  readonly verdict: NonNullable<Verdict>;
}

/** Keeps which warnings of each activation hold, and tells only of what changes. */
export class ActivationWarnings implements Warnings {
  readonly #options: ActivationWarningsOptions;
  #watched = new Map<string, Watched>();
  readonly #document: KeptDocument<WarningsDocument>;

  constructor(options: ActivationWarningsOptions) {
    this.#options = options;
    this.#document = keptDocument(options.documents);
  }

  async open(): Promise<void> {
    const { log, notifications } = this.#options;
    try {
      this.#watched = toWatched(await this.#document.read());
    } catch (error) {
      // Those that still hold are raised again by the next run: told twice is better than
      // a daemon that does not start.
      log.error({ error }, 'what is kept of warnings is damaged; those that hold are told again');
    }
    await notifications.open();
  }

  async runEnded(
    activation: ResolvedActivation,
    record: RunRecord,
    previous: readonly RunRecord[],
  ): Promise<readonly ActiveWarning[]> {
    const ended = { activation, record, previous };
    const at = record.endedAt ?? this.#now().toISOString();
    const findings = findingsOf(rule => rule.afterRun?.(ended));
    // Whatever token the run was made with, the present one counts.
    const now = this.#now();
    const serviceNow = this.#serviceTime(activation.name, now);
    const passed = { activation, now, serviceNow, succeededAt: now };
    const sas = findingsOf(rule => (rule.code === 'SAS_EXPIRES' ? rule.afterTime?.(passed) : undefined));
    await this.#apply(activation, [...findings, ...sas], at, record.run);
    await this.#tellSuccess(activation, record);
    await this.#save();
    return this.active(activation.name);
  }

  async caughtUp(activation: ResolvedActivation, runs: readonly RunRecord[]): Promise<void> {
    const { since, toldUntil = since } = this.#watch(activation.name);
    const untold = runs.filter(({ endedAt = '' }) => endedAt > toldUntil);
    // The oldest first, as they were made.
    for (const record of untold.reverse()) await this.#tellSuccess(activation, record);
    if (untold.length > 0) await this.#save();
  }

  async #tellSuccess(activation: ResolvedActivation, record: RunRecord): Promise<void> {
    const { endedAt, trigger } = record;
    if (!isSuccess(record) || endedAt === undefined || trigger === 'command' || trigger === 'library') return;
    const isWanted = activation.notify.some(({ on }) => on.includes('succeeded'));
    if (isWanted) await this.#options.notifications.add([successNotification(record)], activation);
    this.#watch(activation.name).toldUntil = endedAt;
  }

  async unfinished(activation: ResolvedActivation, { run, error }: RunRecord): Promise<void> {
    const message = `run ${run} is decided and cannot be finished: ${error?.code}: ${error?.message}`;
    const finding = findingOf('RUN_UNFINISHED', { holds: true, message });
    await this.#apply(activation, finding, this.#now().toISOString(), run);
    await this.#save();
  }

  async paused(activation: ResolvedActivation, pause: Pause): Promise<void> {
    // Who pauses it knows that it is paused.
    if (pause.by === 'user') return;
    await this.#apply(activation, findingOf('PAUSED', { holds: true, message: pause.reason }), pause.since);
    await this.#save();
  }

  async resumed(activation: ResolvedActivation): Promise<void> {
    const finding = findingOf('PAUSED', { holds: false, message: 'the activation was resumed' });
    await this.#apply(activation, finding, this.#now().toISOString());
    await this.#save();
  }

  clockSeen(name: string, aheadMs: number): void {
    this.#watch(name).clockAheadMs = aheadMs;
  }

  async timePassed(
    activations: readonly ResolvedActivation[],
    lastSuccessAt: (name: string) => Date | undefined,
  ): Promise<void> {
    const now = this.#now();
    const names = new Set(activations.map(({ name }) => name));
    for (const name of this.#watched.keys()) if (!names.has(name)) this.#watched.delete(name);
    for (const activation of activations) {
      const succeededAt = this.#succeededAt(activation.name, lastSuccessAt(activation.name), now);
      const serviceNow = this.#serviceTime(activation.name, now);
      const passed = { activation, now, serviceNow, succeededAt };
      const findings = findingsOf(rule => rule.afterTime?.(passed));
      await this.#apply(activation, findings, now.toISOString());
    }
    // Once for all: what is kept holds every activation, and to look through it after
    // each would hold the daemon up.
    await this.#save();
  }

  /**
   * Without a success that the clock has reached, time counts from when the activation
   * began to be watched.
   */
  #succeededAt(name: string, last: Date | undefined, now: Date): Date {
    const isToCome = (at: Date): boolean => at.getTime() - now.getTime() > MAX_CORRECTION_MS;
    if (last !== undefined && !isToCome(last)) return last;
    const watched = this.#watch(name);
    // The clock was set back: what was to be counted from lies ahead, and nobody would be
    // warned before.
    if (isToCome(new Date(watched.since))) watched.since = now.toISOString();
    return new Date(watched.since);
  }

  #serviceTime(name: string, here: Date): Date {
    return new Date(here.getTime() + (this.#watch(name).clockAheadMs ?? 0));
  }

  active(activation: string): readonly ActiveWarning[] {
    return [...(this.#watched.get(activation)?.active.values() ?? [])];
  }

  undelivered(): readonly string[] {
    return this.#options.notifications.undelivered();
  }

  get notificationCounts(): NotificationCounts {
    return this.#options.notifications.counts;
  }

  async close(): Promise<void> {
    await this.#document.settled();
    await this.#options.notifications.close();
  }

  #watch(name: string): Watched {
    const known = this.#watched.get(name);
    if (known !== undefined) return known;
    const watched = { since: this.#now().toISOString(), active: new Map<string, ActiveWarning>() };
    this.#watched.set(name, watched);
    return watched;
  }

  /**
   * Notifications are kept before the state is, which is the caller's to save: a crash in
   * between tells twice rather than never.
   */
  async #apply(
    activation: ResolvedActivation,
    findings: readonly Finding[],
    at: string,
    run?: string,
  ): Promise<void> {
    const { name } = activation;
    const { active } = this.#watch(name);
    const told: Notification[] = [];
    for (const { rule, verdict } of findings) {
      const { code, severity, isOverSilently } = rule;
      const { message, samples } = verdict;
      const known = active.get(code);
      if (!verdict.holds) {
        active.delete(code);
        if (known === undefined || isOverSilently) continue;
        told.push({ ...about(name, code, 'recovered', known.since, at, run), severity, message });
        continue;
      }
      // It keeps when it began, and takes the newest message.
      active.set(code, { since: at, ...(run === undefined ? {} : { run }), ...known, code, message });
      if (known !== undefined) continue;
      const raised = about(name, code, 'raised', at, at, run);
      told.push({ ...raised, severity, message, ...(samples && { samples }) });
    }
    for (const notification of told) this.#report(notification);
    if (told.length > 0) await this.#options.notifications.add(told, activation);
  }

  #report({ event, code, severity, activation, run, message }: Notification): void {
    const { log } = this.#options;
    const fields = { activation, ...(run === undefined ? {} : { run }), code };
    if (event === 'recovered') log.info(fields, `warning is over: ${message}`);
    else if (severity === 'info') log.info(fields, `warning: ${message}`);
    else log.warn(fields, `warning: ${message}`);
  }

  async #save(): Promise<void> {
    try {
      await this.#document.save(() => toDocument(this.#watched));
    } catch (error) {
      this.#options.log.error({ error }, 'which warnings hold cannot be kept');
    }
  }

  #now(): Date {
    return this.#options.clock.now();
  }
}

function findingsOf(judge: (rule: WarningRule) => Verdict): Finding[] {
  return WARNING_RULES.flatMap(rule => {
    const verdict = judge(rule);
    return verdict === undefined ? [] : [{ rule, verdict }];
  });
}

function findingOf(code: WarningRule['code'], verdict: NonNullable<Verdict>): Finding[] {
  return WARNING_RULES.filter(rule => rule.code === code).map(rule => ({ rule, verdict }));
}

function about(
  activation: string,
  code: WarningRule['code'],
  event: Notification['event'],
  since: string,
  at: string,
  run: string | undefined,
): Omit<Notification, 'severity' | 'message'> {
  const id = `${activation}.${code}.${event}.${Date.parse(since)}.${Date.parse(at)}`;
  return { id, event, code, activation, ...(run === undefined ? {} : { run }), since, at };
}

function toDocument(watched: ReadonlyMap<string, Watched>): WarningsDocument {
  const activations = Array.from(watched, ([name, { active, ...times }]) => [
    name,
    { ...times, active: [...active.values()] },
  ]);
  return { version: 1, activations: Object.fromEntries(activations) };
}

function toWatched(kept: WarningsDocument | undefined): Map<string, Watched> {
  const watched = Object.entries(kept?.activations ?? {}).map(([name, { active, ...times }]) => {
    const known = new Map<string, ActiveWarning>(active.map(warning => [warning.code, warning]));
    return [name, { ...times, active: known }] as const;
  });
  return new Map(watched);
}
