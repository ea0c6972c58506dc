import assert from 'node:assert/strict';
import test from 'node:test';
import { TEST_SEED } from '../support/test-seed.ts';
import { killDaemons } from './random-kills.ts';

const KILLS = 4;

/** The long version has a command of its own: `npm run daemon-kills -- --kills 100`. */
test('a daemon that is killed at random instants makes one run of each key and loses no change', async t => {
  t.diagnostic(`SLUICE_TEST_SEED=${TEST_SEED}`);
  const totals = await killDaemons({ kills: KILLS, seed: TEST_SEED });
  t.diagnostic(JSON.stringify(totals));
  assert.equal(
    Object.values(totals.kills).reduce((sum, count) => sum + count),
    KILLS,
  );
  assert.ok(totals.runs > 0);
});
