import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { resolveActivation } from '../../../src/config/activation.ts';
import { parseConfig } from '../../../src/config/load.ts';
import type { Daemon } from '../../../src/daemon/daemon.ts';
import { RequestLog } from '../../../src/daemon/queue/request-log.ts';
import type { RunRecord } from '../../../src/history/run-record.ts';
import { resetState } from '../../../src/state/reset-state.ts';
import { azureError, type BlobAction, type BlobProxy, type BlobRequest } from '../../support/blob-proxy.ts';
import {
  type DaemonWorld,
  ended,
  eventOf,
  make,
  pidOf,
  request,
  untilState,
  withWorld,
} from '../support/daemon-world.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryLog } from '../support/memory-log.ts';

/** No attempt comes by itself: time passes when a test says so. */
const DAEMON = { retry: { attempts: 2, minDelay: '10s', maxDelay: '15s' }, runHeartbeatTimeout: '1h' };
/** After a fault that no repetition fixes. */
const LATER_MS = 30_000;

const MISSING: BlobAction = { status: 404, headers: { 'x-ms-error-code': 'ContainerNotFound' } };
const isCommit = ({ comp, method }: BlobRequest): boolean => method === 'PUT' && comp === 'blocklist';

interface Stuck {
  readonly world: DaemonWorld;
  readonly daemon: Daemon;
  readonly clock: ManualClock;
  readonly log: MemoryLog;
  readonly proxy: BlobProxy;
  readonly run: string;
}

/**
 * A run that is decided, whose process was killed, and whose container is gone when the
 * next attempt looks.
 */
function withStuckRun(act: (stuck: Stuck) => Promise<void>): Promise<void> {
  return withWorld({ daemon: DAEMON }, async world => {
    const proxy = await world.blobProxy();
    proxy.setHook(request => (isCommit(request) ? 'black-hole' : undefined));
    const clock = new ManualClock();
    const log = new MemoryLog();
    const daemon = await world.start({ clock, log, random: () => 1 });
    const { run } = (await daemon.trigger(request('one'))).record;
    await proxy.seen(isCommit);
    proxy.setHook(() => MISSING);
    process.kill(await pidOf(log, run), 'SIGKILL');
    await clock.untilWaiting(10_000);
    const settled = eventOf(daemon, run, event => event.type === 'state' && hasTried(event.record, 2));
    await clock.pass(10_000);
    await settled;
    await act({ world, daemon, clock, log, proxy, run });
  });
}

/** It has ended, or waits after so many attempts. */
function hasTried({ endedAt, state, attempts }: RunRecord, count: number): boolean {
  return endedAt !== undefined || (state === 'queued' && attempts?.length === count);
}

function abandon(world: DaemonWorld): Promise<unknown> {
  const { config } = parseConfig({ text: JSON.stringify(world.config()), environment: {} });
  return resetState({ activation: resolveActivation(config, 'one'), abandonDecided: true });
}

const ROWS = ['1,name 1', '2,name 2', '3,name 3'];

test('a decided run whose fault does not pass by itself has not failed: it waits, and is finished at once when a reload fixes it', () =>
  withStuckRun(async ({ world, daemon, clock, log, proxy, run }) => {
    const waiting = await daemon.run(run);
    assert.deepEqual([waiting.state, waiting.error?.code], ['queued', 'DESTINATION_NOT_FOUND']);
    assert.match(waiting.error?.hint ?? '', /create the container.*decided.*state reset one --abandon/);
    assert.equal(waiting.endedAt, undefined);
    const [problem = '', ...more] = daemon.health().problems;
    assert.match(problem, new RegExp(`run ${run} of one is decided.*container.*state reset one --abandon`));
    assert.deepEqual(more, []);
    const { level } = await log.until(({ message }) => message.includes('is decided'));
    assert.equal(level, 'error');

    // Asking for another run looks whether it can be finished now; the other one waits
    // behind it.
    const tried = eventOf(daemon, run, event => event.type === 'state' && hasTried(event.record, 3));
    const later = (await daemon.trigger(request('one'))).record.run;
    await tried;
    assert.equal((await daemon.run(later)).state, 'queued');
    assert.equal(daemon.health().problems.length, 1);

    // And so does time.
    const reading = untilState(daemon, run, 'reading');
    await clock.untilWaiting(LATER_MS);
    await clock.pass(LATER_MS);
    await reading;
    await clock.untilWaiting(LATER_MS);
    assert.equal((await daemon.run(run)).state, 'queued');

    proxy.setHook(() => undefined);
    await daemon.reload();
    const done = await ended(daemon, run);
    assert.deepEqual([done.state, done.counts.written, done.error], ['recovered', 3, undefined]);
    assert.equal((await ended(daemon, later)).state, 'succeeded');
    assert.deepEqual(daemon.health().problems, []);
    assert.deepEqual(await world.rows('one.csv'), ROWS);
  }));

