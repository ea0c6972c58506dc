import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_BLOCK_BYTES, rollPolicy } from '../../src/sinks/roll-policy.ts';

const MiB = 1024 ** 2;

test('takes blocks of 8 MiB, larger ones where a file would take too many, never more than a file', () => {
  assert.equal(rollPolicy({}).blockBytes, 8 * MiB);
  assert.equal(rollPolicy({ maxFileBytes: 1024 * MiB }).blockBytes, 8 * MiB);
  const tebibyte = 1024 ** 4;
  const { blockBytes, maxBlocks } = rollPolicy({ maxFileBytes: tebibyte });
  assert.equal(blockBytes, Math.ceil(tebibyte / 45_000));
  assert.ok(blockBytes * maxBlocks >= tebibyte);
  assert.equal(rollPolicy({ maxFileBytes: 1000 }).blockBytes, 1000);
  assert.equal(rollPolicy({ maxFileBytes: 4000 * tebibyte }).blockBytes, MAX_BLOCK_BYTES);
});

test('refuses limits that are no whole numbers above 0', () => {
  for (const bad of [0, -1, 1.5, Number.NaN]) {
    assert.throws(() => rollPolicy({ maxFileBytes: bad }), RangeError);
    assert.throws(() => rollPolicy({ maxFileRows: bad }), RangeError);
    assert.throws(() => rollPolicy({ blockBytes: bad }), RangeError);
  }
});
