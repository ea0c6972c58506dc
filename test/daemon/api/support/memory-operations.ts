import { resolveActivation } from '../../../../src/config/activation.ts';
import { parseConfig } from '../../../../src/config/load.ts';
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
} from '../../../../src/daemon/operations.ts';
import { SluiceError } from '../../../../src/errors.ts';
import { newRunId } from '../../../../src/history/run-id.ts';
import { NO_COUNTS, type RunRecord } from '../../../../src/history/run-record.ts';
import type { RunState } from '../../../../src/history/run-state.ts';
import type { RunProgress } from '../../../../src/run/export-run.ts';
import type { Preview } from '../../../../src/run/preview.ts';
import type { Validation } from '../../../../src/run/validation/validate.ts';

const ENDED = new Set<RunState>(['succeeded', 'failed', 'held', 'cancelled', 'recovered']);

interface Activation {
  status: ActivationStatus;
  readonly keys: Map<string, string>;
}

/**
 * The contract of the daemon without runs of its own: a test says what becomes of each.
 */
export class MemoryOperations implements Operations {
  state: Health['state'] = 'ready';
  problems: string[] = [];
  queueLimit = 100;
  /** What the next call of that name rejects with. */
  readonly failures = new Map<keyof Operations, unknown>();
  /** The configuration that `reload` finds. */
  configText: string;
  /** Whether previews end only when they are aborted. */
  previewHangs = false;
  /** What they then reject with. */
  previewEnd = new SluiceError('CANCELLED', 'the preview was cancelled');
  /** Those that hang. */
  previewing = 0;
  aborted: string[] = [];
  readonly plans = new Map<string, PlanRecord>();
  readonly #activations = new Map<string, Activation>();
  readonly #runs = new Map<string, RunRecord>();
  readonly #listeners = new Map<string, Set<(event: RunEvent) => void>>();
  readonly #ofAll = new Set<(change: Change) => void>();
  #lastId = '';

  constructor(...names: string[]) {
    this.configText = configOf(names);
    for (const name of names) this.#activations.set(name, activationOf(name));
  }

  async trigger(request: TriggerRequest): Promise<Triggered> {
    this.#fail('trigger');
    if (this.state !== 'ready') throw new SluiceError('SHUTTING_DOWN', 'the daemon is ending');
    const { activation: name, trigger, idempotencyKey, full, allowRemovals } = request;
    const activation = this.#activation(name);
    const asked = {
      ...(full === undefined ? {} : { full }),
      ...(allowRemovals === undefined ? {} : { allowRemovals }),
    };
    const earlier = idempotencyKey === undefined ? undefined : activation.keys.get(idempotencyKey);
    if (earlier !== undefined) {
      const record = this.#record(earlier);
      if (JSON.stringify(record.asked) !== JSON.stringify(asked)) {
        throw new SluiceError(
          'IDEMPOTENCY_KEY_REUSED',
          `the key was used for run ${earlier} with other options`,
        );
      }
      return { record, isNew: false };
    }
    if (activation.status.paused) throw new SluiceError('ACTIVATION_PAUSED', `activation ${name} is paused`);
    if (activation.status.queued.length >= this.queueLimit) {
      throw new SluiceError('QUEUE_FULL', `${this.queueLimit} runs of ${name} wait already`);
    }
    const now = new Date();
    const record: RunRecord = {
      run: this.#newId(),
      activation: name,
      trigger,
      state: 'queued',
      runType: activation.status.runType,
      syncMode: activation.status.syncMode,
      full: full ?? false,
      generation: 0,
      previousGeneration: 0,
      startedAt: now.toISOString(),
      requestedAt: now.toISOString(),
      asked,
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      counts: NO_COUNTS,
      files: [],
      warnings: [],
    };
    if (idempotencyKey !== undefined) activation.keys.set(idempotencyKey, record.run);
    this.#runs.set(record.run, record);
    this.#update(activation);
    return { record, isNew: true };
  }

  async run(id: string): Promise<RunRecord> {
    this.#fail('run');
    return this.#record(id);
  }

