import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isSuccess } from '../../../src/history/run-state.ts';
import { everyNth } from '../../support/all-cases.ts';
import type { BlobRequest } from '../../support/blob-proxy.ts';
import type { ServeProcess } from '../support/serve-process.ts';
import { QueueWorld, SLICES, type WorkerProcess } from './support/queue-world.ts';

let world: QueueWorld;
let folder: string;
let daemon: ServeProcess;
/** The one that no case harms. */
let worker: WorkerProcess;
const NAMES = [
  'killed',
  'stopped',
  'away',
  'link',
  'daemon',
  'before',
  'after',
  'cancelled',
  'failing',
] as const;
type Name = (typeof NAMES)[number];

before(async () => {
  const failing = { format: { type: 'json', onUnrepresentable: 'fail' } };
  const activations = NAMES.map(name => [name, name === 'failing' ? failing : {}]);
  world = await QueueWorld.open(Object.fromEntries(activations));
  folder = await world.host();
  [daemon, worker] = await Promise.all([world.serve(folder), world.worker()]);
});
after(() => world.close());

async function begin(name: Name, key = 'once'): Promise<string> {
  const { status, body } = await daemon.trigger(name, key);
  assert.equal(status, 202, JSON.stringify(body));
  return body.run;
}

/** All rows once, by that run, which is the first generation. */
async function assertPublished(name: Name, run: string): Promise<void> {
  const record = await daemon.ended(run);
  assert.ok(isSuccess(record), JSON.stringify(record));
  assert.equal(record.slices?.count, SLICES);
  assert.deepEqual(await world.publishedIds(name), world.allIds);
  const manifest = await world.manifest(name);
  assert.deepEqual({ run: manifest['run'], generation: manifest['generation'] }, { run, generation: 1 });
}

/** Lets the one worker that is left rest, so that another one takes slices. */
async function aloneDuring<T>(act: (other: WorkerProcess) => Promise<T>): Promise<T> {
  worker.command.kill('SIGSTOP');
  try {
    return await act(await world.worker());
  } finally {
    worker.command.kill('SIGCONT');
  }
}

/** Kills the process that makes the run at the first request that fits. */
async function killFinaliser(run: string, fits: (request: BlobRequest) => boolean): Promise<void> {
  let letGo = (): void => {};
  const gone = new Promise<void>(resolve => (letGo = resolve));
  await new Promise<void>(resolve => {
    world.blobs.setHook(request => {
      if (request.method !== 'PUT' || !fits(request)) return undefined;
      world.blobs.setHook(undefined);
      resolve();
      return { delayUntil: gone };
    });
  });
  const begun = new RegExp(`"run":"${run}"[^\\n]*"pid":(\\d+)[^\\n]*"message":"run begins"`);
  const [, pid] = begun.exec(daemon.command.printed().stdout)!;
  process.kill(Number(pid), 'SIGKILL');
  letGo();
}

