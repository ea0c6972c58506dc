import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SimulationOptions, simulate } from './simulation.ts';
import { addTo, newTally, type Tally } from './tally.ts';

/** `npm run simulate` goes through as many as one likes. */
const SEEDS = 1000;

Error.stackTraceLimit = 0;

async function assertHolds(seed: number, options: SimulationOptions = {}): Promise<Tally> {
  const { violation, tally } = await simulate(seed, options);
  if (violation === undefined) return tally;
  throw assert.fail(`${violation}\nagain: npm run simulate -- --seed ${seed}`);
}

test('publishes every change exactly once, whatever happens to disk, network and process', async t => {
  const total = newTally();
  for (let seed = 1; seed <= SEEDS; seed++) addTo(total, await assertHolds(seed));
  t.diagnostic(JSON.stringify(total));
  // A simulator in which nothing happens proves nothing.
  for (const times of [total.crashes, total.done, total.recovered]) assert.ok(times > SEEDS / 10);
  const codes = [
    'DESTINATION_CONFLICT',
    'DESTINATION_PERMISSION',
    'DESTINATION_REFUSED',
    'DESTINATION_RESET',
    'STATE_LOST',
    'STATE_STALE',
    'STATE_WRITE_FAILED',
  ];
  for (const code of codes) assert.ok((total.failed[code] ?? 0) > SEEDS / 400, code);
});

test('the same holds with partitions, and those that are gone go', async () => {
  for (let seed = 1; seed <= SEEDS / 4; seed++) await assertHolds(seed, { partitions: true });
});

test('repeats a seed exactly', async () => {
  for (const seed of [5, 77, 1234]) {
    const [first, second] = [await simulate(seed, { traced: true }), await simulate(seed, { traced: true })];
    assert.ok(first.trace.length > 20);
    assert.deepEqual(second, first);
  }
});

/**
 * A change of the simulator gives seeds another meaning: find new ones with the fix taken
 * out.
 */
const REGRESSIONS: readonly (readonly [defect: string, seeds: readonly number[]])[] = [
  ['recovery acted on a decision that no sync had made durable', [17920]],
  ['recovery dropped a published run whose file a consumer had taken away', [22636, 27630]],
  ['a run that was published in part was neither finished nor dropped', [6, 500, 530]],
  ['a run that was dropped left files', [1169, 1504, 3292]],
  ['latest.json, deleted during a run, stopped the activation for good', [6, 29, 68]],
  ['another run with the same generation was taken for the own one', [19236, 45030, 45490]],
  ['a published run was called failed, since its journal could not be removed', [3, 20, 82]],
  ['a published run was called failed, since the baseline could not be compacted', [15, 24, 86]],
  ['recovery left a decision behind, to be taken up again after the next run', [1228, 3801, 3914]],
  ['recovery withdrew the files of a run that the baseline had', [571, 1211, 2045]],
  ['the oracle took a file that nobody may delete for one that was forgotten', [58833]],
  ['the oracle knew of no late latest.json between a look and a withdrawal', [91022]],
  ['a part stayed whose run an old disk had forgotten, and its rows came again', [97125]],
  ['the oracle took commits for late whose decision a power cut had brought back', [138856]],
  ['the oracle took rows that wait for the next run for published ones', [144135, 152015, 169899, 255947]],
  ['the oracle forgot that a file was archived while a run that goes on with it was decided', [202872]],
  ['the oracle took a run for published that another writer had kept from it', [263185]],
  ['the oracle missed rows of a run that an old disk had forgotten before latest.json', [338691]],
  ['the oracle knew of no late commit between a look and a withdrawal', [664486]],
  ['the person ended a lease for one of two runs, and not for the other', [186733, 687506]],
  ['the oracle knew of no late latest.json that a lost state meets', [826621]],
  ['the oracle took a part that came late for one that is left of a reset file', [45296]],
  ['the oracle knew of no late completion file of a run that is taken back', [131368]],
];

for (const [defect, seeds] of REGRESSIONS) {
  test(`holds where once ${defect}`, async () => {
    for (const seed of seeds) await assertHolds(seed);
  });
}
