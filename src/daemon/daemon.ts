import type { DaemonClock } from '../clock.ts';
import type { ResolvedActivation } from '../config/activation.ts';
import { SluiceError } from '../errors.ts';
import { RUN_ID } from '../history/run-id.ts';
import type { RunRecord } from '../history/run-record.ts';
import { hasEnded } from '../history/run-state.ts';
import type { Preview } from '../run/preview.ts';
import type { Validation } from '../run/validation/validate.ts';
import { activationConfiguration } from './activation-configuration.ts';
import { activationStatus } from './activation-status.ts';
import { type DataPlace, takeDataPlace } from './claimed-directory.ts';
import type { Configuration } from './configuration.ts';
import type { DaemonOptions, DaemonParts } from './daemon-options.ts';
import { DocumentFolder } from './documents/document-folder.ts';
import { FollowUp } from './follow-up.ts';
import { RecentRuns } from './history/recent-runs.ts';
import { RunHistory } from './history/run-history.ts';
import { listRuns } from './history/run-list.ts';
import type {
  ActivationConfiguration,
  ActivationStatus,
  Change,
  Health,
  Operations,
  PlanRecord,
  PlanRequested,
  ReloadOutcome,
  RunEvent,
  RunPage,
  RunQuery,
  Triggered,
  TriggerRequest,
} from './operations.ts';
import type { Log, Scheduler, Warnings } from './parts.ts';
import { Pauses } from './pauses/pauses.ts';
import { SelfPause } from './pauses/self-pause.ts';
import { Plans } from './plans/plans.ts';
import { processStarter } from './processes/process-starter.ts';
import { fromPlainValidation } from './processes/run-messages.ts';
import { defaultProgram } from './processes/run-process.ts';
import { SideJobs } from './processes/side-jobs.ts';
import { Acceptance } from './queue/acceptance.ts';
import { Dispatcher } from './queue/dispatcher.ts';
import { queuePath, RequestLog } from './queue/request-log.ts';
import { RunQueue } from './queue/run-queue.ts';
import { requeueAccepted, StartRecovery } from './queue/start-recovery.ts';
import { RunEvents } from './run-events.ts';
import { scheduleTarget } from './schedule/schedule-target.ts';
import { tellEarlierSuccesses } from './warnings/tell-earlier-successes.ts';
import type { WriteProblems } from './write-problems.ts';

/** What a daemon takes over when it starts. */
interface Kept {
  readonly place: DataPlace;
  readonly requests: RequestLog;
  readonly history: RunHistory;
  readonly pauses: Pauses;
}

const TIME_RULES_EVERY_MS = 60_000;
/** A paused activation whose source says nothing for so long is looked at again later. */
const CHECK_TIMEOUT_MS = 60_000;

/**
 * Makes runs: those that are asked for, those that are due, and those that an earlier
 * process left unfinished. One per data directory. Each run is a process of its own; what
 * is promised to somebody is on disk before it is promised.
 */
export class Daemon implements Operations {
  readonly #options: DaemonOptions;
  readonly #clock: DaemonClock;
  readonly #log: Log;
  readonly #configuration: Configuration;
  readonly #place: DataPlace;
  readonly #writeProblems: WriteProblems;
  readonly #requests: RequestLog;
  readonly #history: RunHistory;
  readonly #recentRuns: RecentRuns;
  readonly #pauses: Pauses;
  readonly #queue = new RunQueue();
  readonly #events = new RunEvents();
  readonly #acceptance: Acceptance;
  readonly #sideJobs: SideJobs;
  readonly #plans: Plans;
  readonly #dispatcher: Dispatcher;
  readonly #selfPause: SelfPause;
  readonly #startRecovery: StartRecovery;
  readonly #warnings: Warnings | undefined;
  readonly #scheduler: Scheduler | undefined;
  readonly #followUp: FollowUp;
  readonly #startedAt: string;
  /** Work that goes on behind what was answered. */
  readonly #background = new Set<Promise<void>>();
  #state: Health['state'] = 'starting';
  #callOffTimeRules: () => void = () => {};
  #stopped: Promise<void> | undefined;

