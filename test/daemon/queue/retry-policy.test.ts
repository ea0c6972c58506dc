import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { lockedDelayMs, retryDelayMs } from '../../../src/daemon/queue/retry-policy.ts';
import type { ErrorCategory } from '../../../src/errors.ts';

const LIMITS = { minDelay: 10_000, maxDelay: 600_000 };
const most = (category: ErrorCategory, failures: number): number =>
  retryDelayMs({ category }, failures, LIMITS, () => 1);

test('the longest pause doubles from the configured one to the configured limit', () => {
  const pauses = [1, 2, 3, 4, 7, 8, 100].map(failures => most('connection', failures));
  assert.deepEqual(pauses, [10_000, 20_000, 40_000, 80_000, 600_000, 600_000, 600_000]);
});

test('a rate limit is given more time', () => {
  assert.equal(most('rate limit', 1), 30_000);
  assert.equal(most('rate limit', 100), 1_800_000);
});

test('runs that failed together come back spread over the pause', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (failures, chance) => {
        const ceiling = most('timeout', failures);
        const pause = retryDelayMs({ category: 'timeout' }, failures, LIMITS, () => chance);
        assert.ok(pause >= ceiling / 10 && pause <= ceiling, `${pause} of ${ceiling}`);
      },
    ),
  );
});

test('a locked state folder is looked at again within seconds', () => {
  assert.equal(
    lockedDelayMs(1, () => 1),
    250,
  );
  assert.equal(
    lockedDelayMs(1000, () => 1),
    5_000,
  );
  assert.ok(lockedDelayMs(1, () => 0) > 0);
});
