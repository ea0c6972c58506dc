import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { type AcceptedRun, RequestLog } from '../../src/daemon/queue/request-log.ts';
import { ended, eventOf, make, pidOf, request, SLOW, untilState, withWorld } from './support/daemon-world.ts';
import { ManualClock } from './support/manual-clock.ts';
import { MemoryLog } from './support/memory-log.ts';

const signal = new AbortController().signal;

test('one daemon serves a data directory', () =>
  withWorld({}, async world => {
    const first = await world.start();
    await assert.rejects(world.start(), { code: 'STATE_LOCKED', message: /another daemon/ });
    await first.stop();
    const second = await world.start();
    assert.equal(second.health().state, 'ready');
  }));

test('a daemon that stops lets runs end within the grace period, and begins none', () =>
  withWorld({ activations: { one: {} } }, async world => {
    const log = new MemoryLog();
    const daemon = await world.start({ log });
    const blocker = await world.database.connect();
    await blocker.query('begin; lock table t in access exclusive mode');
    const running = (await daemon.trigger(request('one'))).record.run;
    const waiting = (await daemon.trigger(request('one'))).record.run;
    await pidOf(log, running);
    const stopped = daemon.stop({ gracePeriodMs: 120_000 });
    assert.equal(daemon.health().state, 'stopping');
    await assert.rejects(daemon.trigger(request('one')), { code: 'SHUTTING_DOWN' });
    await blocker.query('rollback');
    await blocker.end();
    await stopped;
    assert.equal((await daemon.run(running)).state, 'succeeded');
    assert.equal((await daemon.run(waiting)).state, 'queued');

    const next = await world.start();
    const done = await ended(next, waiting);
    assert.equal(done.state, 'succeeded');
    assert.equal(done.attempt, 1);
  }));

test('what is not decided when the grace period is over is dropped, and made by the next daemon', () =>
  withWorld({ activations: { one: SLOW } }, async world => {
    const daemon = await world.start();
    const { run } = (await daemon.trigger(request('one', { idempotencyKey: 'k' }))).record;
    await eventOf(daemon, run, event => event.type === 'progress' && event.progress.phase === 'reading');
    await daemon.stop({ gracePeriodMs: 0 });
    assert.deepEqual(await world.container.list(), []);
    assert.deepEqual(
      readdirSync(join(world.dataDirectory, 'activations/one/runs')),
      [],
      'the journal is empty',
    );

    world.settings = { activations: { one: {} } };
    const next = await world.start();
    const again = await next.trigger(request('one', { idempotencyKey: 'k' }));
    assert.deepEqual([again.isNew, again.record.run], [false, run]);
    const done = await ended(next, run);
    assert.equal(done.state, 'succeeded');
    assert.equal(done.attempt, 2);
    assert.deepEqual(
      done.attempts?.map(({ error }) => error.code),
      ['SHUTTING_DOWN'],
    );
    assert.equal((await next.runs({ limit: 10 })).records.length, 1);
  }));

test('a process that does not even stop then is ended', () =>
  withWorld({ activations: { one: SLOW } }, async world => {
    const log = new MemoryLog();
    const clock = new ManualClock();
    const daemon = await world.start({ log, clock });
    const { run } = (await daemon.trigger(request('one'))).record;
    process.kill(await pidOf(log, run), 'SIGSTOP');
    const stopped = daemon.stop({ gracePeriodMs: 1_000 });
    await clock.pass(1_000);
    await clock.pass(5_000);
    await stopped;
    assert.equal((await daemon.run(run)).state, 'queued');
  }));

test('a wish to cancel outlives the daemon', () =>
  withWorld({ activations: { one: SLOW } }, async world => {
    const log = new MemoryLog();
    const daemon = await world.start({ log });
    const { run } = (await daemon.trigger(request('one'))).record;
    const pid = await pidOf(log, run);
    process.kill(pid, 'SIGSTOP');
    await daemon.cancel(run);
    const [kept] = await keptRuns(world.dataDirectory);
    assert.equal(kept?.cancelled, true, 'the wish is on disk when the answer is given');
    process.kill(pid, 'SIGCONT');
    assert.equal((await ended(daemon, run)).state, 'cancelled');
    await daemon.stop();

    // As a daemon leaves it that is killed before its run has stopped.
    const { endedAt: _, error: __, ...record } = await daemon.run(run);
    const other = `${run.slice(0, -1)}${run.endsWith('a') ? 'b' : 'a'}`;
    const requests = await RequestLog.open(join(world.dataDirectory, 'daemon/queue.log'));
    await requests.put({ record: { ...record, run: other, state: 'reading' }, cancelled: true });
    await requests.close();
    const next = await world.start();
    assert.equal((await ended(next, other)).state, 'cancelled');
    assert.deepEqual(await world.container.list(), []);
  }));

test('what a command has decided and not finished is finished at the start, without a run', () =>
  withWorld({ activations: { one: {} } }, async world => {
    const failed = await world.runCommand('one', {
      intercept: parts => ({
        ...parts,
        store: new Proxy(parts.store, {
          get: (store, name) =>
            name === 'commitBlocks'
              ? () => Promise.reject(new TypeError('the process ends here'))
              : Reflect.get(store, name).bind?.(store),
        }),
      }),
    });
    assert.equal(failed.state, 'failed');
    assert.ok(existsSync(join(world.dataDirectory, 'activations/one/runs', failed.run, 'commit.json')));
    const log = new MemoryLog();
    const daemon = await world.start({ log });
    await log.until(({ message }) => message === 'an earlier run was finished');
    const recovered = await daemon.run(failed.run);
    assert.equal(recovered.state, 'recovered');
    assert.deepEqual(await world.rows('one.csv'), ['1,name 1', '2,name 2', '3,name 3']);
    assert.equal((await daemon.runs({ limit: 10 })).records.length, 1);
    assert.equal((await make(daemon, 'one')).generation, recovered.generation + 1);
  }));

