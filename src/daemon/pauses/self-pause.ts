import type { DaemonClock } from '../../clock.ts';
import type { ResolvedActivation } from '../../config/activation.ts';
import { MAX_CORRECTION_MS } from '../../history/history-limits.ts';
import type { RunRecord } from '../../history/run-record.ts';
import type { Configuration } from '../configuration.ts';
import type { RunHistory } from '../history/run-history.ts';
import type { Pause } from '../operations.ts';
import type { Log } from '../parts.ts';
import type { Pauses } from './pauses.ts';

export interface SelfPauseOptions {
  readonly configuration: Configuration;
  readonly history: RunHistory;
  readonly pauses: Pauses;
  readonly clock: DaemonClock;
  readonly log: Log;
  /** Whether the source of the activation answers, and its query is accepted. */
  check(activation: ResolvedActivation): Promise<boolean>;
  onPaused(activation: ResolvedActivation, pause: Pause): Promise<void>;
  /** The check has passed. */
  resume(activation: string): Promise<void>;
}

/**
 * Pauses an activation whose source fails again and again, and looks after it, each time
 * after a longer while, until a check of the source passes.
 */
export class SelfPause {
  readonly #options: SelfPauseOptions;
  readonly #checks = new Map<string, () => void>();
  #isClosed = false;

  constructor(options: SelfPauseOptions) {
    this.#options = options;
  }

  /**
   * Goes on with the checks of activations that were paused when the daemon last ended.
   */
  start(): void {
    for (const name of this.#options.pauses.byFailures) this.#checkLater(name, 0);
  }

  async runEnded(record: RunRecord): Promise<void> {
    const { configuration, history, pauses, onPaused, log } = this.#options;
    const { activation: name, error } = record;
    const limit = configuration.daemon.pauseAfterFailures;
    const activation = configuration.find(name);
    if (limit === 0 || activation === undefined || pauses.get(name)) return;
    const since = this.#resumedAt(name);
    let failures = 0;
    for (const entry of history.inOrder(name).toReversed()) {
      if (!entry.failedAtSource || (entry.endedAt ?? '') <= since) break;
      failures++;
      if (failures === limit) break;
    }
    if (failures < limit) return;
    const reason = `the last ${failures} runs failed at the source: ${error?.message ?? ''}`;
    const pause = await pauses.pause(name, 'failures', reason);
    log.error({ activation: name }, `activation paused: ${reason}`);
    this.#checkLater(name, 0);
    await onPaused(activation, pause);
  }

  /**
   * The activation was resumed, or is paused by the user now: nobody has to look after
   * it.
   */
  forget(name: string): void {
    this.#checks.get(name)?.();
    this.#checks.delete(name);
  }

  close(): void {
    this.#isClosed = true;
    for (const name of [...this.#checks.keys()]) this.forget(name);
  }

  /**
   * A time to come is one of a clock that was set back since: no failure would count
   * before it.
   */
  #resumedAt(name: string): string {
    const { pauses, clock } = this.#options;
    const at = pauses.resumedAt(name) ?? '';
    return Date.parse(at) - clock.now().getTime() > MAX_CORRECTION_MS ? '' : at;
  }

  #checkLater(name: string, checksBefore: number): void {
    if (this.#isClosed) return;
    const { configuration, clock } = this.#options;
    const { minDelay, maxDelay } = configuration.daemon.retry;
    const delayMs = Math.min(maxDelay, minDelay * 2 ** Math.min(checksBefore, 30));
    this.forget(name);
    this.#checks.set(
      name,
      clock.after(delayMs, () => void this.#check(name, checksBefore)),
    );
  }

  async #check(name: string, checksBefore: number): Promise<void> {
    const { configuration, pauses, log, check, resume } = this.#options;
    const isMeant = (): boolean => !this.#isClosed && pauses.get(name)?.by === 'failures';
    const activation = configuration.find(name);
    if (!isMeant()) return;
    let passes = false;
    try {
      passes = activation !== undefined && (await check(activation));
      if (!isMeant()) return;
      if (passes) {
        log.info({ activation: name }, 'the source answers again: activation resumed');
        await resume(name);
        return;
      }
    } catch (error) {
      if (!isMeant()) return;
      log.warn({ activation: name, error }, 'the source of a paused activation could not be checked');
    }
    this.#checkLater(name, checksBefore + 1);
  }
}
