import type { Pause } from './operations.ts';
import type { DaemonClock, DocumentStore } from './parts.ts';

const DOCUMENT = 'pauses';

interface KeptPauses {
  readonly version: 1;
  readonly pauses: Readonly<Record<string, Pause>>;
  /** When an activation was last resumed: failures before that count no more. */
  readonly resumed: Readonly<Record<string, string>>;
}

/** Which activations are paused, and since when; kept on disk. */
export class Pauses {
  readonly #store: DocumentStore;
  readonly #clock: DaemonClock;
  readonly #pauses: Map<string, Pause>;
  readonly #resumed: Map<string, string>;

  private constructor(store: DocumentStore, clock: DaemonClock, kept: KeptPauses | undefined) {
    this.#store = store;
    this.#clock = clock;
    this.#pauses = new Map(Object.entries(kept?.pauses ?? {}));
    this.#resumed = new Map(Object.entries(kept?.resumed ?? {}));
  }

  static async open(store: DocumentStore, clock: DaemonClock): Promise<Pauses> {
    return new Pauses(store, clock, (await store.read(DOCUMENT)) as KeptPauses | undefined);
  }

  get(activation: string): Pause | undefined {
    return this.#pauses.get(activation);
  }

  get byFailures(): readonly string[] {
    return [...this.#pauses].filter(([, { by }]) => by === 'failures').map(([name]) => name);
  }

  resumedAt(activation: string): string | undefined {
    return this.#resumed.get(activation);
  }

  /** A pause by the user takes the place of one by failures, and never the other way round. */
  async pause(activation: string, by: Pause['by'], reason: string): Promise<Pause> {
    const present = this.#pauses.get(activation);
    if (present && (present.by === 'user' || present.by === by)) return present;
    const pause: Pause = { by, since: this.#clock.now().toISOString(), reason };
    this.#pauses.set(activation, pause);
    await this.#write();
    return pause;
  }

  /** Whether it was paused. */
  async resume(activation: string): Promise<boolean> {
    if (!this.#pauses.delete(activation)) return false;
    this.#resumed.set(activation, this.#clock.now().toISOString());
    await this.#write();
    return true;
  }

  #write(): Promise<void> {
    const kept: KeptPauses = {
      version: 1,
      pauses: Object.fromEntries(this.#pauses),
      resumed: Object.fromEntries(this.#resumed),
    };
    return this.#store.write(DOCUMENT, kept);
  }
}
