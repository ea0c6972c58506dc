import assert from 'node:assert/strict';
import test from 'node:test';
import { listRuns } from '../../../src/history/record-files.ts';
import type { BlobRequest } from '../../support/blob-proxy.ts';
import {
  builtProgram,
  type DaemonWorld,
  ended,
  eventOf,
  make,
  pidOf,
  request,
  withWorld,
} from '../support/daemon-world.ts';
import { MemoryLog } from '../support/memory-log.ts';

/**
 * Makes runs as they are made, up to the message that says so: what a process does after
 * its success is on record, such as compacting its baseline, can be slow, and can be the
 * end of it.
 */
function mute(world: DaemonWorld, instead: string): Promise<{ path: string; execArgv: readonly string[] }> {
  return world.program(`
    const send = process.send.bind(process);
    process.send = (message, ...rest) => {
      if (message.what !== 'done') return send(message, ...rest);
      ${instead}
    };
    import(${JSON.stringify(builtProgram().path)});
  `);
}

async function assertSucceeded(world: DaemonWorld, run: string): Promise<void> {
  const { records } = await listRuns({ dataDirectory: world.dataDirectory, limit: 10 });
  assert.deepEqual(
    records.map(record => [record.run, record.state, record.counts.written]),
    [[run, 'succeeded', 3]],
  );
  assert.deepEqual(await world.rows('one.csv'), ['1,name 1', '2,name 2', '3,name 3']);
}

test('a run has succeeded though the process of its last attempt is killed before it says so', () =>
  withWorld({ daemon: { retry: { attempts: 1, minDelay: '20ms', maxDelay: '100ms' } } }, async world => {
    const program = await mute(world, `process.kill(process.pid, 'SIGKILL');`);
    const daemon = await world.start({ program });
    const done = await make(daemon, 'one');
    assert.equal(done.state, 'succeeded', JSON.stringify(done.error));
    await assertSucceeded(world, done.run);
  }));

test('a run that is on record as succeeded is not cancelled any more', () =>
  withWorld({ daemon: { gracePeriod: '100ms' } }, async world => {
    const program = await mute(world, `process.stderr.write('has succeeded\\n');`);
    const log = new MemoryLog();
    const daemon = await world.start({ program, log });
    const { run } = (await daemon.trigger(request('one'))).record;
    await log.until(({ message }) => message === 'has succeeded');
    await daemon.cancel(run);
    const done = await ended(daemon, run);
    assert.equal(done.state, 'succeeded', JSON.stringify(done.error));
    await assertSucceeded(world, run);
  }));

test('a run that a command finishes while it waits for its next attempt is not cancelled any more', () =>
  withWorld({ daemon: { retry: { attempts: 3, minDelay: '1h', maxDelay: '1h' } } }, async world => {
    const proxy = await world.blobProxy();
    let publish = (): void => {};
    const held = new Promise<void>(resolve => (publish = resolve));
    const isCommit = ({ comp, method }: BlobRequest): boolean => method === 'PUT' && comp === 'blocklist';
    proxy.setHook(request => (isCommit(request) ? { delayUntil: held } : undefined));
    const log = new MemoryLog();
    const daemon = await world.start({ log });
    const { run } = (await daemon.trigger(request('one'))).record;
    await proxy.seen(isCommit);
    const waits = eventOf(daemon, run, event => event.type === 'state' && event.record.retryAt !== undefined);
    process.kill(await pidOf(log, run), 'SIGKILL');
    await waits;
    publish();
    // It is decided: the command finishes it, and then makes a run of its own.
    assert.equal((await world.runCommand('one')).state, 'succeeded');
    const told = await daemon.cancel(run);
    assert.equal(told.state, 'recovered');
    const { records } = await listRuns({ dataDirectory: world.dataDirectory, limit: 10 });
    assert.deepEqual(
      records.map(({ state }) => state),
      ['succeeded', 'recovered'],
    );
  }));
