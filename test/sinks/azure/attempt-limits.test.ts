import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RestError } from '@azure/storage-blob';
import { isTooSlow } from '../../../src/sinks/azure/attempt-limits.ts';
import { AttemptTimeout } from '../../../src/sinks/azure/retry.ts';

const HOUR_MS = 3_600_000;
const refused = (statusCode: number, code?: string): RestError =>
  new RestError('refused', { statusCode, ...(code !== undefined && { code }) });
const failed = (code: string): Error => Object.assign(new Error(code), { code });

test('a block is too slow that stood still, or whose request somebody ended by its time', () => {
  assert.equal(isTooSlow(new AttemptTimeout(30_000), 0), true);
  assert.equal(isTooSlow(refused(408), 0), true);
  assert.equal(isTooSlow(refused(504), 0), true);
  assert.equal(isTooSlow(refused(500, 'OperationTimedOut'), 0), true);
  assert.equal(isTooSlow(failed('ECONNRESET'), 10_000), true);
});

test('a block is not too slow that failed soon, was throttled, or was never sent', () => {
  assert.equal(isTooSlow(failed('ECONNRESET'), 9_999), false);
  assert.equal(isTooSlow(refused(503, 'ServerBusy'), HOUR_MS), false);
  assert.equal(isTooSlow(refused(429), HOUR_MS), false);
  assert.equal(isTooSlow(refused(403, 'AuthorizationFailure'), HOUR_MS), false);
  assert.equal(isTooSlow(failed('ECONNREFUSED'), HOUR_MS), false);
});
