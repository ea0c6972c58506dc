import assert from 'node:assert/strict';
import test from 'node:test';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { ended, eventOf, make, request, SLOW, untilState, withWorld } from '../support/daemon-world.ts';
import { ManualClock } from '../support/manual-clock.ts';

const RETRY = { retry: { attempts: 3, minDelay: '10s', maxDelay: '15s' }, runHeartbeatTimeout: '1h' };

test('what may pass is tried again, later each time, and then has failed for good', () =>
  withWorld({ daemon: RETRY, url: 'postgresql://nobody@127.0.0.1:1/none' }, async world => {
    const clock = new ManualClock();
    const daemon = await world.start({ clock, random: () => 1 });
    const { run } = (await daemon.trigger(request('one'))).record;
    const states: string[] = [];
    daemon.observe(run, event => event.type === 'state' && states.push(event.record.state));

    await clock.untilWaiting(10_000);
    const waiting = await untilState(daemon, run, 'queued');
    assert.equal(waiting.retryAt, '2025-04-14T07:00:10.000Z');
    assert.equal(waiting.error?.code, 'SOURCE_CONNECT_FAILED');
    assert.equal(waiting.attempts?.length, 1);
    assert.equal(daemon.health().running, 0);
    await clock.pass(9_999);
    assert.equal((await daemon.run(run)).state, 'queued');
    const secondBegins = untilState(daemon, run, 'reading');
    await clock.pass(1);
    await secondBegins;
    await clock.untilWaiting(15_000);
    const thirdBegins = untilState(daemon, run, 'reading');
    await clock.pass(15_000);
    await thirdBegins;

    const failed = await ended(daemon, run);
    assert.equal(failed.state, 'failed');
    assert.equal(failed.attempt, 3);
    assert.deepEqual(
      failed.attempts?.map(({ error }) => error.code),
      ['SOURCE_CONNECT_FAILED', 'SOURCE_CONNECT_FAILED'],
    );
    assert.deepEqual(states, ['reading', 'queued', 'reading', 'queued', 'reading', 'failed']);
    assert.equal(failed.startedAt, '2025-04-14T07:00:00.000Z', 'the start is that of the first attempt');
  }));

test('what cannot pass by itself is not tried again', () =>
  withWorld({ activations: { one: { sql: 'select nothing' } }, daemon: RETRY }, async world => {
    const daemon = await world.start();
    const failed = await make(daemon, 'one');
    assert.equal(failed.state, 'failed');
    assert.equal(failed.error?.code, 'SOURCE_QUERY_INVALID');
    assert.equal(failed.attempt, 1);
    assert.equal(failed.attempts, undefined);
  }));

test('a run that waits for its next attempt can be cancelled, and the next of its activation then runs', () =>
  withWorld({ daemon: RETRY }, async world => {
    const proxy = await startTcpProxy(world.database.url);
    world.settings = { ...world.settings, url: proxy.through(world.database.url) };
    try {
      const clock = new ManualClock();
      const daemon = await world.start({ clock, random: () => 1 });
      await proxy.close();
      const first = (await daemon.trigger(request('one'))).record.run;
      await clock.untilWaiting(10_000);
      const second = (await daemon.trigger(request('one'))).record.run;
      assert.equal((await daemon.run(second)).state, 'queued');
      const begins = eventOf(
        daemon,
        second,
        event => event.type === 'state' && event.record.state === 'reading',
      );
      assert.equal((await daemon.cancel(first)).state, 'cancelled');
      await begins;
    } finally {
      await proxy.close();
    }
  }));

test('an activation that a command works on waits for it, and that is no failed attempt', () =>
  withWorld({ activations: { one: SLOW }, daemon: { retry: { attempts: 1 } } }, async world => {
    const daemon = await world.start();
    const stop = new AbortController();
    const command = world.runCommand('one', { signal: stop.signal });
    await world.database.sql(
      // Until the command reads, which is when it has the lock.
      `do $$ begin while not exists (select from pg_stat_activity where query like '%generate_series(1, 1000) g%' and pid <> pg_backend_pid() and datname = current_database()) loop perform pg_sleep(0.02); perform pg_stat_clear_snapshot(); end loop; end $$`,
    );
    const { run } = (await daemon.trigger(request('one'))).record;
    const waits = await eventOf(
      daemon,
      run,
      event => event.type === 'state' && event.record.state === 'queued',
    );
    assert.ok(waits.type === 'state' && waits.record.error?.code === 'STATE_LOCKED');
    assert.equal(waits.record.attempts, undefined);
    world.settings = { ...world.settings, activations: { one: {} } };
    await daemon.reload();
    stop.abort();
    assert.equal((await command).state, 'cancelled');
    const done = await ended(daemon, run);
    assert.equal(done.state, 'succeeded');
    assert.equal(done.attempt, 1);
  }));

test('file names are of the first attempt, whenever the run succeeds', () =>
  withWorld(
    { activations: { one: { fileName: '{YYYY}{MM}{DD}-{HH}{mm}{ss}-{run}' } }, daemon: RETRY },
    async world => {
      const url = world.database.url;
      world.settings = { ...world.settings, url: 'postgresql://nobody@127.0.0.1:1/none' };
      const clock = new ManualClock();
      const daemon = await world.start({ clock, random: () => 1 });
      const { run } = (await daemon.trigger(request('one'))).record;
      await clock.untilWaiting(10_000);
      world.settings = { ...world.settings, url };
      await daemon.reload();
      await clock.pass(10_000);
      const done = await ended(daemon, run);
      assert.deepEqual(
        done.files.map(({ name }) => name),
        [`20250414-070000-${run}.csv`],
      );
    },
  ));
