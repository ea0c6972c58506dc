import assert from 'node:assert/strict';
import test from 'node:test';
import { TEST_SEED } from '../support/test-seed.ts';
import { killAtRandom } from './random-kills.ts';

const KILLS = 4;

/** The long version has a command of its own: `npm run faults -- --kills 300`. */
test('runs that are killed at random moments under random faults lose nothing and publish nothing twice', async t => {
  t.diagnostic(`SLUICE_TEST_SEED=${TEST_SEED}`);
  const totals = await killAtRandom(KILLS, TEST_SEED, 1);
  t.diagnostic(JSON.stringify(totals));
  assert.equal(totals.killed, KILLS);
});
