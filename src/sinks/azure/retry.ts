import { setMaxListeners } from 'node:events';

/** What a failed attempt says about trying again. */
export interface AttemptVerdict {
  readonly retryable: boolean;
  /** The service asked for less, rather than failed. */
  readonly throttled: boolean;
  /** The least time to wait, as the service asked. */
  readonly retryAfterMs?: number | undefined;
}

/** Time and chance, to be replaced in tests. */
export interface RetryClock {
  /** Milliseconds that only grow. */
  now(): number;
  /** 0 ≤ x < 1. */
  random(): number;
  /** Calls `run` after `ms`; the result cancels that. */
  after(ms: number, run: () => void): () => void;
}

export const systemClock: RetryClock = {
  now: () => performance.now(),
  random: Math.random,
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

export interface RetryOptions {
  /**
   * After this long, not counting the time in which bytes moved, no attempt begins any
   * more.
   */
  readonly budgetMs: number;
  /** An attempt is aborted when this long nothing moved. */
  readonly attemptTimeoutMs: number;
  /** `tookMs` is how long the attempt took that failed. */
  readonly judge: (error: unknown, tookMs: number) => AttemptVerdict;
  /** Any of them stops both attempts and waiting. */
  readonly signals: readonly AbortSignal[];
  readonly onRetry?: (retry: Retry) => void;
  readonly clock?: RetryClock | undefined;
}

export interface Retry {
  readonly verdict: AttemptVerdict;
  readonly error: unknown;
  readonly delayMs: number;
  /** Time that is left for further attempts. */
  readonly leftMs: number;
}

/**
 * Called by an attempt as often as bytes move: its limit is counted from then on again.
 */
export type ReportProgress = () => void;

/** What an attempt failed with that was aborted because nothing moved. */
export class AttemptTimeout extends Error {
  override readonly name = 'AttemptTimeout';

  constructor(timeoutMs: number) {
    super(`no answer within ${Math.ceil(timeoutMs / 1000)} s, and nothing moved`);
  }
}

export type Attempt<T> = (signal: AbortSignal, moving: ReportProgress) => Promise<T>;

const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 30_000;

/**
 * Runs `attempt` until it succeeds, fails for good, or the budget is spent; rejects with
 * what the last attempt failed with. Waits for a random part of a time that doubles (full
 * jitter), and no less than the service asked for. `attempt` must settle soon after its
 * signal aborts; nothing here lets go of an attempt that still runs, because what it
 * sends must not change under it.
 */
export async function withRetries<T>(attempt: Attempt<T>, options: RetryOptions): Promise<T> {
  const { budgetMs, judge, signals, onRetry, clock = systemClock } = options;
  let deadline = clock.now() + budgetMs;
  for (let tried = 1; ; tried++) {
    const began = clock.now();
    let moved = began;
    const onProgress = (): void => {
      moved = clock.now();
    };
    try {
      return await attemptOnce(attempt, options, clock, onProgress);
    } catch (error) {
      for (const signal of signals) signal.throwIfAborted();
      const verdict = judge(error, clock.now() - began);
      if (!verdict.retryable) throw error;
      const delayMs = delayBefore(tried, verdict, clock);
      deadline += moved - began;
      const leftMs = deadline - clock.now() - delayMs;
      if (leftMs < 0) throw error;
      onRetry?.({ verdict, error, delayMs, leftMs });
      await sleep(delayMs, signals, clock);
    }
  }
}

function delayBefore(tried: number, { retryAfterMs = 0 }: AttemptVerdict, clock: RetryClock): number {
  const ceiling = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (tried - 1));
  // What is asked of all clients at once is spread too.
  return retryAfterMs + clock.random() * ceiling;
}

async function attemptOnce<T>(
  attempt: Attempt<T>,
  { attemptTimeoutMs, signals }: RetryOptions,
  clock: RetryClock,
  onProgress: () => void,
): Promise<T> {
  const controller = new AbortController();
  let timeout: AttemptTimeout | undefined;
  const startTimer = (): (() => void) =>
    clock.after(attemptTimeoutMs, () => {
      timeout = new AttemptTimeout(attemptTimeoutMs);
      controller.abort(timeout);
    });
  let cancelTimer = startTimer();
  const release = onAbort(signals, () => controller.abort());
  const moving: ReportProgress = () => {
    onProgress();
    if (controller.signal.aborted) return;
    cancelTimer();
    cancelTimer = startTimer();
  };
  try {
    return await attempt(controller.signal, moving);
  } catch (error) {
    // The SDK reports every abort alike.
    throw timeout ?? error;
  } finally {
    cancelTimer();
    release();
  }
}

async function sleep(ms: number, signals: readonly AbortSignal[], clock: RetryClock): Promise<void> {
  let release = () => {};
  await new Promise<void>(resolve => {
    const cancelTimer = clock.after(ms, resolve);
    release = onAbort(signals, () => {
      cancelTimer();
      resolve();
    });
  }).finally(() => release());
  for (const signal of signals) signal.throwIfAborted();
}

/**
 * Calls `run` when any of the signals aborts, at once if one has. `AbortSignal.any` keeps
 * memory on Node 20.
 */
function onAbort(signals: readonly AbortSignal[], run: () => void): () => void {
  for (const signal of signals) {
    setMaxListeners(0, signal);
    signal.addEventListener('abort', run, { once: true });
  }
  if (signals.some(({ aborted }) => aborted)) run();
  return () => {
    for (const signal of signals) signal.removeEventListener('abort', run);
  };
}
