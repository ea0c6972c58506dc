import assert from 'node:assert/strict';
import { setTimeout as passed } from 'node:timers/promises';

/** Many times what any answer on the same machine takes, however busy that is. */
const PATIENCE_MS = 120_000;
const LOOK_EVERY_MS = 2;

/**
 * As soon as it holds. For what gives no event: the processor is left to others
 * meanwhile.
 */
export async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!holds()) {
    assert.ok(performance.now() < deadline, `it did not come about that ${what}`);
    await passed(LOOK_EVERY_MS);
  }
}

/** What the promise comes to. Fails where nothing comes of it. */
export async function soon<T>(promise: Promise<T>, what: string): Promise<T> {
  const settled = new AbortController();
  const never = passed(PATIENCE_MS, undefined, { signal: settled.signal }).then(
    () => assert.fail(`it did not come about that ${what}`),
    () => promise,
  );
  try {
    return await Promise.race([promise, never]);
  } finally {
    settled.abort();
  }
}
