import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { ended, make, pidOf, request, SLOW, untilState, withWorld } from '../support/daemon-world.ts';
import { MemoryLog } from '../support/memory-log.ts';

const once = { retry: { attempts: 1, minDelay: '20ms', maxDelay: '50ms' } };

test('a process that is killed ends its attempt, and the next one makes the run', () =>
  withWorld({}, async world => {
    const log = new MemoryLog();
    const daemon = await world.start({ log });
    const blocker = await world.database.connect();
    await blocker.query('begin; lock table t in access exclusive mode');
    const { run } = (await daemon.trigger(request('one'))).record;
    process.kill(await pidOf(log, run), 'SIGKILL');
    await pidOf(log, run, 2);
    await blocker.query('rollback');
    await blocker.end();
    const done = await ended(daemon, run);
    assert.equal(done.state, 'succeeded');
    assert.equal(done.attempt, 2);
    assert.equal(done.attempts?.length, 1);
    const { error } = done.attempts![0]!;
    assert.equal(error.code, 'RUN_KILLED');
    assert.match(error.message, /SIGKILL/);
    assert.equal(error.retryable, true);
  }));

test('a run whose last attempt is killed has failed, says why, and takes neither the daemon nor another run along', () =>
  withWorld({ activations: { one: SLOW, two: {} }, daemon: once }, async world => {
    const log = new MemoryLog();
    const daemon = await world.start({ log });
    const { run } = (await daemon.trigger(request('one'))).record;
    const pid = await pidOf(log, run);
    await untilState(daemon, run, 'reading');
    assert.ok(getPriority(pid) > getPriority(), 'whoever asks the daemon something is answered first');
    process.kill(pid, 'SIGKILL');
    const [failed, other] = await Promise.all([ended(daemon, run), make(daemon, 'two')]);
    assert.equal(failed.state, 'failed');
    assert.equal(failed.error?.code, 'RUN_KILLED');
    assert.equal(failed.error?.retryable, true);
    assert.equal(other.state, 'succeeded');
    assert.equal(daemon.health().state, 'ready');
  }));

test('a process that takes more memory than it may is ended, and says so', () =>
  withWorld({ activations: { one: SLOW }, daemon: { ...once, runMemory: '64MiB' } }, async world => {
    const daemon = await world.start();
    const failed = await make(daemon, 'one');
    assert.equal(failed.state, 'failed');
    assert.equal(failed.error?.code, 'RUN_OUT_OF_MEMORY', JSON.stringify(failed.error));
    assert.match(failed.error.message, /64 MiB/);
  }));

test('a process that gives no sign of life is ended', () =>
  withWorld({ activations: { one: SLOW }, daemon: { ...once, runHeartbeatTimeout: '2s' } }, async world => {
    const log = new MemoryLog();
    const daemon = await world.start({ log });
    const { run } = (await daemon.trigger(request('one'))).record;
    process.kill(await pidOf(log, run), 'SIGSTOP');
    const failed = await ended(daemon, run);
    assert.equal(failed.error?.code, 'RUN_HUNG');
    assert.match(failed.error.message, /2 s/);
  }));

test('a cancelled process that does not stop within the grace period is ended', () =>
  withWorld({ activations: { one: SLOW }, daemon: { ...once, gracePeriod: '100ms' } }, async world => {
    const log = new MemoryLog();
    const daemon = await world.start({ log });
    const { run } = (await daemon.trigger(request('one'))).record;
    process.kill(await pidOf(log, run), 'SIGSTOP');
    await daemon.cancel(run);
    const record = await ended(daemon, run);
    assert.equal(record.state, 'cancelled');
    assert.deepEqual(await world.container.list(), []);
  }));

test('V8 out of memory is told from any other abort', async () => {
  // The program does not tell how much it holds: its end is V8's own, at the limit that
  // it was given.
  await withWorld({ daemon: { ...once, runMemory: '64MiB' } }, async world => {
    const program = await world.program(`
      process.once('message', () => {
        const kept = [];
        for (;;) kept.push(new Array(1000).fill({}));
      });`);
    const daemon = await world.start({ program });
    const failed = await make(daemon, 'one');
    assert.equal(failed.error?.code, 'RUN_OUT_OF_MEMORY', JSON.stringify(failed.error));
    assert.match(failed.error.message, /was out of memory .*64 MiB/);
  });
  await withWorld({ daemon: once }, async world => {
    const program = await world.program(`process.once('message', () => process.abort());`);
    const failed = await make(await world.start({ program }), 'one');
    assert.equal(failed.error?.code, 'RUN_KILLED');
    assert.match(failed.error.message, /SIGABRT|134/);
  });
});

test('a program that cannot be started, or ends without a word, fails the run', async () => {
  await withWorld({ daemon: once }, async world => {
    const failed = await make(await world.start({ program: { path: '/nowhere.js', execArgv: [] } }), 'one');
    assert.equal(failed.error?.code, 'RUN_KILLED');
  });
  await withWorld({ daemon: once }, async world => {
    const program = await world.program('process.exit(7)');
    const failed = await make(await world.start({ program }), 'one');
    assert.equal(failed.error?.code, 'RUN_KILLED');
    assert.match(failed.error.message, /exit code 7/);
  });
});

test('what a process prints is in the log, line by line, with its run', () =>
  withWorld({ daemon: once }, async world => {
    const program = await world.program(
      `process.once('message', () => { process.stderr.write('first\\nsec'); process.stderr.write('ond\\n', () => process.exit(1)); });`,
    );
    const log = new MemoryLog();
    const daemon = await world.start({ program, log });
    const { run } = await make(daemon, 'one');
    const printed = log.lines.filter(
      ({ level, fields }) => level === 'warn' && fields.run === run && 'pid' in fields,
    );
    assert.deepEqual(
      printed.map(({ message }) => message),
      ['first', 'second'],
    );
  }));

test('a run needs no secret but its own, and takes one that was renewed', () =>
  withWorld({ daemon: once }, async world => {
    const [url, word] = [join(world.dataDirectory, 'url'), join(world.dataDirectory, 'word')];
    await writeFile(url, 'postgres://nobody@127.0.0.1:1/nothing');
    await writeFile(word, 'secret');
    const other = { sql: `select 1 as id, '\${file:${word}}' as name` };
    world.settings = { ...world.settings, url: `\${file:${url}}`, activations: { one: {}, other } };
    const daemon = await world.start();
    await rm(word);
    await writeFile(url, world.database.url);
    assert.equal((await make(daemon, 'one')).state, 'succeeded');
    const failed = await make(daemon, 'other');
    assert.equal(failed.error?.code, 'CONFIG_INVALID');
    assert.match(failed.error.message, /models\.other\.sql refers to the file .*word, which cannot be read/);
  }));
