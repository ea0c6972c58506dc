import assert from 'node:assert/strict';
import test from 'node:test';
import { playHistories } from './play-histories.ts';

test('of random histories each run finds exactly what has changed, whatever was under way', async () => {
  const { runs, xminRuns } = await playHistories({ count: 100, seed: 1 });
  assert.equal(runs, 400);
  assert.ok(xminRuns > runs / 4, `only ${xminRuns} of ${runs} runs went by xmin`);
});
