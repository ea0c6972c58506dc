import assert from 'node:assert/strict';
import test from 'node:test';
import type { SluiceError } from '../../src/errors.ts';
import { listRuns } from '../../src/history/record-files.ts';
import { azureError, type BlobProxy, type BlobRequest } from '../support/blob-proxy.ts';
import {
  type DaemonWorld,
  ended,
  eventOf,
  make,
  pidOf,
  request,
  SLOW,
  untilState,
  withWorld,
} from './support/daemon-world.ts';
import { MemoryLog } from './support/memory-log.ts';

const signal = new AbortController().signal;

test('makes a run in a process of its own, and keeps its record', () =>
  withWorld({}, async world => {
    const daemon = await world.start();
    const { record, isNew } = await daemon.trigger(request('one'));
    assert.equal(isNew, true);
    assert.equal(record.state, 'queued');
    const states: string[] = [];
    daemon.observe(record.run, event => event.type === 'state' && states.push(event.record.state));
    const done = await ended(daemon, record.run);
    assert.equal(done.state, 'succeeded', JSON.stringify(done.error));
    assert.equal(done.run, record.run);
    assert.equal(done.trigger, 'http');
    assert.equal(done.attempt, 1);
    assert.equal(done.counts.written, 3);
    assert.deepEqual(await world.rows('one.csv'), ['1,name 1', '2,name 2', '3,name 3']);
    assert.deepEqual([states[0], states.at(-1)], ['reading', 'succeeded']);
    // What the daemon tells is what `sluice runs` tells.
    assert.deepEqual(await daemon.run(record.run), done);
    const { records } = await listRuns({ dataDirectory: world.dataDirectory, limit: 10 });
    assert.deepEqual(records, [done]);
    const manifest = JSON.parse((await world.container.download(`_sluice/one/${done.run}.json`)).toString());
    for (const key of ['attempt', 'requestedAt', 'asked', 'idempotencyKey'])
      assert.ok(!(key in manifest), key);
  }));

test('the same key makes one run, whether it comes at once, later, or after a restart', () =>
  withWorld({ activations: { one: {}, two: {} } }, async world => {
    const first = await world.start();
    const asked = request('one', { idempotencyKey: 'monday', full: true });
    const answers = await Promise.all(Array.from({ length: 10 }, () => first.trigger(asked)));
    assert.equal(new Set(answers.map(({ record }) => record.run)).size, 1);
    assert.equal(answers.filter(({ isNew }) => isNew).length, 1);
    const { run } = answers[0]!.record;
    await ended(first, run);
    const later = await first.trigger(asked);
    assert.deepEqual([later.record.run, later.record.state, later.isNew], [run, 'succeeded', false]);
    await assert.rejects(first.trigger({ ...asked, full: false }), { code: 'IDEMPOTENCY_KEY_REUSED' });
    const other = await first.trigger({ ...asked, activation: 'two' });
    assert.equal(other.isNew, true);
    await ended(first, other.record.run);
    await first.stop();
    const second = await world.start();
    const again = await second.trigger(asked);
    assert.deepEqual([again.record.run, again.isNew], [run, false]);
    assert.equal((await second.runs({ activation: 'one', limit: 10 })).records.length, 1);
  }));

test('says what it does not know', () =>
  withWorld({}, async world => {
    const daemon = await world.start();
    await assert.rejects(daemon.trigger(request('nobody')), { code: 'NAME_UNKNOWN', message: /one/ });
    await assert.rejects(daemon.trigger(request('__proto__')), { code: 'NAME_UNKNOWN' });
    await assert.rejects(daemon.run('20250414-070000-123-k3f9ab'), { code: 'RUN_UNKNOWN' });
    await assert.rejects(daemon.run('../../etc/passwd'), { code: 'RUN_UNKNOWN' });
    await assert.rejects(daemon.cancel('nothing'), { code: 'RUN_UNKNOWN' });
    await assert.rejects(daemon.activation('nobody'), { code: 'NAME_UNKNOWN' });
    const nobody = daemon.runs({ activation: 'nobody', limit: 10 });
    await assert.rejects(nobody, { code: 'NAME_UNKNOWN', message: /one/ });
    assert.deepEqual(await daemon.runs({ activation: 'one', limit: 10 }), { records: [], more: false });
  }));

