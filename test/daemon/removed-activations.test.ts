import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { RequestLog } from '../../src/daemon/queue/request-log.ts';
import { ended, eventOf, request, SLOW, untilState, withWorld } from './support/daemon-world.ts';
import { ManualClock } from './support/manual-clock.ts';

test('runs of a paused activation that is removed from the configuration end, since nobody could resume it', () =>
  withWorld({ activations: { one: SLOW, two: {} } }, async world => {
    const daemon = await world.start();
    const running = (await daemon.trigger(request('one'))).record.run;
    const waiting = (await daemon.trigger(request('one'))).record.run;
    await untilState(daemon, running, 'reading');
    await daemon.pause('one', 'the database moves');
    await daemon.cancel(running);
    await ended(daemon, running);
    assert.equal((await daemon.run(waiting)).state, 'queued');
    world.settings = { activations: { two: {} } };
    await daemon.reload();
    const done = await daemon.wait(waiting, { timeoutMs: 10_000, signal: new AbortController().signal });
    assert.deepEqual([done.state, done.error?.code], ['failed', 'NAME_UNKNOWN']);
    const kept = await daemon.runs({ activation: 'one', limit: 10 });
    assert.deepEqual(
      kept.records.map(({ run }) => run),
      [waiting, running],
    );
    const none = await daemon.runs({ activation: 'one', states: ['held'], limit: 10 });
    assert.deepEqual(none, { records: [], more: false });
    world.settings = { activations: { one: {}, two: {} } };
    await daemon.reload();
    assert.equal((await daemon.activation('one')).paused?.reason, 'the database moves');
  }));

for (const returns of [true, false]) {
  test(`a run that was accepted waits for an activation that a reload takes away, and ${returns ? 'is made once it is back' : 'fails after a minute without it'}`, () =>
    withWorld({ daemon: { concurrency: 1 }, activations: { one: {}, two: SLOW } }, async world => {
      const clock = new ManualClock();
      const daemon = await world.start({ clock });
      const running = (await daemon.trigger(request('two'))).record.run;
      await untilState(daemon, running, 'reading');
      const { run } = (await daemon.trigger(request('one'))).record;
      world.settings = { ...world.settings, activations: { two: SLOW } };
      await daemon.reload();
      const misses = eventOf(daemon, run, ({ type }) => type === 'state');
      await daemon.cancel(running);
      await misses;
      const waiting = await daemon.run(run);
      assert.deepEqual([waiting.state, waiting.error?.code], ['queued', 'NAME_UNKNOWN']);
      assert.match(waiting.error?.message ?? '', /a reload took it away, and the run waits until /);
      if (returns) world.settings = { ...world.settings, activations: { one: {}, two: SLOW } };
      await daemon.reload();
      if (!returns) await clock.pass(60_000);
      const done = await ended(daemon, run);
      const expected = returns ? ['succeeded', undefined] : ['failed', 'NAME_UNKNOWN'];
      assert.deepEqual([done.state, done.error?.code], expected);
    }));
}

test('a run whose wish to cancel outlived the daemon ends though its activation is paused', () =>
  withWorld({ activations: { one: SLOW } }, async world => {
    const daemon = await world.start();
    const { run } = (await daemon.trigger(request('one'))).record;
    await untilState(daemon, run, 'reading');
    await daemon.pause('one');
    await daemon.stop({ gracePeriodMs: 0 });
    // As a daemon leaves it that is killed while it waits for the process to stop.
    const requests = await RequestLog.open(join(world.dataDirectory, 'daemon', 'queue.log'));
    await requests.put({ ...requests.runs[0]!, cancelled: true });
    await requests.close();
    const next = await world.start();
    const done = await next.wait(run, { timeoutMs: 10_000, signal: new AbortController().signal });
    assert.equal(done.state, 'cancelled');
  }));