test('a decided run that is given up has failed, and the next one exports every row', () =>
  withStuckRun(async ({ world, daemon, proxy, run }) => {
    await abandon(world);
    proxy.setHook(() => undefined);
    const later = (await daemon.trigger(request('one'))).record.run;
    const given = await ended(daemon, run);
    assert.deepEqual([given.state, given.error?.code, given.files], ['failed', 'STATE_STALE', []]);
    assert.match(given.error?.message ?? '', /given up/);
    assert.deepEqual(daemon.health().problems, []);
    const done = await ended(daemon, later);
    assert.deepEqual([done.state, done.counts.written], ['succeeded', 3]);
  }));

test('a decided run that was given up has failed at once when it is cancelled', () =>
  withStuckRun(async ({ world, daemon, run }) => {
    await abandon(world);
    const told = await daemon.cancel(run);
    assert.deepEqual([told.state, told.error?.code], ['failed', 'STATE_STALE']);
    assert.deepEqual(daemon.health().problems, []);
  }));

test('a decided run that is given up while no daemon runs has failed as well', () =>
  withStuckRun(async ({ world, daemon, proxy, run }) => {
    await daemon.stop();
    await abandon(world);
    proxy.setHook(() => undefined);
    const next = await world.start();
    const given = await ended(next, run);
    assert.deepEqual([given.state, given.error?.code], ['failed', 'STATE_STALE']);
  }));

test('a decided run outlives the daemon, and the next one says what holds it up', () =>
  withStuckRun(async ({ world, daemon, proxy, run }) => {
    await daemon.stop();
    const clock = new ManualClock();
    const next = await world.start({ clock, random: () => 1 });
    await clock.untilWaiting(LATER_MS);
    assert.equal((await next.run(run)).state, 'queued');
    assert.match(next.health().problems.join(), new RegExp(run));
    proxy.setHook(() => undefined);
    await next.reload();
    assert.equal((await ended(next, run)).state, 'recovered');
    assert.deepEqual(next.health().problems, []);
  }));

test('a decided run is not cancelled, whether it waits or an attempt to finish it is under way', () =>
  withStuckRun(async ({ world, daemon, proxy, run }) => {
    assert.equal((await daemon.cancel(run)).state, 'queued');
    let publish = (): void => {};
    const held = new Promise<void>(resolve => (publish = resolve));
    const commits = proxy.requests.filter(isCommit).length;
    proxy.setHook(request => (isCommit(request) ? { delayUntil: held } : undefined));
    await daemon.reload();
    await proxy.seen(sent => isCommit(sent) && proxy.requests.filter(isCommit).length > commits);
    assert.equal((await daemon.cancel(run)).state, 'reading');
    publish();
    const done = await ended(daemon, run);
    assert.equal(done.state, 'recovered');
    assert.deepEqual(await world.rows('one.csv'), ROWS);
  }));

