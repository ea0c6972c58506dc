import assert from 'node:assert/strict';
import test from 'node:test';
import { Redactor } from '../../../src/config/secrets.ts';
import type { Daemon } from '../../../src/daemon/daemon.ts';
import type { PlanRecord } from '../../../src/daemon/operations.ts';
import { Plans } from '../../../src/daemon/plans/plans.ts';
import type { RunProcess } from '../../../src/daemon/processes/run-process.ts';
import { RunQueue } from '../../../src/daemon/queue/run-queue.ts';
import { SluiceError } from '../../../src/errors.ts';
import type { RunRecord } from '../../../src/history/run-record.ts';
import { activation } from '../support/activations.ts';
import { make, request, SLOW, untilState, withWorld } from '../support/daemon-world.ts';
import { ManualClock, settled } from '../support/manual-clock.ts';
import { MemoryLog } from '../support/memory-log.ts';

const UNTIL_END = { timeoutMs: 120_000, signal: new AbortController().signal };

async function planned(daemon: Daemon, activation: string): Promise<PlanRecord> {
  const { plan } = await daemon.plan({ activation, rows: 20 });
  const record = await daemon.planned(plan, UNTIL_END);
  assert.ok(record.endedAt, JSON.stringify(record));
  return record;
}

const DELTA = { runType: 'full_then_delta', syncMode: 'difference' };

test('a plan is made in a process of its own, and says what the run after it publishes', () =>
  withWorld({ activations: { one: DELTA } }, async world => {
    const daemon = await world.start();
    await make(daemon, 'one');
    await world.database.sql(`update t set name = 'other' where id = 2; delete from t where id = 3`);
    const asked = await daemon.plan({ activation: 'one', rows: 20 });
    assert.equal(asked.state, 'queued');
    const { state, result, error } = await daemon.planned(asked.plan, UNTIL_END);
    assert.equal(state, 'succeeded', JSON.stringify(error));
    assert.equal(result!.outcome, 'changes');
    const record = await make(daemon, 'one');
    assert.deepEqual(result!.counts, record.counts);
    assert.deepEqual(result!.sample.updated, [
      {
        key: [{ column: 'id', value: '2' }],
        differences: [{ column: 'name', before: 'name 2', after: 'other' }],
      },
    ]);
    assert.deepEqual((await daemon.planned(asked.plan)).result, result);
    await assert.rejects(daemon.planned(record.run), { code: 'PLAN_UNKNOWN' });
    await assert.rejects(daemon.plan({ activation: 'none', rows: 1 }), { code: 'NAME_UNKNOWN' });
  }));

test('what a run would fail with is the error of its plan', () =>
  withWorld({ activations: { one: { sql: 'select id, name from absent' } } }, async world => {
    const { state, error } = await planned(await world.start(), 'one');
    assert.deepEqual([state, error?.code], ['failed', 'SOURCE_QUERY_INVALID']);
  }));

test('a plan and a run of one activation are never under way together', () =>
  withWorld({ activations: { slow: SLOW, one: {} }, daemon: { concurrency: 2 } }, async world => {
    const log = new MemoryLog();
    const daemon = await world.start({ log });
    const { record } = await daemon.trigger(request('slow'));
    await untilState(daemon, record.run, 'reading');
    const { plan } = await daemon.plan({ activation: 'slow', rows: 1 });
    // It waits for the run; others go on meanwhile.
    assert.equal((await planned(daemon, 'one')).state, 'succeeded');
    assert.equal((await daemon.planned(plan)).state, 'queued');
    await daemon.cancel(record.run);
    await log.until(line => line.message === 'plan begins' && line.fields['plan'] === plan);
    const next = await daemon.trigger(request('slow'));
    assert.equal((await make(daemon, 'one')).state, 'succeeded');
    assert.equal((await daemon.planned(plan)).state, 'reading');
    assert.equal((await daemon.run(next.record.run)).state, 'queued');
  }));

test('plans count against the concurrency', () =>
  withWorld({ activations: { slow: SLOW, one: {} }, daemon: { concurrency: 1 } }, async world => {
    const daemon = await world.start();
    const { record } = await daemon.trigger(request('slow'));
    await untilState(daemon, record.run, 'reading');
    const { plan } = await daemon.plan({ activation: 'one', rows: 1 });
    const later = daemon.planned(plan, UNTIL_END);
    assert.equal((await daemon.planned(plan)).state, 'queued');
    await daemon.cancel(record.run);
    assert.equal((await later).state, 'succeeded');
  }));

test('a daemon that ends says so to those who wait for a plan', () =>
  withWorld({ activations: { slow: SLOW, other: SLOW }, daemon: { concurrency: 1 } }, async world => {
    const daemon = await world.start();
    const plans = await Promise.all(
      ['slow', 'other'].map(activation => daemon.plan({ activation, rows: 1 })),
    );
    const results = plans.map(({ plan }) => daemon.planned(plan, UNTIL_END));
    await daemon.stop({ gracePeriodMs: 0 });
    for (const { state, error } of await Promise.all(results))
      assert.deepEqual([state, error?.code], ['failed', 'SHUTTING_DOWN']);
  }));

test('too many plans at once are refused', () =>
  withWorld({ activations: { slow: SLOW }, daemon: { concurrency: 1 } }, async world => {
    const daemon = await world.start();
    const ask = (): Promise<PlanRecord> => daemon.plan({ activation: 'slow', rows: 1 });
    for (let count = 0; count < 20; count++) await ask();
    await assert.rejects(ask(), { code: 'TOO_MANY_REQUESTS' });
  }));

test('plans that ended are forgotten after an hour, and where there are a hundred newer ones', async () => {
  const clock = new ManualClock();
  const plans = new Plans({
    clock,
    log: new MemoryLog(),
    queue: new RunQueue(),
    configuration: { resolve: activation, redactor: new Redactor() },
    start: () =>
      ({
        ended: Promise.resolve({ error: new SluiceError('RUN_KILLED', 'it was') }),
      }) as unknown as RunProcess,
    onFree: () => {},
  });
  const makeOne = async (): Promise<string> => {
    const { plan } = plans.ask({ activation: 'one', rows: 1 });
    assert.ok(plans.beginOne());
    assert.equal((await plans.wait(plan, UNTIL_END)).error?.code, 'RUN_KILLED');
    await settled();
    return plan;
  };
  const first = await makeOne();
  clock.sleep(1_800_000);
  const second = await makeOne();
  clock.sleep(1_800_001);
  await assert.rejects(plans.wait(first), { code: 'PLAN_UNKNOWN' });
  for (let count = 0; count < 99; count++) await makeOne();
  assert.equal((await plans.wait(second)).plan, second);
  await makeOne();
  await assert.rejects(plans.wait(second), { code: 'PLAN_UNKNOWN' });
});

test('a held run of the daemon keeps its sample on disk, and shows it where the run alone is asked for', () =>
  withWorld({ activations: { one: { ...DELTA, warnings: { removedRowsOver: '10%' } } } }, async world => {
    const daemon = await world.start();
    await make(daemon, 'one');
    await world.database.sql('delete from t where id = 3');
    const { run } = await make(daemon, 'one');
    const record = await daemon.run(run);
    assert.equal(record.state, 'held');
    const removed: RunRecord['sample'] = {
      added: [],
      updated: [],
      removed: [{ key: [{ column: 'id', value: '3' }] }],
      gaps: [],
    };
    assert.deepEqual(record.sample, removed);
    assert.equal((await daemon.activation('one')).lastRun?.sample, undefined);
  }));
