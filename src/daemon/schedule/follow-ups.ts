import * as z from 'zod';
import type { ResolvedActivation } from '../../config/activation.ts';
import { SluiceError } from '../../errors.ts';
import { KeptDocument } from '../documents/kept-document.ts';
import type { FollowTarget, SchedulerOptions, Success } from '../parts.ts';

/** Name of the document that says which successes were followed. */
export const FOLLOWED_DOCUMENT = 'followed';

/**
 * A run that could not be accepted is asked for again then, and a success that a command
 * made beside the daemon is noticed: nobody tells of it.
 */
const LOOK_AGAIN_AFTER_MS = 10_000;
/** In the place of a run, where there was no success yet. */
const NONE = '';

const followedDocument = z.strictObject({
  version: z.literal(1),
  /** By activation, then by the other one: the last of its runs that was followed. */
  followed: z.record(z.string(), z.record(z.string(), z.string())),
});

/**
 * Begins the runs of `after`: one for each success of the other activation, in their
 * order, also for those that came while the daemon was down. What has not been seen
 * before follows nothing that lies behind it.
 */
export class FollowUps {
  readonly #options: SchedulerOptions<FollowTarget>;
  readonly #document: KeptDocument<z.output<typeof followedDocument>>;
  #followed: Map<string, Map<string, string>> | undefined;
  /** One look at a time. */
  #looking: Promise<void> = Promise.resolve();
  #cancelTimer: (() => void) | undefined;
  #stopped = false;

  constructor(options: SchedulerOptions<FollowTarget>) {
    this.#options = options;
    const hint = 'successes until now are not followed';
    this.#document = new KeptDocument({
      store: options.documents,
      name: FOLLOWED_DOCUMENT,
      schema: followedDocument,
      hint,
    });
  }

  /** Takes the place of what was configured before. */
  async schedule(activations: readonly ResolvedActivation[]): Promise<void> {
    await this.#looking;
    const known = this.#followed ?? (await this.#known());
    const followed = new Map<string, Map<string, string>>();
    for (const { name, schedule } of activations) {
      for (const entry of schedule) {
        if (!('after' in entry)) continue;
        const last = known.get(name)?.get(entry.after) ?? (await this.#lastSuccess(entry.after));
        followed.set(name, (followed.get(name) ?? new Map<string, string>()).set(entry.after, last));
      }
    }
    this.#followed = followed;
    await this.#save();
    await this.look();
  }

  /** Follows what has not been followed. */
  look(): Promise<void> {
    this.#looking = this.#looking
      .then(() => this.#lookAtAll())
      .catch(error => this.#options.log.error({ error }, 'what runs come after others cannot be told'))
      .then(() => this.#lookAgain());
    return this.#looking;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer?.();
  }

  async #lookAtAll(): Promise<void> {
    for (const [name, others] of this.#followed ?? []) {
      for (const [other, last] of others) {
        const successes = await this.#options.target.successesOf(other);
        for (const success of newerThan(last, successes)) {
          if (this.#stopped) return;
          if (!(await this.#follow(name, other, success))) break;
          others.set(other, success.run);
          await this.#save();
        }
      }
    }
  }

  /** Whether that is settled, by a run that is accepted or by leaving it out. */
  async #follow(activation: string, other: string, success: Success): Promise<boolean> {
    const { target, log } = this.#options;
    const fields = { activation, after: `${other} ${success.run}` };
    if (target.isPaused(activation)) {
      log.info(fields, 'a run after another is left out: the activation is paused');
      return true;
    }
    try {
      await target.follow(activation, other, success);
      return true;
    } catch (error) {
      // A daemon that is ending leaves the run to the next start.
      const again = !(error instanceof SluiceError) || error.retryable;
      if (again)
        log.warn({ ...fields, error }, 'a run after another was not accepted and is asked for again');
      else log.error({ ...fields, error }, 'a run after another was refused');
      return !again;
    }
  }

  #lookAgain(): void {
    this.#cancelTimer?.();
    if (this.#stopped || !this.#followed?.size) return;
    this.#cancelTimer = this.#options.clock.after(LOOK_AGAIN_AFTER_MS, () => void this.look());
  }

  async #lastSuccess(activation: string): Promise<string> {
    return (await this.#options.target.successesOf(activation)).at(-1)?.run ?? NONE;
  }

  async #known(): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
    try {
      const { followed = {} } = (await this.#document.read()) ?? {};
      return new Map(
        Object.entries(followed).map(([name, others]) => [name, new Map(Object.entries(others))]),
      );
    } catch (error) {
      this.#options.log.error({ error }, 'runs after others that were missed cannot be told');
      return new Map();
    }
  }

  /**
   * A failure is logged: at worst a run is asked for again after a restart, which makes
   * none.
   */
  async #save(): Promise<void> {
    const followed = Array.from(this.#followed ?? [], ([name, others]) => [name, Object.fromEntries(others)]);
    try {
      await this.#document.save(() => ({ version: 1, followed: Object.fromEntries(followed) }));
    } catch (error) {
      this.#options.log.error({ error }, 'which runs were followed cannot be kept');
    }
  }
}

/** By their order; by their ids where the last one is no longer there. */
function newerThan(last: string, successes: readonly Success[]): readonly Success[] {
  const at = successes.findIndex(({ run }) => run === last);
  return at >= 0 ? successes.slice(at + 1) : successes.filter(({ run }) => run > last);
}
