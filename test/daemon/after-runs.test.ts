/** Runs after others, by the daemon as it is served. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Daemon } from '../../src/daemon/daemon.ts';
import { Schedules } from '../../src/daemon/schedule/schedules.ts';
import type { RunRecord } from '../../src/history/run-record.ts';
import { hasEnded } from '../../src/history/run-state.ts';
import { DaemonWorld } from './support/daemon-world.ts';

const worlds: DaemonWorld[] = [];
after(() => Promise.all(worlds.map(world => world.close())));

const start = (world: DaemonWorld): Promise<Daemon> =>
  world.start({
    createScheduler: ({ documents, clock, log }, target) => new Schedules({ target, documents, clock, log }),
  });

/** The next run of the activation that ends. */
function ended(daemon: Daemon, name: string): Promise<RunRecord> {
  return new Promise(resolve => {
    const stop = daemon.observeAll(change => {
      if (change.type !== 'state' || change.record.activation !== name || !hasEnded(change.record)) return;
      stop();
      resolve(change.record);
    });
  });
}

async function runsOf(daemon: Daemon, activation: string): Promise<(string | undefined)[]> {
  const { records } = await daemon.runs({ activation, limit: 100 });
  return records.map(({ idempotencyKey }) => idempotencyKey).reverse();
}

test('a success is followed by one run, also where the daemon was down, and a failure by none', async () => {
  const world = await DaemonWorld.open({
    activations: {
      load: {},
      failing: { sql: 'select 1 / 0 as id' },
      export: { schedule: [{ after: 'load' }] },
      other: { schedule: [{ after: 'failing' }] },
    },
  });
  worlds.push(world);
  const daemon = await start(world);
  const first = ended(daemon, 'export');
  const { record } = await daemon.trigger({ activation: 'load', trigger: 'http' });
  const { state, trigger, scheduledFor } = await first;
  assert.deepEqual([state, trigger], ['succeeded', 'schedule']);
  assert.equal(scheduledFor, (await daemon.run(record.run)).endedAt);
  const failed = ended(daemon, 'failing');
  await daemon.trigger({ activation: 'failing', trigger: 'http' });
  assert.equal((await failed).state, 'failed');
  await daemon.stop();

  // Nothing of this is told to a daemon.
  const beside = await world.runCommand('load');
  const next = await start(world);
  const keys = [`after load ${record.run}`, `after load ${beside.run}`];
  if ((await runsOf(next, 'export')).length < 2) await ended(next, 'export');
  assert.deepEqual(await runsOf(next, 'export'), keys);
  assert.deepEqual(await runsOf(next, 'other'), []);
  const told = await next.configured('export');
  assert.deepEqual(told.schedule, [{ entry: 'after load', words: 'after each success of load' }]);
});
