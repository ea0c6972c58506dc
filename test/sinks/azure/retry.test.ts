import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import { test } from 'node:test';
import {
  AttemptTimeout,
  type AttemptVerdict,
  type RetryOptions,
  withRetries,
} from '../../../src/sinks/azure/retry.ts';
import { TestClock } from '../support/test-clock.ts';

const TIMEOUT_MS = 1_000_000;
const RETRYABLE: AttemptVerdict = { retryable: true, throttled: false };

function setup(options: Partial<RetryOptions> = {}) {
  const clock = new TestClock(TIMEOUT_MS);
  const run = <T>(attempt: (signal: AbortSignal) => Promise<T>): Promise<T> =>
    withRetries(attempt, {
      budgetMs: 100_000,
      attemptTimeoutMs: TIMEOUT_MS,
      judge: () => RETRYABLE,
      signals: [],
      clock,
      ...options,
    });
  return { clock, run };
}

/** Fails so many times, then succeeds. */
function failing(times: number): () => Promise<number> {
  let tried = 0;
  return async () => {
    if (++tried > times) return tried;
    throw new Error(`attempt ${tried}`);
  };
}

/** As a request of the SDK: never answers, rejects when aborted. */
async function unanswered(signal: AbortSignal): Promise<never> {
  await once(signal, 'abort');
  throw new Error('the operation was aborted');
}

test('waits a random part of a time that doubles up to a ceiling', async () => {
  const { clock, run } = setup({ budgetMs: Number.POSITIVE_INFINITY });
  clock.chance = 0.5;
  assert.equal(await run(failing(9)), 10);
  assert.deepEqual(clock.waits, [125, 250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
});

test('waits no less than the service asks, and spreads those that were asked together', async () => {
  const { clock, run } = setup({ judge: () => ({ ...RETRYABLE, throttled: true, retryAfterMs: 7000 }) });
  clock.chance = 0.2;
  await run(failing(2));
  assert.deepEqual(clock.waits, [7050, 7100]);
});

test('gives up with the last failure when the next attempt would begin after the budget', async () => {
  const { clock, run } = setup({ budgetMs: 800 });
  clock.chance = 0.999;
  await assert.rejects(run(failing(9)), { message: 'attempt 3' });
  assert.equal(clock.waits.length, 2);
});

test('gives up at once when the service asks for a longer wait than the budget', async () => {
  const { clock, run } = setup({ judge: () => ({ ...RETRYABLE, retryAfterMs: 200_000 }) });
  await assert.rejects(run(failing(1)), { message: 'attempt 1' });
  assert.deepEqual(clock.waits, []);
});

test('does not repeat what will fail again', async () => {
  const { run } = setup({ judge: () => ({ retryable: false, throttled: false }) });
  await assert.rejects(run(failing(1)), { message: 'attempt 1' });
});

test('tells of every repetition, why and after how long', async () => {
  const told: unknown[] = [];
  const { clock, run } = setup({
    onRetry: ({ verdict, delayMs, error }) => told.push([verdict, delayMs, (error as Error).message]),
  });
  clock.chance = 0.4;
  await run(failing(1));
  assert.deepEqual(told, [[RETRYABLE, 100, 'attempt 1']]);
});

test('tells whoever judges a failure how long its attempt took', async () => {
  const seen: number[] = [];
  const { clock, run } = setup({
    judge: (_, tookMs) => {
      seen.push(tookMs);
      return RETRYABLE;
    },
  });
  clock.chance = 0.5;
  const steps = [7, 40];
  const slow = failing(2);
  await run(async () => {
    const ms = steps.shift();
    if (ms !== undefined) await new Promise<void>(resolve => clock.after(ms, resolve));
    return slow();
  });
  assert.deepEqual(seen, [7, 40]);
});

test('aborts an attempt that gets no answer and tries again', async () => {
  const { clock, run } = setup();
  let attempts = 0;
  const result = run(signal => {
    if (++attempts > 1) return Promise.resolve('answered');
    queueMicrotask(() => clock.endAttempts());
    return unanswered(signal);
  });
  assert.equal(await result, 'answered');
  assert.equal(attempts, 2);
  assert.equal(clock.attemptsUnderWay, 0);
});

test('fails with the timeout, not with how the abort was reported', async () => {
  const { clock, run } = setup({ budgetMs: 0 });
  clock.chance = 0.5;
  const result = run(signal => {
    queueMicrotask(() => clock.endAttempts());
    return unanswered(signal);
  });
  await assert.rejects(result, AttemptTimeout);
});

test('does not leave an attempt behind that has not settled', async () => {
  const { clock, run } = setup({ budgetMs: 0 });
  let settle = (): void => {};
  let aborted = false;
  const result = run(signal => {
    signal.addEventListener('abort', () => {
      aborted = true;
    });
    return new Promise((_, reject) => {
      settle = () => reject(new Error('aborted'));
    });
  });
  clock.chance = 0.5;
  let done = false;
  const watched = assert.rejects(result).then(() => {
    done = true;
  });
  clock.endAttempts();
  await new Promise(setImmediate);
  assert.deepEqual([aborted, done], [true, false]);
  settle();
  await watched;
});

test('stops attempts and waits as soon as any signal aborts, and leaves no listener behind', async () => {
  for (const which of [0, 1]) {
    const controllers = [new AbortController(), new AbortController()];
    const signals = controllers.map(({ signal }) => signal);
    const abort = () => controllers[which]!.abort(new Error('stopped'));
    const during = setup({ signals }).run(signal => {
      queueMicrotask(abort);
      return unanswered(signal);
    });
    await assert.rejects(during, { message: 'stopped' });
    const final = (): AttemptVerdict => ({ retryable: false, throttled: false });
    const before = setup({ signals, judge: final }).run(signal => {
      assert.ok(signal.aborted);
      return Promise.reject(new Error('aborted'));
    });
    await assert.rejects(before, { message: 'stopped' });
    for (const signal of signals) assert.deepEqual(getEventListeners(signal, 'abort'), []);
  }
  const controller = new AbortController();
  const { clock, run } = setup({
    signals: [controller.signal],
    onRetry: () => controller.abort(new Error('stopped')),
  });
  clock.chance = 0.5;
  await assert.rejects(run(failing(5)), { message: 'stopped' });
  assert.deepEqual(getEventListeners(controller.signal, 'abort'), []);
});