  private constructor(options: DaemonOptions, parts: DaemonParts, kept: Kept) {
    this.#options = options;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#configuration = parts.configuration;
    this.#place = kept.place;
    this.#writeProblems = kept.place.writeProblems;
    this.#requests = kept.requests;
    this.#history = kept.history;
    this.#recentRuns = new RecentRuns(kept.history);
    this.#pauses = kept.pauses;
    this.#startedAt = this.#clock.now().toISOString();
    const { configuration, clock, log } = parts;
    const { history, requests, pauses } = kept;
    const queue = this.#queue;
    const program = options.program ?? defaultProgram();
    const start = processStarter({ configuration, program, clock, log });
    this.#acceptance = new Acceptance({ configuration, requests, queue, history, pauses, clock });
    this.#sideJobs = new SideJobs(start, clock);
    this.#plans = new Plans({
      queue,
      clock,
      configuration,
      log,
      start,
      onFree: () => {
        if (this.#state === 'ready') this.#dispatcher.dispatch();
      },
    });
    this.#dispatcher = new Dispatcher({
      configuration,
      queue,
      plans: this.#plans,
      requests,
      history,
      clock,
      log,
      start,
      ...(options.random && { random: options.random }),
      // One that was removed cannot be resumed: its runs are to end.
      isPaused: name => pauses.get(name) !== undefined && configuration.find(name) !== undefined,
      mayReturn: name => pauses.get(name) === undefined,
      onChange: record => this.#events.emit(record.run, { type: 'state', record }),
      onProgress: (record, progress) => {
        options.observer?.runProgressed?.(record, progress);
        this.#events.emit(record.run, { type: 'progress', run: record.run, progress });
      },
      onAttemptFailed: record => options.observer?.attemptFailed?.(record),
      onUnfinished: record => this.#inBackground(() => this.#followUp.unfinished(record)),
      onClockSeen: (name, aheadMs) => this.#warnings?.clockSeen(name, aheadMs),
      onEnd: record => this.#inBackground(() => this.#followUp.ended(record)),
    });
    this.#selfPause = new SelfPause({
      configuration,
      history,
      pauses,
      clock,
      log,
      check: activation => this.#checkSource(activation),
      onPaused: async (activation, pause) => {
        await this.#warnings?.paused(activation, pause);
        this.#changed(activation.name);
      },
      resume: async name => void (await this.resume(name)),
    });
    this.#startRecovery = new StartRecovery({
      configuration,
      queue,
      clock,
      log,
      sideJobs: this.#sideJobs,
      onRecovered: record => this.#dispatcher.onRecovered(record),
      onFree: () => this.#dispatcher.dispatch(),
    });
    this.#warnings = options.createWarnings?.(parts);
    this.#scheduler = options.createScheduler?.(
      parts,
      scheduleTarget({
        queue,
        pauses,
        history,
        trigger: request => this.trigger(request),
      }),
    );
    this.#followUp = new FollowUp({
      configuration,
      history,
      clock,
      log,
      selfPause: this.#selfPause,
      scheduler: this.#scheduler,
      warnings: this.#warnings,
      observer: options.observer,
      onChange: name => this.#changed(name),
    });
  }

  /** `takeDataPlace`, `open`, then `begin`. */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const place = await takeDataPlace(options.load, options.clock);
    let daemon: Daemon | undefined;
    try {
      daemon = await Daemon.open(options, place);
      await daemon.begin();
      return daemon;
    } catch (error) {
      if (daemon) await daemon.stop({ gracePeriodMs: 0 });
      else await place.close();
      throw error;
    }
  }

  /**
   * Reads what the last daemon left. No run begins before `begin`. Rejects with
   * STATE_DAMAGED where what was left cannot be understood, and with its reason when
   * `signal` aborts; the place is then the caller's again.
   */
  static async open(options: DaemonOptions, place: DataPlace, signal?: AbortSignal): Promise<Daemon> {
    const { configuration, clock, folder, writeProblems: watch } = place;
    const { dataDirectory } = configuration;
    const requests = await RequestLog.open(queuePath(dataDirectory), watch);
    try {
      const documents = new DocumentFolder(folder, watch);
      const history = await RunHistory.open(dataDirectory, { clock, watch, ...(signal && { signal }) });
      const pauses = await Pauses.open(documents, clock);
      const parts: DaemonParts = { configuration, documents, clock, log: options.log };
      const daemon = new Daemon(options, parts, { place, requests, history, pauses });
      for (const run of await requeueAccepted(requests, parts, history)) daemon.#queue.add(run);
      await daemon.#warnings?.open();
      signal?.throwIfAborted();
      return daemon;
    } catch (error) {
      await requests.close();
      throw error;
    }
  }

  /** Goes on where the last daemon ended. */
  async begin(): Promise<void> {
    // It may be told to stop meanwhile.
    const isMeant = (): boolean => this.#state === 'starting';
    await tellEarlierSuccesses(this.#configuration.activations, this.#history, this.#warnings);
    await this.#startRecovery.look();
    for (const name of this.#history.activations()) if (isMeant()) await this.#followUp.prune(name);
    if (!isMeant()) return;
    this.#selfPause.start();
    await this.#scheduler?.schedule(this.#configuration.activations);
    if (!isMeant()) return;
    this.#options.observer?.configured?.(this.#configuration);
    this.#passTime();
    this.#state = 'ready';
    this.#log.info(
      { activations: this.#configuration.activations.length, queued: this.#queue.waiting },
      'ready',
    );
    this.#dispatcher.dispatch();
  }

  get configuration(): Configuration {
    return this.#configuration;
  }

  // --- runs

  async trigger(request: TriggerRequest): Promise<Triggered> {
    this.#refuseWhileStopping();
    const triggered = await this.#acceptance.accept(request);
    const { record, isNew } = triggered;
    if (!isNew) return triggered;
    const { run, activation, trigger } = record;
    this.#log.info({ run, activation, trigger }, 'run accepted');
    this.#events.emit(run, { type: 'state', record });
    // Whoever asked is answered first.
    if (this.#state === 'ready') setImmediate(() => this.#dispatcher.retryDecidedOf(activation));
    return triggered;
  }

  async run(id: string): Promise<RunRecord> {
    const record = this.#queue.find(id)?.record ?? (await this.#history.read(id));
    if (record) return record;
    const shown = RUN_ID.test(id) ? id : JSON.stringify(id.slice(0, 100));
    throw new SluiceError('RUN_UNKNOWN', `there is no run ${shown}`);
  }

  runs(query: RunQuery): Promise<RunPage> {
    const parts = { queue: this.#queue, history: this.#history, configuration: this.#configuration };
    return listRuns(query, parts);
  }

  async wait(
    id: string,
    { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<RunRecord> {
    const ended = new AbortController();
    const untilEnd = this.#events.untilEnd(id, timeoutMs, AbortSignal.any([signal, ended.signal]));
    try {
      const record = await this.run(id);
      if (hasEnded(record)) return record;
      await untilEnd;
      return await this.run(id);
    } finally {
      ended.abort();
    }
  }

  async cancel(id: string): Promise<RunRecord> {
    const run = this.#queue.find(id);
    if (run) await this.#dispatcher.cancel(run);
    return this.run(id);
  }

  observe(id: string, listener: (event: RunEvent) => void): () => void {
    return this.#events.observe(id, listener);
  }

  observeAll(listener: (change: Change) => void): () => void {
    return this.#events.observeAll(listener);
  }

  // --- activations

  activations(): Promise<readonly ActivationStatus[]> {
    return Promise.all(this.#configuration.activations.map(activation => this.#statusOf(activation)));
  }

  async activation(name: string): Promise<ActivationStatus> {
    return this.#statusOf(this.#configuration.resolve(name));
  }

  async configured(name: string): Promise<ActivationConfiguration> {
    return activationConfiguration(this.#configuration.resolve(name), this.#scheduler);
  }

  #statusOf(activation: ResolvedActivation): Promise<ActivationStatus> {
    return activationStatus(activation, {
      history: this.#history,
      recentRuns: this.#recentRuns,
      queue: this.#queue,
      pauses: this.#pauses,
      scheduler: this.#scheduler,
      warnings: this.#warnings,
    });
  }

  async validate(name: string, signal: AbortSignal): Promise<Validation> {
    this.#configuration.resolve(name);
    const { validation } = await this.#sideJobs.run(
      { kind: 'validate', activation: name },
      { room: 'probe', signal },
    );
    return fromPlainValidation(validation);
  }

  async plan(request: PlanRequested): Promise<PlanRecord> {
    this.#refuseWhileStopping();
    return this.#plans.ask(request);
  }

  async planned(...[id, wait]: Parameters<Operations['planned']>): Promise<PlanRecord> {
    return this.#plans.wait(id, wait);
  }

  async preview(
    name: string,
    { rows, signal }: { readonly rows: number; readonly signal: AbortSignal },
  ): Promise<Preview> {
    this.#configuration.resolve(name);
    const { preview } = await this.#sideJobs.run(
      { kind: 'preview', activation: name, rows },
      { room: 'probe', signal },
    );
    return preview;
  }

  async pause(name: string, reason = 'paused by a user'): Promise<ActivationStatus> {
    this.#configuration.resolve(name);
    await this.#pauses.pause(name, 'user', reason);
    this.#selfPause.forget(name);
    this.#log.info({ activation: name, reason }, 'activation paused');
    this.#changed(name);
    return this.activation(name);
  }

  async resume(name: string): Promise<ActivationStatus> {
    const activation = this.#configuration.resolve(name);
    this.#selfPause.forget(name);
    if (await this.#pauses.resume(name)) {
      this.#log.info({ activation: name }, 'activation resumed');
      await this.#warnings?.resumed(activation);
    }
    this.#dispatcher.dispatch();
    this.#changed(name);
    return this.activation(name);
  }

  #changed(name: string): void {
    this.#events.announce({ type: 'activation', name });
  }

  async #checkSource({ name }: ResolvedActivation): Promise<boolean> {
    const { validation } = await this.#sideJobs.run(
      { kind: 'validate', activation: name },
      { room: 'check', timeoutMs: CHECK_TIMEOUT_MS },
    );
    return validation.checks.some(({ check, outcome }) => check === 'source' && outcome === 'passed');
  }

  // --- the daemon itself

  async reload(): Promise<ReloadOutcome> {
    this.#refuseWhileStopping();
    const outcome = this.#configuration.reload();
    this.#log.info({ ...outcome }, 'configuration reloaded');
    const { needsRestart } = outcome;
    if (needsRestart.length > 0)
      this.#log.warn(
        { needsRestart },
        `these settings hold after a restart only: ${needsRestart.join(', ')}`,
      );
    await this.#scheduler?.schedule(this.#configuration.activations);
    this.#options.observer?.configured?.(this.#configuration);
    this.#inBackground(() => this.#startRecovery.look());
    this.#dispatcher.retryBlocked();
    this.#events.announce({ type: 'configuration' });
    return outcome;
  }

  health(): Health {
    return {
      state: this.#state,
      version: this.#options.version,
      startedAt: this.#startedAt,
      running: this.#queue.running,
      queued: this.#queue.waiting,
      problems: [
        ...this.#dispatcher.problems,
        ...this.#writeProblems.lines,
        ...this.#startRecovery.problems,
        ...(this.#warnings?.undelivered() ?? []),
      ],
    };
  }

  /**
   * No run begins any more; those under way may go on for `gracePeriodMs` (default: the
   * configuration's), and are then dropped or finished, whichever loses nothing. What
   * waits is made by the next daemon.
   */
  stop(options: { readonly gracePeriodMs?: number } = {}): Promise<void> {
    this.#stopped ??= this.#stop(options.gracePeriodMs ?? this.#configuration.daemon.gracePeriod);
    return this.#stopped;
  }

  async #stop(gracePeriodMs: number): Promise<void> {
    this.#state = 'stopping';
    this.#log.info({ running: this.#queue.running, queued: this.#queue.waiting }, 'stopping');
    this.#scheduler?.stop();
    this.#callOffTimeRules();
    this.#selfPause.close();
    this.#startRecovery.close();
    await Promise.all([this.#dispatcher.stop(gracePeriodMs), this.#plans.close(), this.#sideJobs.close()]);
    while (this.#background.size > 0) await Promise.all(this.#background);
    await this.#warnings?.close();
    await this.#requests.close();
    await this.#place.close();
    this.#log.info({ queued: this.#queue.waiting }, 'stopped');
  }

  #refuseWhileStopping(): void {
    if (this.#state === 'stopping') throw new SluiceError('SHUTTING_DOWN', 'the daemon is ending');
  }

  #passTime(): void {
    const lastSuccessAt = (name: string): Date | undefined => {
      const endedAt = this.#history.lastSuccess(name)?.endedAt;
      return endedAt === undefined ? undefined : new Date(endedAt);
    };
    const { activations } = this.#configuration;
    if (this.#warnings) this.#inBackground(() => this.#warnings!.timePassed(activations, lastSuccessAt));
    this.#inBackground(() => this.#writeProblems.lookAgain());
    this.#callOffTimeRules = this.#clock.after(TIME_RULES_EVERY_MS, () => this.#passTime());
  }

  #inBackground(act: () => Promise<void>): void {
    const done = act()
      .catch(error => this.#log.error({ error }, 'work in the background failed'))
      .finally(() => this.#background.delete(done));
    this.#background.add(done);
  }
}
