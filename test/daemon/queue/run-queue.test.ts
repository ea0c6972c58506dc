import assert from 'node:assert/strict';
import test from 'node:test';
import { LiveRun } from '../../../src/daemon/queue/live-run.ts';
import { RunQueue } from '../../../src/daemon/queue/run-queue.ts';
import { NO_COUNTS, type RunRecord } from '../../../src/history/run-record.ts';

function live(activation: string, run: string, more: Partial<RunRecord> = {}): LiveRun {
  const record: RunRecord = {
    run,
    activation,
    trigger: 'http',
    state: 'queued',
    runType: 'full_only',
    syncMode: 'snapshot',
    full: true,
    generation: 0,
    previousGeneration: 0,
    startedAt: '2025-04-14T00:00:00.000Z',
    counts: NO_COUNTS,
    files: [],
    warnings: [],
    ...more,
  };
  return new LiveRun(record);
}

const free = (): boolean => false;
const nameOf = (run: LiveRun | undefined): string | undefined => run?.record.run;

test('an activation with many requests does not keep the others waiting', () => {
  const queue = new RunQueue();
  for (const run of ['a1', 'a2', 'a3']) queue.add(live('a', run));
  queue.add(live('b', 'b1'));
  queue.add(live('c', 'c1'));
  queue.add(live('c', 'c2'));
  const order: string[] = [];
  for (let run = queue.next(free); run; run = queue.next(free)) {
    order.push(run.record.run);
    queue.remove(run);
  }
  assert.deepEqual(order, ['a1', 'b1', 'c1', 'a2', 'c2', 'a3']);
  assert.equal(queue.waiting, 0);
  assert.equal(queue.running, 0);
});

test('an activation has one run at a time, first come first served', () => {
  const queue = new RunQueue();
  queue.add(live('a', 'a1'));
  queue.add(live('a', 'a2'));
  const first = queue.next(free);
  assert.equal(nameOf(first), 'a1');
  assert.equal(queue.next(free), undefined);
  assert.equal(queue.running, 1);
  queue.putBack(first!);
  assert.equal(nameOf(queue.next(free)), 'a1');
});

test('a run that waits for its next attempt keeps its place, and keeps later ones of its activation waiting', () => {
  const queue = new RunQueue();
  const run = live('a', 'a1');
  queue.add(run);
  queue.add(live('a', 'a2'));
  queue.add(live('b', 'b1'));
  assert.equal(queue.next(free), run);
  const since = '2025-04-14T00:00:00.000Z';
  let calledOff = 0;
  run.to({ at: 'beginning', since });
  run.to({ at: 'settling', since });
  run.to({ at: 'waiting', callOff: () => calledOff++ });
  queue.putBack(run);
  assert.equal(nameOf(queue.next(free)), 'b1');
  assert.equal(queue.next(free), undefined);
  run.callOffPause();
  assert.equal(calledOff, 1);
  assert.equal(queue.next(free), run);
});

test('a run goes only where its stage leads', () => {
  const run = live('a', 'a1');
  const since = '2025-04-14T00:00:00.000Z';
  assert.throws(() => run.to({ at: 'settling', since }), {
    name: 'TypeError',
    message: 'run a1 is queued, and cannot be settling',
  });
  run.to({ at: 'ending' });
  assert.throws(() => run.to({ at: 'beginning', since }), TypeError);
  assert.deepEqual(run.stage, { at: 'ending' });
});

test('paused activations and those that are taken for recovery are passed over', () => {
  const queue = new RunQueue();
  queue.add(live('a', 'a1'));
  queue.add(live('b', 'b1'));
  const give = queue.take('b');
  assert.equal(nameOf(queue.next(name => name === 'a')), undefined);
  assert.equal(queue.take('b'), undefined, 'it is taken already');
  give?.();
  const run = queue.next(name => name === 'a');
  assert.equal(nameOf(run), 'b1');
  assert.equal(queue.take('b'), undefined, 'a run has it');
});

test('a key finds its run for as long as the run lives, within its activation', () => {
  const queue = new RunQueue();
  const run = live('a', 'a1', { idempotencyKey: 'k' });
  queue.add(run);
  assert.equal(queue.findByKey('a', 'k'), run);
  assert.equal(queue.findByKey('b', 'k'), undefined);
  queue.remove(run);
  assert.equal(queue.findByKey('a', 'k'), undefined);
});
