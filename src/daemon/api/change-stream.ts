import type { ServerResponse } from 'node:http';
import type { RunRecord } from '../../history/run-record.ts';
import type { RunProgress } from '../../run/export-run.ts';
import type { Change } from '../operations.ts';
import { EventWriter } from './event-writer.ts';
import type { Services } from './route.ts';
import { listedActivation } from './schemas/activation-schema.ts';
import { listedRun } from './schemas/run-schema.ts';

/** Changes that come close together are told together. */
const GATHER_MS = 100;

/**
 * Sends whatever changes of activations and runs, until `signal` aborts. Of each
 * activation, run and progress only the newest is told, so a slow reader misses steps and
 * never the end. Throws TOO_MANY_REQUESTS while there are too many streams.
 */
export function openChangeStream(
  services: Services,
  signal: AbortSignal,
): { readonly stream: (response: ServerResponse) => void } {
  const release = services.eventStreams.take();
  return {
    stream: response => {
      const changes = new GatheredChanges(
        new EventWriter(response, services.limits, services.toJson),
        services,
      );
      const stop = services.operations.observeAll(change => changes.add(change));
      signal.addEventListener('abort', () => {
        stop();
        release();
        changes.end();
      });
      changes.begin();
      if (signal.aborted) changes.end();
    },
  };
}

class GatheredChanges {
  readonly #writer: EventWriter;
  readonly #services: Services;
  readonly #activations = new Set<string>();
  readonly #runs = new Map<string, RunRecord>();
  readonly #progress = new Map<string, RunProgress & { readonly run: string }>();
  #isReloaded = false;
  #timer: NodeJS.Timeout | undefined;
  #isTelling = false;

  constructor(writer: EventWriter, services: Services) {
    this.#writer = writer;
    this.#services = services;
  }

  begin(): void {
    this.#writer.begin(() => this.#tellSoon());
  }

  add(change: Change): void {
    if (change.type === 'configuration') this.#isReloaded = true;
    else if (change.type === 'activation') this.#activations.add(change.name);
    else if (change.type === 'progress')
      this.#progress.set(change.run, { run: change.run, ...change.progress });
    else {
      const { record } = change;
      this.#runs.set(record.run, record);
      this.#progress.delete(record.run);
      this.#activations.add(record.activation);
    }
    this.#tellSoon();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#writer.end();
  }

  get #hasNews(): boolean {
    return this.#isReloaded || this.#activations.size + this.#runs.size + this.#progress.size > 0;
  }

  #tellSoon(): void {
    if (this.#timer !== undefined || this.#isTelling || this.#writer.isBlocked || !this.#hasNews) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#isTelling = true;
      void this.#tell().finally(() => {
        this.#isTelling = false;
        this.#tellSoon();
      });
    }, GATHER_MS);
  }

  async #tell(): Promise<void> {
    const writer = this.#writer;
    if (writer.isOver) return;
    if (this.#isReloaded) writer.write('configuration', { reloaded: true });
    this.#isReloaded = false;
    for (const record of takeAll(this.#runs)) writer.write('run', listedRun(record));
    for (const progress of takeAll(this.#progress)) writer.write('progress', progress);
    const names = [...this.#activations];
    this.#activations.clear();
    // One that was removed by a reload is left out: that is told by itself.
    const standing = await Promise.all(
      names.map(name => this.#services.operations.activation(name).catch(() => undefined)),
    );
    for (const status of standing) if (status) writer.write('activation', listedActivation(status));
  }
}

function takeAll<T>(pending: Map<string, T>): T[] {
  const all = [...pending.values()];
  pending.clear();
  return all;
}
