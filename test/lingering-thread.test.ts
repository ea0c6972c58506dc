import assert from 'node:assert/strict';
import { once } from 'node:events';
import test, { mock } from 'node:test';
import { Worker } from 'node:worker_threads';
import { LingeringThread } from '../src/lingering-thread.ts';

/** Answers with what it remembers, which is the sum of all that it was told. */
const ADDING = `
  const { parentPort } = require('node:worker_threads');
  let sum = 0;
  parentPort.on('message', ({ id, add }) => {
    if (add === undefined) throw new Error('nothing to add');
    sum += add;
    parentPort.postMessage({ id, sum });
  });`;

function adding() {
  const workers: Worker[] = [];
  const thread = new LingeringThread<{ add?: number }, { sum: number }>({
    start: () => {
      const worker = new Worker(ADDING, { eval: true });
      workers.push(worker);
      return worker;
    },
    failure: cause => new Error('it ended', { cause }),
  });
  return { thread, workers };
}

test('a thread remembers while somebody uses it, and ends a while after nobody does', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const { thread, workers } = adding();
    const first = thread.use();
    const second = thread.use();
    thread.tell({ add: 1 });
    assert.deepEqual((await thread.ask({ add: 2 })).sum, 3);
    first();
    mock.timers.tick(10_000);
    assert.equal((await thread.ask({ add: 4 })).sum, 7);
    second();
    mock.timers.tick(1000);
    thread.use()();
    mock.timers.tick(1999);
    assert.equal((await thread.ask({ add: 8 })).sum, 15);
    mock.timers.tick(1);
    await once(workers[0]!, 'exit');
    assert.equal((await thread.ask({ add: 16 })).sum, 16);
    assert.equal(workers.length, 2);
    thread.stop(undefined);
  } finally {
    mock.timers.reset();
  }
});

test('a thread that fails fails all who wait for it, and the next request starts another', async () => {
  const { thread } = adding();
  const letGo = thread.use();
  const [bad, behind] = await Promise.allSettled([thread.ask({}), thread.ask({ add: 1 })]);
  for (const { status, reason } of [bad, behind] as PromiseRejectedResult[])
    assert.deepEqual(
      [status, reason.message, reason.cause.message],
      ['rejected', 'it ended', 'nothing to add'],
    );
  assert.equal((await thread.ask({ add: 5 })).sum, 5);
  thread.stop('enough');
  letGo();
});
