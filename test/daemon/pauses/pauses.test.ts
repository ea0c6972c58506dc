import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { SYSTEM_CLOCK } from '../../../src/clock.ts';
import { DocumentFolder } from '../../../src/daemon/documents/document-folder.ts';
import { Pauses } from '../../../src/daemon/pauses/pauses.ts';
import { ended, make, request, SLOW, untilState, withWorld } from '../support/daemon-world.ts';
import { MemoryLog } from '../support/memory-log.ts';

test('a paused activation takes no request and begins no run; those that wait begin when it is resumed', () =>
  withWorld({ activations: { one: SLOW } }, async world => {
    const daemon = await world.start();
    const running = (await daemon.trigger(request('one'))).record.run;
    const waiting = (await daemon.trigger(request('one'))).record.run;
    await untilState(daemon, running, 'reading');
    const status = await daemon.pause('one', 'the database moves');
    assert.equal(status.paused?.by, 'user');
    assert.equal(status.paused.reason, 'the database moves');
    await assert.rejects(daemon.trigger(request('one')), {
      code: 'ACTIVATION_PAUSED',
      retryable: false,
      hint: 'resume the activation first',
      message: /the database moves/,
    });
    assert.equal((await daemon.run(running)).state, 'reading', 'what is under way goes on');
    await daemon.cancel(running);
    await ended(daemon, running);
    assert.equal((await daemon.run(waiting)).state, 'queued');
    await daemon.stop({ gracePeriodMs: 0 });

    const next = await world.start();
    assert.equal((await next.activation('one')).paused?.by, 'user', 'a pause outlives the daemon');
    assert.equal((await next.run(waiting)).state, 'queued');
    const resumed = await next.resume('one');
    assert.equal(resumed.paused, undefined);
    await untilState(next, waiting, 'reading');
  }));

const FAILING = { retry: { attempts: 1, minDelay: '50ms', maxDelay: '200ms' }, pauseAfterFailures: 2 };

test('an activation pauses itself after failures of its source in a row, and resumes when the source answers', () =>
  withWorld({ daemon: FAILING }, async world => {
    await world.database.sql('alter table t rename to gone');
    const log = new MemoryLog();
    const daemon = await world.start({ log });
    for (let failure = 1; failure <= 2; failure++) {
      assert.equal((await daemon.activation('one')).paused, undefined, `before failure ${failure}`);
      const failed = await make(daemon, 'one');
      assert.equal(failed.error?.stage, 'source');
    }
    await log.until(({ message }) => message.startsWith('activation paused'));
    const { paused } = await daemon.activation('one');
    assert.equal(paused?.by, 'failures');
    assert.match(paused.reason, /2 runs failed at the source/);
    await assert.rejects(daemon.trigger(request('one')), {
      code: 'ACTIVATION_PAUSED',
      retryable: true,
      hint: /resumes by itself/,
    });
    await daemon.stop();

    const nextLog = new MemoryLog();
    const next = await world.start({ log: nextLog });
    assert.equal((await next.activation('one')).paused?.by, 'failures');
    await world.database.sql('alter table gone rename to t');
    await nextLog.until(({ message }) => message === 'activation resumed');
    assert.equal((await next.activation('one')).paused, undefined);
    assert.equal((await make(next, 'one')).state, 'succeeded');
    // The failures from before count no more.
    await world.database.sql('alter table t rename to gone');
    await make(next, 'one');
    assert.equal((await next.activation('one')).paused, undefined);
  }));

test('a daemon that ends while it checks a source warns of nothing', () =>
  withWorld({ daemon: FAILING }, async world => {
    const pausing = new MemoryLog();
    const first = await world.start({ log: pausing });
    await world.database.sql('alter table t rename to gone');
    for (let failure = 1; failure <= 2; failure++) await make(first, 'one');
    await pausing.until(({ message }) => message.startsWith('activation paused'));
    await first.stop();
    // The process of the check says that it is there, and never answers.
    const program = await world.program("process.on('message', () => console.error('checking'));");
    const log = new MemoryLog();
    const daemon = await world.start({ log, program });
    await log.until(({ message }) => message === 'checking');
    await daemon.stop();
    assert.deepEqual([...log.messages('warn'), ...log.messages('error')], ['checking']);
  }));

test('failures elsewhere, and failures with a success between them, pause nothing', () =>
  withWorld({ daemon: FAILING }, async world => {
    const daemon = await world.start();
    await world.database.sql('alter table t rename to gone');
    await make(daemon, 'one');
    await world.database.sql('alter table gone rename to t');
    await make(daemon, 'one');
    await world.database.sql('alter table t rename to gone');
    await make(daemon, 'one');
    assert.equal((await daemon.activation('one')).paused, undefined);
    await daemon.stop();

    world.settings = { ...world.settings, destination: { container: 'there-is-none' } };
    await world.database.sql('alter table gone rename to t');
    const other = await world.start();
    for (let failure = 0; failure < 3; failure++)
      assert.notEqual((await make(other, 'one')).error?.stage, 'source');
    assert.equal((await other.activation('one')).paused, undefined);
  }));

test('a pause by the user stays though the source answers', () =>
  withWorld({ daemon: { ...FAILING, pauseAfterFailures: 1 } }, async world => {
    await world.database.sql('alter table t rename to gone');
    const log = new MemoryLog();
    const daemon = await world.start({ log });
    await make(daemon, 'one');
    await log.until(({ message }) => message.startsWith('activation paused'));
    await daemon.pause('one', 'mine');
    await world.database.sql('alter table gone rename to t');
    const { checks } = await daemon.validate('one', new AbortController().signal);
    assert.ok(checks.some(({ check, outcome }) => check === 'source' && outcome === 'passed'));
    assert.equal((await daemon.activation('one')).paused?.reason, 'mine');
  }));

/** Until so many connections wait for a lock. */
const LOCKED_OUT = `do $$ begin while (select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock') < 2 loop perform pg_sleep(0.02); perform pg_stat_clear_snapshot(); end loop; end $$`;
const WAITING = `select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' order by pid`;

test('checks of paused activations whose sources hang keep no preview waiting', () =>
  withWorld(
    {
      daemon: FAILING,
      activations: { one: {}, two: {}, healthy: { sql: 'select 1 as id', mapping: ['id'] } },
    },
    async world => {
      const pauses = await Pauses.open(new DocumentFolder(join(world.dataDirectory, 'daemon')), SYSTEM_CLOCK);
      for (const name of ['one', 'two']) await pauses.pause(name, 'failures', 'the source does not answer');
      const blocker = await world.database.connect();
      await blocker.query('begin; lock table t in access exclusive mode');
      try {
        const daemon = await world.start();
        await world.database.sql(LOCKED_OUT);
        const hanging = await world.database.sql(WAITING);
        const { rows } = await daemon.preview('healthy', { rows: 1, signal: AbortSignal.timeout(60_000) });
        assert.deepEqual(rows, [['1']]);
        assert.deepEqual(await world.database.sql(WAITING), hanging, 'the checks still hang');
      } finally {
        await blocker.end();
      }
    },
  ));
