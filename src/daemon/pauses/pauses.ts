import * as z from 'zod';
import type { DaemonClock } from '../../clock.ts';
import { KeptDocument } from '../documents/kept-document.ts';
import type { Pause } from '../operations.ts';
import type { DocumentStore } from '../parts.ts';

const DOCUMENT = 'pauses';

const instant = z.iso.datetime();
const keptPauses = z.strictObject({
  version: z.literal(1),
  pauses: z.record(
    z.string(),
    z.strictObject({ by: z.enum(['user', 'failures']), since: instant, reason: z.string() }),
  ),
  /** When an activation was last resumed: failures before that count no more. */
  resumed: z.record(z.string(), instant),
});
type KeptPauses = z.output<typeof keptPauses>;

/** Which activations are paused, and since when; kept on disk. */
export class Pauses {
  readonly #document: KeptDocument<KeptPauses>;
  readonly #clock: DaemonClock;
  readonly #pauses: Map<string, Pause>;
  readonly #resumed: Map<string, string>;

  private constructor(document: KeptDocument<KeptPauses>, clock: DaemonClock, kept: KeptPauses | undefined) {
    this.#document = document;
    this.#clock = clock;
    this.#pauses = new Map(Object.entries(kept?.pauses ?? {}));
    this.#resumed = new Map(Object.entries(kept?.resumed ?? {}));
  }

  /**
   * Rejects with STATE_DAMAGED where what is kept cannot be understood: to begin runs
   * that somebody stopped would be wrong.
   */
  static async open(store: DocumentStore, clock: DaemonClock): Promise<Pauses> {
    const document = new KeptDocument({
      store,
      name: DOCUMENT,
      schema: keptPauses,
      misfit: 'is not a list of pauses',
      hint: 'bring it back from a backup of the data directory; or delete it, which ends all pauses',
    });
    return new Pauses(document, clock, await document.read());
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

  /**
   * A pause by the user takes the place of one by failures, and never the other way
   * round. One that cannot be written holds all the same, and is written with the next
   * change, or when it is asked for again.
   */
  async pause(activation: string, by: Pause['by'], reason: string): Promise<Pause> {
    const present = this.#pauses.get(activation);
    const stays = present !== undefined && (present.by === 'user' || present.by === by);
    const pause: Pause = stays ? present : { by, since: this.#clock.now().toISOString(), reason };
    this.#pauses.set(activation, pause);
    await this.#keep();
    return pause;
  }

  /** Whether it was paused. Where that cannot be written, it still is. */
  async resume(activation: string): Promise<boolean> {
    const pause = this.#pauses.get(activation);
    if (pause === undefined) return false;
    this.#pauses.delete(activation);
    this.#resumed.set(activation, this.#clock.now().toISOString());
    try {
      await this.#keep();
    } catch (error) {
      if (!this.#pauses.has(activation)) this.#pauses.set(activation, pause);
      throw error;
    }
    return true;
  }

  #keep(): Promise<void> {
    return this.#document.save(() => ({
      version: 1,
      pauses: Object.fromEntries(this.#pauses),
      resumed: Object.fromEntries(this.#resumed),
    }));
  }
}