test('validates and previews an activation', () =>
  withWorld({ activations: { one: {}, bad: { sql: 'select nothing' } } }, async world => {
    const daemon = await world.start();
    const [good, bad, preview] = await Promise.all([
      daemon.validate('one', signal),
      daemon.validate('bad', signal),
      daemon.preview('one', { rows: 2, signal }),
    ]);
    assert.ok(good.checks.every(({ outcome }) => outcome !== 'failed'));
    assert.deepEqual(good.names, ['one.csv']);
    const failed = bad.checks.find(({ outcome }) => outcome === 'failed');
    assert.ok(failed?.outcome === 'failed' && failed.error.code === 'SOURCE_QUERY_INVALID');
    assert.equal(failed.error.retryable, false, 'it is the error that it was');
    assert.equal(preview.complete, false);
    assert.equal(preview.rows.length, 2);
    await assert.rejects(daemon.preview('bad', { rows: 2, signal }), { code: 'SOURCE_QUERY_INVALID' });
    const gone = AbortSignal.abort();
    await assert.rejects(daemon.preview('one', { rows: 2, signal: gone }), { code: 'CANCELLED' });
  }));

test('a good configuration takes the place of the old one, a bad one does not', () =>
  withWorld({ activations: { one: {}, two: {}, gone: SLOW } }, async world => {
    const clock = new ManualClock();
    const daemon = await world.start({ clock });
    await daemon.pause('gone');
    await daemon.resume('gone');
    const running = (await daemon.trigger(request('gone'))).record.run;
    const waiting = (await daemon.trigger(request('gone'))).record.run;
    await untilState(daemon, running, 'reading');

    const good = world.settings;
    world.settings = { ...good, activations: { one: { fileName: '../up' } } };
    await assert.rejects(daemon.reload(), { code: 'CONFIG_INVALID' });
    assert.equal((await daemon.activations()).length, 3);
    assert.equal((await make(daemon, 'two')).state, 'succeeded');

    world.settings = { activations: { one: { fileName: 'renamed' }, two: {}, fresh: {} } };
    assert.deepEqual(await daemon.reload(), {
      added: ['fresh'],
      removed: ['gone'],
      changed: ['one'],
      settings: [],
      needsRestart: [],
    });
    assert.equal((await daemon.run(running)).state, 'reading', 'what is under way keeps its own');
    assert.deepEqual(
      (await make(daemon, 'one')).files.map(({ name }) => name),
      ['renamed.csv'],
    );
    assert.equal((await make(daemon, 'fresh')).state, 'succeeded');
    const misses = eventOf(daemon, waiting, ({ type }) => type === 'state');
    await daemon.cancel(running);
    await misses;
    await clock.pass(60_000);
    const failed = await ended(daemon, waiting);
    assert.equal(failed.state, 'failed');
    assert.equal(failed.error?.code, 'NAME_UNKNOWN');
    assert.equal(
      (await daemon.run(running)).state,
      'cancelled',
      'the history keeps what has left the configuration',
    );
  }));

test('the history keeps so many runs, and always the last success', () =>
  withWorld(
    { activations: { one: {} }, daemon: { history: { keepRuns: 2, keepFor: '0' }, pauseAfterFailures: 0 } },
    async world => {
      const daemon = await world.start();
      const success = await make(daemon, 'one', { idempotencyKey: 'k' });
      await world.database.sql('alter table t rename to gone');
      const failures: string[] = [];
      for (let index = 0; index < 4; index++) failures.push((await make(daemon, 'one')).run);
      await daemon.stop();
      const kept = readdirSync(join(world.dataDirectory, 'activations/one/history')).sort();
      assert.deepEqual(
        kept,
        [success.run, ...failures.slice(-2)].map(run => `${run}.json`),
      );

      world.settings = { ...world.settings, daemon: { history: { keepRuns: 1, keepFor: '0' } } };
      const next = await world.start();
      const left = (await next.runs({ limit: 10 })).records.map(({ run }) => run);
      assert.deepEqual(left, [failures[3], success.run]);
      assert.equal((await next.trigger(request('one', { idempotencyKey: 'k' }))).record.run, success.run);
    },
  ));

test('the history forgets what is older than it may be', () =>
  withWorld(
    { activations: { one: {} }, daemon: { history: { keepRuns: 100, keepFor: '1d' } } },
    async world => {
      const clock = new ManualClock();
      const daemon = await world.start({ clock });
      // Records are of the time of the machine, which is later than the clock of the
      // daemon.
      const old = await make(daemon, 'one', { idempotencyKey: 'k' });
      await clock.pass(1_000);
      const newer = await make(daemon, 'one');
      await daemon.stop();
      clock.set(new Date(Date.now() + 2 * 86_400_000).toISOString());
      const next = await world.start({ clock });
      assert.deepEqual(
        (await next.runs({ limit: 10 })).records.map(({ run }) => run),
        [newer.run],
      );
      await assert.rejects(next.run(old.run), { code: 'RUN_UNKNOWN' });
    },
  ));

/** Read as the next daemon would, from a copy. */
async function keptRuns(dataDirectory: string): Promise<readonly AcceptedRun[]> {
  const copy = join(dataDirectory, 'daemon/queue-copy.log');
  copyFileSync(join(dataDirectory, 'daemon/queue.log'), copy);
  const requests = await RequestLog.open(copy);
  await requests.close();
  return requests.runs;
}
