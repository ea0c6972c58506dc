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
  /** After this long no attempt begins any more. */
  readonly budgetMs: number;
  /** An attempt without an answer is aborted after this long. */
  readonly attemptTimeoutMs: number;
  readonly judge: (error: unknown) => AttemptVerdict;
  /** Any of them stops both attempts and waiting. */
  readonly signals: readonly AbortSignal[];
  readonly onRetry?: (verdict: AttemptVerdict, delayMs: number, error: unknown) => void;
  readonly clock?: RetryClock | undefined;
}

/** What an attempt failed with that was aborted for want of an answer. */
export class AttemptTimeout extends Error {
  override readonly name = 'AttemptTimeout';

  constructor(timeoutMs: number) {
    super(`no answer within ${Math.ceil(timeoutMs / 1000)} s`);
  }
}

const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 30_000;

/**
 * Runs `attempt` until it succeeds, fails for good, or the budget is spent; rejects with what the last attempt failed
 * with. Waits for a random part of a time that doubles (full jitter), and no less than the service asked for. `attempt`
 * must settle soon after its signal aborts; nothing here lets go of an attempt that still runs, because what it
 * sends must not change under it.
 */
export async function withRetries<T>(
  attempt: (signal: AbortSignal) => Promise<T>,
  options: RetryOptions,
): Promise<T> {
  const { budgetMs, judge, signals, onRetry, clock = systemClock } = options;
  const deadline = clock.now() + budgetMs;
  for (let tried = 1; ; tried++) {
    try {
      return await attemptOnce(attempt, options, clock);
    } catch (error) {
      for (const signal of signals) signal.throwIfAborted();
      const verdict = judge(error);
      if (!verdict.retryable) throw error;
      const delayMs = delayBefore(tried, verdict, clock);
      if (clock.now() + delayMs > deadline) throw error;
      onRetry?.(verdict, delayMs, error);
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
  attempt: (signal: AbortSignal) => Promise<T>,
  { attemptTimeoutMs, signals }: RetryOptions,
  clock: RetryClock,
): Promise<T> {
  const controller = new AbortController();
  let timeout: AttemptTimeout | undefined;
  const cancelTimer = clock.after(attemptTimeoutMs, () => {
    timeout = new AttemptTimeout(attemptTimeoutMs);
    controller.abort(timeout);
  });
  const release = onAbort(signals, () => controller.abort());
  try {
    return await attempt(controller.signal);
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

/** Calls `run` when any of the signals aborts, at once if one has. `AbortSignal.any` keeps memory on Node 20. */
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