test('a wish to cancel that came while the run was being decided does not stop the attempt to finish it', () =>
  withStuckRun(async ({ world, daemon, proxy, run }) => {
    await daemon.stop();
    const requests = await RequestLog.open(join(world.dataDirectory, 'daemon', 'queue.log'));
    await requests.put({ ...requests.runs[0]!, cancelled: true });
    await requests.close();
    proxy.setHook(() => undefined);
    const next = await world.start();
    assert.equal((await ended(next, run)).state, 'recovered');
  }));

test('a decided run whose second file is refused for its tags is finished without them once a reload takes them out', () =>
  withWorld({ daemon: DAEMON }, async world => {
    const proxy = await world.blobProxy();
    const refusesTags = (request: BlobRequest): BlobAction =>
      isCommit(request) && request.headers['x-ms-tags'] !== undefined && request.blob !== 'one.csv'
        ? azureError(403, 'AuthorizationPermissionMismatch')
        : undefined;
    proxy.setHook(refusesTags);
    const own = { maxFileRows: 2, runType: 'full_then_delta', syncMode: 'insert' };
    const withTags = { ...own, blob: { tags: { team: 'crm' } } };
    world.settings = { ...world.settings, activations: { one: withTags } };
    const clock = new ManualClock();
    const daemon = await world.start({ clock, random: () => 1 });
    const { run } = (await daemon.trigger(request('one'))).record;
    await clock.untilWaiting(20_000);
    const waiting = await daemon.run(run);
    assert.deepEqual([waiting.state, waiting.error?.code], ['queued', 'DESTINATION_PERMISSION']);
    assert.match(
      waiting.error?.message ?? '',
      /1 of its 2 files are published and one_part00002.csv is refused/,
    );
    assert.match(daemon.health().problems.join(), new RegExp(`run ${run} of one is decided`));
    const later = (await daemon.trigger(request('one', { full: true }))).record.run;

    world.settings = { ...world.settings, activations: { one: own } };
    await daemon.reload();
    const done = await ended(daemon, run);
    assert.deepEqual([done.state, done.counts.written, done.error], ['recovered', 3, undefined]);
    assert.equal((await ended(daemon, later)).state, 'succeeded');
    assert.deepEqual(daemon.health().problems, []);
  }));

test('a run whose only file is refused has failed, is not decided any more, and the next one is made at once', () =>
  withWorld({ daemon: DAEMON }, async world => {
    const proxy = await world.blobProxy();
    proxy.setHook(request => (isCommit(request) ? azureError(409, 'BlobImmutableDueToPolicy') : undefined));
    const daemon = await world.start({ clock: new ManualClock() });
    const failed = await make(daemon, 'one');
    assert.deepEqual([failed.state, failed.error?.code], ['failed', 'DESTINATION_REFUSED']);
    assert.match(failed.error?.message ?? '', /it is withdrawn/);
    assert.deepEqual(daemon.health().problems, []);
    proxy.setHook(undefined);
    assert.equal((await make(daemon, 'one')).state, 'succeeded');
  }));

test('a run that a command has decided is finished by the daemon, though a run that came meanwhile could not', () =>
  withWorld({ daemon: DAEMON }, async world => {
    const proxy = await world.blobProxy();
    proxy.setHook(request => (isCommit(request) ? azureError(403, 'AuthenticationFailed') : undefined));
    const { run } = await world.runCommand('one');
    proxy.setHook(() => MISSING);
    const log = new MemoryLog();
    const daemon = await world.start({ clock: new ManualClock(), log });
    await log.until(({ message }) => message.startsWith('a decided run could not be finished'));
    assert.match(daemon.health().problems.join(), new RegExp(`run ${run} of one is decided`));
    assert.equal((await make(daemon, 'one')).error?.code, 'DESTINATION_NOT_FOUND');
    assert.match(daemon.health().problems.join(), new RegExp(`run ${run} of one is decided`));
    proxy.setHook(() => undefined);
    const finished = eventOf(
      daemon,
      run,
      event => event.type === 'state' && event.record.state === 'recovered',
    );
    await daemon.reload();
    await finished;
    assert.deepEqual(daemon.health().problems, []);
    assert.deepEqual(await world.rows('one.csv'), ROWS);
  }));