  async runs({ activation, sees, states, before, limit }: RunQuery): Promise<RunPage> {
    this.#fail('runs');
    const isKnown = [...this.#runs.values()].some(record => record.activation === activation);
    if (activation !== undefined && !isKnown) this.#activation(activation);
    const fitting = [...this.#runs.values()]
      .filter(record => activation === undefined || record.activation === activation)
      .filter(record => sees?.(record.activation) ?? true)
      .filter(record => states === undefined || states.includes(record.state))
      .filter(record => before === undefined || record.run < before)
      .sort((a, b) => (a.run < b.run ? 1 : -1));
    return { records: fitting.slice(0, limit), more: fitting.length > limit };
  }

  async wait(
    id: string,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<RunRecord> {
    const { timeoutMs, signal } = options;
    if (ENDED.has(this.#record(id).state)) return this.#record(id);
    await new Promise<void>(resolve => {
      const stop = this.observe(id, event => {
        if (event.type === 'state' && ENDED.has(event.record.state)) done();
      });
      const timer = setTimeout(() => done(), timeoutMs);
      const onAbort = (): void => {
        this.aborted.push(`wait ${id}`);
        done();
      };
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        stop();
        resolve();
      };
      signal.addEventListener('abort', onAbort);
      if (signal.aborted) onAbort();
    });
    return this.#record(id);
  }

  async cancel(id: string): Promise<RunRecord> {
    this.#fail('cancel');
    const { state } = this.#record(id);
    return ENDED.has(state) || state === 'publishing' ? this.#record(id) : this.become(id, 'cancelled');
  }

  observe(id: string, listener: (event: RunEvent) => void): () => void {
    const listeners = this.#listeners.get(id) ?? new Set();
    this.#listeners.set(id, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(id);
    };
  }

  observeAll(listener: (change: Change) => void): () => void {
    this.#ofAll.add(listener);
    return () => this.#ofAll.delete(listener);
  }

  get listenersOfAll(): number {
    return this.#ofAll.size;
  }

  async configured(name: string): Promise<ActivationConfiguration> {
    this.#activation(name);
    return {
      activation: name,
      source: 'db',
      sql: 'select 1 as id',
      primaryKey: ['id'],
      url: 'https://acme.blob.core.windows.net/exports/',
      fileName: name,
      schedule: [{ entry: 'cron "0 7 * * *" UTC', words: 'at 07:00 every day (UTC)' }],
      upcoming: ['2025-04-15T07:00:00.000Z'],
      leftOut: [{ dueAt: '2025-04-14T07:00:00.000Z', reason: 'the activation is paused' }],
      settings: { name, format: { type: 'csv' } },
    };
  }

  async activations(): Promise<readonly ActivationStatus[]> {
    return [...this.#activations.values()].map(({ status }) => status);
  }

  async activation(name: string): Promise<ActivationStatus> {
    this.#fail('activation');
    return this.#activation(name).status;
  }

  async validate(name: string, signal: AbortSignal): Promise<Validation> {
    this.#fail('validate');
    this.#activation(name);
    signal.throwIfAborted();
    const error = new SluiceError('DESTINATION_PERMISSION', 'the SAS token lacks write (w)', {
      stage: 'destination',
    });
    return {
      activation: name,
      checks: [
        { check: 'names', outcome: 'passed', message: 'out.csv' },
        { check: 'sas', outcome: 'warned', message: 'the SAS token expires soon' },
        { check: 'destination', outcome: 'failed', error },
      ],
      columns: [
        { name: 'id', source: 'id', kind: 'numeric', sourceType: 'numeric(4,2)', precision: 4, scale: 2 },
      ],
      names: ['out.csv'],
      notes: [],
    };
  }

  async plan({ activation, ...asked }: PlanRequested): Promise<PlanRecord> {
    this.#fail('plan');
    this.#activation(activation);
    const record: PlanRecord = {
      plan: this.#newId(),
      activation,
      state: 'queued',
      asked,
      requestedAt: new Date().toISOString(),
    };
    this.plans.set(record.plan, record);
    return record;
  }

  async planned(id: string): Promise<PlanRecord> {
    this.#fail('planned');
    const record = this.plans.get(id);
    if (record === undefined) throw new SluiceError('PLAN_UNKNOWN', `there is no plan ${id}`);
    return record;
  }

  async preview(
    name: string,
    options: { readonly rows: number; readonly signal: AbortSignal },
  ): Promise<Preview> {
    const { rows, signal } = options;
    this.#fail('preview');
    this.#activation(name);
    if (this.previewHangs) {
      this.previewing++;
      await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve()));
      this.previewing--;
      this.aborted.push(`preview ${name}`);
      throw this.previewEnd;
    }
    const all: (string | null)[][] = [
      ['1', null],
      ['2', ''],
      ['3', 'ü\u0000"'],
    ];
    return {
      columns: [
        { name: 'id', source: 'id', kind: 'int64', sourceType: 'bigint' },
        { name: 'text', source: 't', kind: 'text', sourceType: 'text' },
      ],
      rows: all.slice(0, rows),
      cutValues: 0,
      complete: rows >= all.length,
    };
  }

  async pause(name: string, reason = 'paused by a user'): Promise<ActivationStatus> {
    this.#fail('pause');
    const activation = this.#activation(name);
    const paused = { by: 'user', since: new Date().toISOString(), reason } as const;
    activation.status = { ...activation.status, paused };
    this.#announce({ type: 'activation', name });
    return activation.status;
  }

  async resume(name: string): Promise<ActivationStatus> {
    this.#fail('resume');
    const activation = this.#activation(name);
    const { paused, ...status } = activation.status;
    activation.status = status;
    return status;
  }

  async reload(): Promise<ReloadOutcome> {
    this.#fail('reload');
    const { config } = parseConfig({ text: this.configText });
    const names = Object.keys(config.activations).map(name => resolveActivation(config, name).name);
    const added = names.filter(name => !this.#activations.has(name));
    const removed = [...this.#activations.keys()].filter(name => !names.includes(name));
    for (const name of removed) this.#activations.delete(name);
    for (const name of added) this.#activations.set(name, activationOf(name));
    this.#announce({ type: 'configuration' });
    return { added, removed, changed: [], settings: [], needsRestart: [] };
  }

  health(): Health {
    const states = [...this.#runs.values()].map(({ state }) => state);
    return {
      state: this.state,
      version: '1.2.3',
      startedAt: '2025-04-14T07:00:00.000Z',
      running: states.filter(state => state === 'reading' || state === 'publishing').length,
      queued: states.filter(state => state === 'queued').length,
      problems: this.problems,
    };
  }

  // What a test does with runs.

  /** Moves a run on, and tells those who listen. */
  become(id: string, state: RunState, more: Partial<RunRecord> = {}): RunRecord {
    const ended = ENDED.has(state) ? { endedAt: new Date().toISOString() } : {};
    const record = { ...this.#record(id), state, ...ended, ...more };
    this.#runs.set(id, record);
    const activation = this.#activations.get(record.activation);
    if (activation !== undefined) this.#update(activation);
    this.#emit(id, { type: 'state', record });
    return record;
  }

  /** The activation stands otherwise. */
  amend(name: string, more: Partial<ActivationStatus>): void {
    const activation = this.#activation(name);
    activation.status = { ...activation.status, ...more };
    this.#announce({ type: 'activation', name });
  }

  progress(id: string, rowsRead: number): void {
    const progress: RunProgress = {
      phase: 'reading',
      rowsRead,
      rowsWritten: 0,
      bytesStaged: 0,
      blocksStaged: 0,
      part: 1,
    };
    this.#emit(id, { type: 'progress', run: id, progress });
  }

  listenersOf(id: string): number {
    return this.#listeners.get(id)?.size ?? 0;
  }

  runCount(): number {
    return this.#runs.size;
  }

  #emit(id: string, event: RunEvent): void {
    for (const listener of this.#listeners.get(id) ?? []) listener(event);
    this.#announce(event);
  }

  #announce(change: Change): void {
    for (const listener of this.#ofAll) listener(change);
  }

  #fail(operation: keyof Operations): void {
    if (!this.failures.has(operation)) return;
    const error = this.failures.get(operation);
    this.failures.delete(operation);
    throw error;
  }

  /** Ids rise, also within a millisecond. */
  #newId(): string {
    let id = newRunId(new Date());
    while (id <= this.#lastId) id = newRunId(new Date());
    this.#lastId = id;
    return id;
  }

  #record(id: string): RunRecord {
    const record = this.#runs.get(id);
    if (record === undefined) throw new SluiceError('RUN_UNKNOWN', `there is no run ${id}`);
    return record;
  }

  #activation(name: string): Activation {
    const activation = this.#activations.get(name);
    if (activation !== undefined) return activation;
    const known = [...this.#activations.keys()].join(', ');
    throw new SluiceError(
      'NAME_UNKNOWN',
      `there is no activation ${JSON.stringify(name)}; there are: ${known}`,
    );
  }

  #update(activation: Activation): void {
    const { running, lastRun, ...status } = activation.status;
    const own = [...this.#runs.values()].filter(record => record.activation === status.name);
    const now = own.find(({ state }) => state === 'reading' || state === 'publishing');
    const last = own.filter(({ state }) => ENDED.has(state)).at(-1);
    activation.status = {
      ...status,
      queued: own.filter(({ state }) => state === 'queued').map(({ run }) => run),
      ...(now === undefined ? {} : { running: now.run }),
      ...(last === undefined ? {} : { lastRun: last }),
      recent: [
        ...status.recent.filter(({ run }) => !this.#runs.has(run)),
        ...own
          .filter(({ state }) => ENDED.has(state))
          .map(({ run, state, startedAt, counts: { added, updated, removed, written, bytes } }) => {
            return { run, state, startedAt, seconds: 1.5, added, updated, removed, written, bytes };
          }),
      ],
    };
  }
}

function activationOf(name: string): Activation {
  return {
    status: {
      name,
      model: 'customers',
      destination: 'lake',
      format: 'csv',
      runType: 'full_only',
      syncMode: 'snapshot',
      queued: [],
      recent: [],
      warnings: [],
    },
    keys: new Map(),
  };
}

export function configOf(names: readonly string[]): string {
  const activation = (name: string) => ({
    model: 'customers',
    destination: 'lake',
    fileName: name,
    format: { type: 'csv' },
  });
  return JSON.stringify({
    version: 1,
    sources: { db: { type: 'postgres', url: 'postgres://localhost/crm' } },
    destinations: {
      lake: {
        type: 'azure-blob',
        accountUrl: 'https://acme.blob.core.windows.net',
        container: 'exports',
        auth: { accountKey: 'a2V5LW9mLXRoZS1hY2NvdW50' },
      },
    },
    models: { customers: { source: 'db', sql: 'select 1 as id', primaryKey: ['id'] } },
    activations: Object.fromEntries(names.map(name => [name, activation(name)])),
  });
}