const CASES: Readonly<Record<string, () => Promise<void>>> = {
  'a worker that is killed loses its slice to another one, and the run goes on': async () => {
    const { held, letGo } = world.holdBlocks('killed.json');
    const run = await aloneDuring(async other => {
      const begun = await begin('killed');
      await held;
      other.command.kill('SIGKILL');
      await other.command.ended;
      return begun;
    });
    letGo();
    await world.lapse();
    await assertPublished('killed', run);
    const record = await daemon.ended(run);
    assert.deepEqual(record.slices?.workers, [{ name: worker.name, slices: SLICES }]);
    assert.equal(record.attempt, 1);
  },

  'a link to the queue that is cut keeps nobody from finishing': async () => {
    const { held, letGo } = world.holdBlocks('link.json');
    const run = await begin('link');
    await held;
    // Nothing comes back, and nothing says so.
    world.link.blackHole();
    await daemon.command.until(new RegExp(`"run":"${run}"[^\\n]*run waits: the database of the queue`));
    letGo();
    world.link.resume();
    world.link.cut();
    await assertPublished('link', run);
  },

  'a slice that fails for good calls off the others, and fails the run with its reason': async () => {
    await world.database.sql(`update t set r = 'NaN' where id = 7`);
    const record = await daemon.ended(await begin('failing'));
    assert.equal(record.state, 'failed');
    assert.equal(record.error?.code, 'VALUE_NOT_EXPRESSIBLE');
    assert.match(record.error.message, /^slice 0: .*column "r" holds NaN/);
    assert.equal(record.attempts?.length ?? 1, 1);
    assert.ok(!(await world.container.list()).includes('failing.json'));
    const left = await world.queue.sql<{ name: string; state: string; count: number }>(
      `select name, state, count(*)::int as count from sluice_queue.job where data ->> 'run' = $1 group by 1, 2 order by 1, 2`,
      [record.run],
    );
    const dead = left.find(({ name }) => name === 'slices-failed');
    assert.equal(dead?.count, 1);
    assert.ok(
      left.every(({ name, state }) => name === 'slices-failed' || !/created|retry|active/.test(state)),
      JSON.stringify(left),
    );
    await world.database.sql('update t set r = 7 where id = 7');
    await assertPublished('failing', await begin('failing', 'twice'));
  },

  'a finaliser that is killed before it has decided is followed by another one': async () => {
    const run = await begin('before');
    await killFinaliser(run, ({ blob = '' }) => blob.endsWith('/decision.json'));
    await assertPublished('before', run);
  },

  'a worker that is stopped past its heartbeat, and continued, changes nothing': async () => {
    const { held, letGo } = world.holdBlocks('stopped.json');
    let run = '';
    const stopped = await aloneDuring(async other => {
      run = await begin('stopped');
      await held;
      other.command.kill('SIGSTOP');
      return other;
    });
    await world.lapse();
    world.blobs.setHook(undefined);
    await assertPublished('stopped', run);
    const { etag } = await world.container.client.getBlockBlobClient('stopped.json').getProperties();
    letGo();
    stopped.command.kill('SIGCONT');
    await stopped.command.until(/slice is read|called off|slice failed/);
    const now = await world.container.client.getBlockBlobClient('stopped.json').getProperties();
    assert.equal(now.etag, etag);
    assert.deepEqual(await world.publishedIds('stopped'), world.allIds);
    stopped.command.kill('SIGTERM');
    assert.equal((await stopped.command.ended).code, 0);
  },

  'a database of the queue that is away for a while keeps nobody from finishing': async () => {
    const { held, letGo } = world.holdBlocks('away.json');
    const run = await begin('away');
    await held;
    const allow = (yes: boolean): Promise<unknown> =>
      world.database.sql(`alter database ${world.queue.name} allow_connections ${yes}`);
    await allow(false);
    await world.database.sql(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()',
      [world.queue.name],
    );
    world.link.cut();
    await daemon.command.until(new RegExp(`"run":"${run}"[^\\n]*run waits: the database of the queue`));
    letGo();
    await allow(true);
    await assertPublished('away', run);
    assert.equal((await daemon.ended(run)).attempt, 1);
  },

  'a finaliser that is killed after it has decided is followed by another one': async () => {
    const run = await begin('after');
    await killFinaliser(run, ({ comp, blob }) => comp === 'blocklist' && blob === 'after.json');
    await assertPublished('after', run);
  },

  'a run that is cancelled calls off its slices, and another one begins anew': async () => {
    const { held, letGo } = world.holdBlocks('cancelled.json');
    const run = await begin('cancelled');
    await held;
    const { status } = await daemon.call('POST', `/v1/runs/${run}/cancel`);
    assert.equal(status, 200);
    assert.equal((await daemon.ended(run)).state, 'cancelled');
    const left = await world.queue.sql(
      `select from sluice_queue.job where data ->> 'run' = $1 and state in ('created', 'retry', 'active')`,
      [run],
    );
    assert.deepEqual(left, []);
    letGo();
    await assertPublished('cancelled', await begin('cancelled', 'twice'));
  },

  'a daemon that is killed while workers read goes on with the same run': async () => {
    const { held, letGo } = world.holdBlocks('daemon.json');
    const run = await begin('daemon');
    await held;
    await daemon.kill();
    letGo();
    daemon = await world.serve(folder);
    assert.equal(await begin('daemon'), run);
    await assertPublished('daemon', run);
  },
};

for (const [name, act] of everyNth(4, Object.entries(CASES))) {
  test(name, async () => {
    try {
      await act();
    } finally {
      world.blobs.setHook(undefined);
    }
  });
}
