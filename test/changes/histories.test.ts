import assert from 'node:assert/strict';
import test from 'node:test';
import { someOf } from '../support/all-cases.ts';
import { playHistories } from './play-histories.ts';

test('of random histories each run finds exactly what has changed, whatever was under way', async () => {
  const count = someOf(100);
  const { runs, xminRuns } = await playHistories({ count, seed: 1 });
  assert.equal(runs, 4 * count);
  assert.ok(xminRuns > runs / 4, `only ${xminRuns} of ${runs} runs went by xmin`);
});
