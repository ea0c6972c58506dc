import { unknownNameError } from '../../config/checks/nearest-name.ts';
import { SluiceError } from '../../errors.ts';
import type { RunRecord } from '../../history/run-record.ts';
import type { Preview } from '../../run/preview.ts';
import type { Validation } from '../../run/validation/validate.ts';
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
} from '../operations.ts';

/**
 * What a token may see of the daemon: to it, other activations and their runs are not
 * there.
 */
export class ScopedOperations implements Operations {
  readonly #operations: Operations;
  readonly #sees: (activation: string) => boolean;

  constructor(operations: Operations, sees: (activation: string) => boolean) {
    this.#operations = operations;
    this.#sees = sees;
  }

  trigger(request: TriggerRequest): Promise<Triggered> {
    return this.#ofSeen(request.activation, () => this.#operations.trigger(request));
  }

  async run(id: string): Promise<RunRecord> {
    const record = await this.#operations.run(id);
    if (this.#sees(record.activation)) return record;
    throw new SluiceError('RUN_UNKNOWN', `there is no run ${id}`);
  }

  async runs(query: RunQuery): Promise<RunPage> {
    const seen: RunQuery = { ...query, sees: this.#sees };
    return query.activation === undefined
      ? this.#operations.runs(seen)
      : this.#ofSeen(query.activation, () => this.#operations.runs(seen));
  }

  async wait(...[id, options]: Parameters<Operations['wait']>): Promise<RunRecord> {
    await this.run(id);
    return this.#operations.wait(id, options);
  }

  async cancel(id: string): Promise<RunRecord> {
    await this.run(id);
    return this.#operations.cancel(id);
  }

  /** Whoever observes a run asks for it first, or sends nothing before the answer. */
  observe(id: string, listener: (event: RunEvent) => void): () => void {
    return this.#operations.observe(id, listener);
  }

  observeAll(listener: (change: Change) => void): () => void {
    const seen = new Map<string, Promise<boolean>>();
    let isOver = false;
    const stop = this.#operations.observeAll(change => {
      if (change.type === 'configuration') listener(change);
      else if (change.type === 'activation') {
        if (this.#sees(change.name)) listener(change);
      } else if (change.type === 'state') {
        if (this.#sees(change.record.activation)) listener(change);
      } else {
        const { run } = change;
        // Progress does not say of which activation it is.
        const isSeen =
          seen.get(run) ??
          this.run(run).then(
            () => true,
            () => false,
          );
        seen.set(run, isSeen);
        void isSeen.then(isSeen => {
          if (isSeen && !isOver) listener(change);
        });
      }
    });
    return () => {
      isOver = true;
      stop();
    };
  }

  async activations(): Promise<readonly ActivationStatus[]> {
    return (await this.#operations.activations()).filter(({ name }) => this.#sees(name));
  }

  activation(name: string): Promise<ActivationStatus> {
    return this.#ofSeen(name, () => this.#operations.activation(name));
  }

  configured(name: string): Promise<ActivationConfiguration> {
    return this.#ofSeen(name, () => this.#operations.configured(name));
  }

  validate(name: string, signal: AbortSignal): Promise<Validation> {
    return this.#ofSeen(name, () => this.#operations.validate(name, signal));
  }

  plan(request: PlanRequested): Promise<PlanRecord> {
    return this.#ofSeen(request.activation, () => this.#operations.plan(request));
  }

  async planned(...[id, wait]: Parameters<Operations['planned']>): Promise<PlanRecord> {
    const { activation } = await this.#operations.planned(id);
    if (this.#sees(activation)) return this.#operations.planned(id, wait);
    throw new SluiceError('PLAN_UNKNOWN', `there is no plan ${id}`);
  }

  preview(...[name, options]: Parameters<Operations['preview']>): Promise<Preview> {
    return this.#ofSeen(name, () => this.#operations.preview(name, options));
  }

  pause(name: string, reason?: string): Promise<ActivationStatus> {
    return this.#ofSeen(name, () => this.#operations.pause(name, reason));
  }

  resume(name: string): Promise<ActivationStatus> {
    return this.#ofSeen(name, () => this.#operations.resume(name));
  }

  async reload(): Promise<ReloadOutcome> {
    throw new SluiceError('FORBIDDEN', 'the token is for some activations, and a reload concerns all', {
      hint: 'use a token with may: write and without activations',
    });
  }

  /** What is wrong elsewhere may name what the token does not see. */
  health(): Health {
    return { ...this.#operations.health(), problems: [] };
  }

  /** NAME_UNKNOWN names what the token sees, and nothing else. */
  async #ofSeen<T>(name: string, act: () => Promise<T>): Promise<T> {
    try {
      if (this.#sees(name)) return await act();
    } catch (error) {
      if (!(error instanceof SluiceError && error.code === 'NAME_UNKNOWN')) throw error;
    }
    const names = (await this.activations()).map(activation => activation.name);
    throw unknownNameError('activation', name, names);
  }
}