test('one run of an activation at a time, so many in all, and a queue with an end', () =>
  withWorld(
    {
      activations: { a: SLOW, b: SLOW, c: SLOW },
      daemon: { concurrency: 2, queueLimit: 2, gracePeriod: '5s' },
    },
    async world => {
      const daemon = await world.start();
      const runs: string[] = [];
      for (const name of ['a', 'b', 'c']) runs.push((await daemon.trigger(request(name))).record.run);
      const [a, b, c] = runs as [string, string, string];
      await untilState(daemon, a, 'reading');
      await untilState(daemon, b, 'reading');
      const waiting = [await daemon.trigger(request('a')), await daemon.trigger(request('a'))];
      await assert.rejects(daemon.trigger(request('a')), { code: 'QUEUE_FULL' });
      assert.equal((await daemon.run(c)).state, 'queued');
      assert.deepEqual([daemon.health().running, daemon.health().queued], [2, 3]);
      const status = await daemon.activation('a');
      assert.equal(status.running, a);
      assert.deepEqual(
        status.queued,
        waiting.map(({ record }) => record.run),
      );
      await daemon.cancel(a);
      await ended(daemon, a);
      // The turn of c, which came before the second run of a.
      await untilState(daemon, c, 'reading');
      assert.equal((await daemon.run(waiting[0]!.record.run)).state, 'queued');
      assert.equal(daemon.health().running, 2);
    },
  ));

test('200 requests at once are all accepted, each once', () =>
  withWorld(
    { activations: Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`a${index}`, {}])) },
    async world => {
      const daemon = await world.start();
      for (let index = 0; index < 20; index++) await daemon.pause(`a${index}`);
      for (let index = 0; index < 20; index++) await daemon.resume(`a${index}`);
      const asked = Array.from({ length: 200 }, (_, index) => request(`a${index % 20}`));
      const accepted = await Promise.all(asked.map(one => daemon.trigger(one)));
      assert.equal(new Set(accepted.map(({ record }) => record.run)).size, 200);
      const { records, more } = await daemon.runs({ limit: 1000 });
      assert.equal(records.length, 200);
      assert.equal(more, false);
    },
  ));

test('a queued run is cancelled at once, one that is under way stops and publishes nothing', () =>
  withWorld({ activations: { one: SLOW } }, async world => {
    const daemon = await world.start();
    const running = (await daemon.trigger(request('one'))).record.run;
    const queued = (await daemon.trigger(request('one'))).record.run;
    await untilState(daemon, running, 'reading');
    const cancelled = await daemon.cancel(queued);
    assert.equal(cancelled.state, 'cancelled');
    assert.equal(cancelled.error?.code, 'CANCELLED');
    await daemon.cancel(running);
    const stopped = await ended(daemon, running);
    assert.equal(stopped.state, 'cancelled');
    assert.equal(stopped.attempts, undefined, 'what was cancelled is not tried again');
    assert.deepEqual(await world.container.list(), []);
    assert.deepEqual(await daemon.cancel(running), stopped, 'what has ended is left as it is');
    assert.equal(daemon.health().running + daemon.health().queued, 0);
  }));

test('a run that is decided is finished, whoever cancels it', () =>
  withWorld({}, async world => {
    const { proxy, publish } = await heldPublishing(world);
    const daemon = await world.start();
    const { run } = (await daemon.trigger(request('one'))).record;
    await proxy.seen(isCommit);
    await daemon.cancel(run);
    publish();
    const done = await ended(daemon, run);
    assert.equal(done.state, 'succeeded');
    assert.deepEqual(await world.rows('one.csv'), ['1,name 1', '2,name 2', '3,name 3']);
  }));

