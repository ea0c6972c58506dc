import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { RequestLog } from '../../src/daemon/request-log.ts';
import { ended, request, SLOW, untilState, withWorld } from './support/daemon-world.ts';

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
    world.settings = { activations: { one: {}, two: {} } };
    await daemon.reload();
    assert.equal((await daemon.activation('one')).paused?.reason, 'the database moves');
  }));

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
