import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockIds } from '../../src/sinks/block-ids.ts';

const decode = (id: string): string => Buffer.from(id, 'base64').toString();

test('names run, file, attempt and index in ids of one length', () => {
  const ids = [0, 1, 44_999].map(blockIds({ runId: 'run-1', fileIndex: 36, attempt: 7 }));
  assert.deepEqual(ids.map(decode), ['run-1.0010.07.000000', 'run-1.0010.07.000001', 'run-1.0010.07.044999']);
  const other = blockIds({ runId: 'run-1', fileIndex: 1_679_615, attempt: 0 })(5);
  assert.equal(decode(other), 'run-1.zzzz.00.000005');
  assert.equal(other.length, ids[0]!.length);
});

test('refuses ids that would be longer than Azure takes, and counters that would change the length', () => {
  const scope = { runId: 'r'.repeat(49), fileIndex: 0, attempt: 0 };
  assert.equal(decode(blockIds(scope)(0)).length, 64);
  assert.throws(() => blockIds({ ...scope, runId: 'r'.repeat(50) }), TypeError);
  assert.throws(() => blockIds({ ...scope, runId: 'ü' }), TypeError);
  assert.throws(() => blockIds({ ...scope, fileIndex: 36 ** 4 }), RangeError);
  assert.throws(() => blockIds({ ...scope, attempt: 100 }), RangeError);
  assert.throws(() => blockIds(scope)(1_000_000), RangeError);
});