test('a decided run whose process is killed is recovered, beyond the configured attempts', () =>
  withWorld({ daemon: ONE_ATTEMPT }, async world => {
    const { proxy, publish } = await heldPublishing(world);
    const log = new MemoryLog();
    const daemon = await world.start({ log });
    const { run } = (await daemon.trigger(request('one'))).record;
    await proxy.seen(isCommit);
    process.kill(await pidOf(log, run), 'SIGKILL');
    publish();
    const done = await ended(daemon, run);
    assert.equal(done.state, 'recovered');
    assert.equal(done.attempt, 1, 'it is finished, not made again');
    assert.deepEqual(await world.rows('one.csv'), ['1,name 1', '2,name 2', '3,name 3']);
    const manifests = (await world.container.list()).filter(name => name.startsWith('_sluice/'));
    assert.deepEqual(manifests, [`_sluice/one/${run}.json`, '_sluice/one/latest.json']);
  }));

test('a decided run that is refused has not failed: it is finished as soon as nobody refuses any more', () =>
  withWorld({ daemon: ONE_ATTEMPT }, async world => {
    const proxy = await world.blobProxy();
    let refuses = true;
    // The file is there, and no manifest tells of it.
    proxy.setHook(({ method, blob }) =>
      refuses && method === 'PUT' && blob?.startsWith('_sluice/')
        ? azureError(403, 'AuthorizationFailure')
        : undefined,
    );
    const daemon = await world.start();
    const { run } = (await daemon.trigger(request('one'))).record;
    const refused = await eventOf(
      daemon,
      run,
      event => event.type === 'state' && event.record.error?.code === 'DESTINATION_PERMISSION',
    );
    assert.ok(refused.type === 'state' && refused.record.state === 'queued');
    refuses = false;
    const next = await make(daemon, 'one');
    assert.equal(next.state, 'succeeded');
    const recovered = await daemon.run(run);
    assert.equal(recovered.state, 'recovered');
    assert.equal(next.previousGeneration, recovered.generation);
  }));

test('a wait ends with the run, with its time, or with the one who waits', () =>
  withWorld({ activations: { one: SLOW } }, async world => {
    const daemon = await world.start();
    const { run } = (await daemon.trigger(request('one'))).record;
    await untilState(daemon, run, 'reading');
    assert.equal((await daemon.wait(run, { timeoutMs: 1, signal })).endedAt, undefined);
    const gone = new AbortController();
    const waiting = daemon.wait(run, { timeoutMs: 600_000, signal: gone.signal });
    gone.abort();
    assert.equal((await waiting).endedAt, undefined);
    const toTheEnd = daemon.wait(run, { timeoutMs: 600_000, signal });
    await daemon.cancel(run);
    assert.equal((await toTheEnd).state, 'cancelled');
    await assert.rejects(daemon.wait('nothing', { timeoutMs: 600_000, signal }), { code: 'RUN_UNKNOWN' });
  }));

test('progress is told while the run goes on', () =>
  withWorld({ activations: { one: SLOW } }, async world => {
    const daemon = await world.start();
    const { run } = (await daemon.trigger(request('one'))).record;
    const event = await eventOf(daemon, run, ({ type }) => type === 'progress');
    assert.ok(event.type === 'progress' && event.run === run && event.progress.rowsRead >= 0);
    await daemon.cancel(run);
    await ended(daemon, run);
  }));

test('a query that has been sent is being read, though its first row takes long', () =>
  withWorld(
    { activations: { one: { sql: 'select 1 as id, pg_sleep(1000)::text as pause' } } },
    async world => {
      const daemon = await world.start();
      const { run } = (await daemon.trigger(request('one'))).record;
      const event = await eventOf(
        daemon,
        run,
        seen => seen.type === 'progress' && seen.progress.phase !== 'connecting',
      );
      assert.ok(event.type === 'progress');
      assert.deepEqual([event.progress.phase, event.progress.rowsRead], ['reading', 0]);
      await daemon.cancel(run);
      await ended(daemon, run);
    },
  ));

test('a run says that it is a full one where that was asked for, before it has looked at its baseline', () =>
  withWorld(
    { activations: { delta: { runType: 'full_then_delta', syncMode: 'upsert' }, whole: {} } },
    async world => {
      const daemon = await world.start();
      const told = async (activation: string, full?: boolean): Promise<boolean> =>
        (await daemon.trigger(request(activation, full === undefined ? {} : { full }))).record.full;
      assert.equal(await told('delta'), false);
      assert.equal(await told('delta', true), true);
      assert.equal(await told('whole'), true);
      const [newest] = (await daemon.runs({ activation: 'delta', limit: 1 })).records;
      assert.equal((await ended(daemon, newest!.run)).full, true);
      await world.database.sql('alter table t rename to gone');
      assert.equal((await make(daemon, 'delta')).full, false, 'it failed before it could know');
    },
  ));

test('a key that holds a secret is refused, and stands nowhere', () =>
  withWorld({ daemon: { tokens: { write: ['a-token-that-is-secret'] } } }, async world => {
    const daemon = await world.start();
    for (const idempotencyKey of ['a-token-that-is-secret', 'day-1-a-token-that-is-secret', 'sig=abcdefgh']) {
      await assert.rejects(daemon.trigger(request('one', { idempotencyKey })), (error: SluiceError) => {
        assert.deepEqual([error.code, error.message.includes(idempotencyKey)], ['REQUEST_INVALID', false]);
        return true;
      });
    }
    assert.deepEqual((await daemon.runs({ limit: 10 })).records, []);
    assert.equal((await make(daemon, 'one', { idempotencyKey: 'day-1' })).idempotencyKey, 'day-1');
  }));

test('lists runs by activation and state, page by page, and those of commands too', () =>
  withWorld({ activations: { a: {}, b: { sql: 'select nothing' } } }, async world => {
    const daemon = await world.start();
    const made: string[] = [];
    for (const name of ['a', 'b', 'a', 'a']) made.push((await make(daemon, name)).run);
    const runsOf = async (query: object): Promise<string[]> =>
      (await daemon.runs({ limit: 100, ...query })).records.map(({ run }) => run);
    assert.deepEqual(await runsOf({}), [...made].reverse());
    assert.deepEqual(await runsOf({ activation: 'b' }), [made[1]]);
    assert.deepEqual(await runsOf({ states: ['failed'] }), [made[1]]);
    assert.deepEqual(await runsOf({ states: ['queued', 'reading'] }), []);
    const page = await daemon.runs({ activation: 'a', limit: 2 });
    assert.deepEqual(
      page.records.map(({ run }) => run),
      [made[3], made[2]],
    );
    assert.equal(page.more, true);
    assert.deepEqual(await runsOf({ activation: 'a', before: made[2] }), [made[0]]);
    const byCommand = await world.runCommand('a');
    assert.equal((await runsOf({ limit: 1 }))[0], byCommand.run);
    assert.equal((await daemon.run(byCommand.run)).trigger, 'command');
    assert.equal((await daemon.activation('a')).lastRun?.run, byCommand.run);
  }));

const ONE_ATTEMPT = { retry: { attempts: 1, minDelay: '20ms', maxDelay: '50ms' } };

const isCommit = ({ comp, method }: BlobRequest): boolean => method === 'PUT' && comp === 'blocklist';

/** Files become visible when the test says so. */
async function heldPublishing(world: DaemonWorld): Promise<{ proxy: BlobProxy; publish: () => void }> {
  const proxy = await world.blobProxy();
  let publish = (): void => {};
  const held = new Promise<void>(resolve => (publish = resolve));
  proxy.setHook(request => (isCommit(request) ? { delayUntil: held } : undefined));
  return { proxy, publish };
}
