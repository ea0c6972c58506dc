import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { resolveActivation } from '../../src/config/activation.ts';
import { parseConfig } from '../../src/config/load.ts';
import { activationConfiguration } from '../../src/daemon/activation-configuration.ts';
import type { Change } from '../../src/daemon/operations.ts';
import { CronScheduler } from '../../src/daemon/schedule/cron-scheduler.ts';
import { DaemonWorld } from './support/daemon-world.ts';

const worlds: DaemonWorld[] = [];
after(() => Promise.all(worlds.map(world => world.close())));

test('an activation is told with its last runs, and whoever looks hears of each change', async () => {
  const world = await DaemonWorld.open({
    activations: {
      one: {
        schedule: [{ cron: '0 7 * * *', timezone: 'UTC' }],
        runType: 'full_then_delta',
        syncMode: 'upsert',
      },
    },
  });
  worlds.push(world);
  const daemon = await world.start();
  const changes: Change[] = [];
  const stop = daemon.observeAll(change => changes.push(change));
  const runs: string[] = [];
  for (const _ of [1, 2]) {
    const { record } = await daemon.trigger({ activation: 'one', trigger: 'http' });
    runs.push(record.run);
    await daemon.wait(record.run, { timeoutMs: 60_000, signal: new AbortController().signal });
  }
  await daemon.pause('one');
  const states = changes.flatMap(change => (change.type === 'state' ? [change.record.state] : []));
  assert.deepEqual([states[0], states.at(-1)], ['queued', 'succeeded']);
  assert.ok(changes.some(change => change.type === 'activation' && change.name === 'one'));
  stop();
  const heard = changes.length;
  await daemon.resume('one');
  assert.equal(changes.length, heard);

  const { recent } = await daemon.activation('one');
  assert.deepEqual(
    recent.map(({ run, state, added, written }) => [run, state, added, written]),
    [
      [runs[0], 'succeeded', 3, 3],
      [runs[1], 'succeeded', 0, 0],
    ],
  );
  for (const { seconds, bytes } of recent) assert.ok(seconds! > 0 && bytes > 0);
});

const reference = (name: string): string => `$\{${name}}`;

test('the configuration of a table model names the table, its columns and its filter', () => {
  const text = JSON.stringify({
    version: 1,
    sources: { db: { type: 'postgres', url: 'postgres://u@127.0.0.1/db' } },
    destinations: {
      lake: { type: 'azure-blob', container: 'exports', auth: { connectionString: reference('AZ') } },
    },
    models: {
      m: {
        source: 'db',
        table: 'Sales."Or""ders"',
        columns: ['id'],
        where: `brand = '${reference('BRAND')}'`,
      },
    },
    activations: { a: { model: 'm', destination: 'lake', fileName: 'x', format: { type: 'csv' } } },
  });
  const environment = { AZ: 'UseDevelopmentStorage=true', BRAND: 'a secret brand' };
  const { config } = parseConfig({ text, environment });
  const { sql, table, primaryKey } = activationConfiguration(resolveActivation(config, 'a'), undefined);
  assert.equal(sql, undefined);
  assert.deepEqual(table, { schema: 'sales', name: 'Or"ders', columns: ['id'], where: "brand = '(hidden)'" });
  assert.deepEqual(primaryKey, []);
});

test('a configuration is told with its query, its place and its schedule, and without a secret', async () => {
  const world = await DaemonWorld.open({
    activations: {
      one: { sql: "select id, name from t where name <> 'x'", schedule: [{ every: '15m' }] },
    },
  });
  worlds.push(world);
  const daemon = await world.start({
    createScheduler: ({ documents, clock, log }, target) =>
      new CronScheduler({ target, documents, clock, log }),
  });
  const told = await daemon.configured('one');
  const { accountUrl, container } = world.container;
  assert.equal(told.url, `${accountUrl}/${container}/`);
  assert.equal(told.sql, "select id, name from t where name <> 'x'");
  assert.deepEqual(told.schedule, [{ entry: 'every 15 minutes', words: 'every 15 minutes' }]);
  assert.equal(told.upcoming.length, 5);
  const text = JSON.stringify(told);
  assert.ok(text.includes('"ifExists":"overwrite"'), 'defaults are told too');
  assert.ok(!text.includes(world.container.accountKey));
  assert.ok(!text.includes(world.database.url));
  await assert.rejects(daemon.configured('nobody'), { code: 'NAME_UNKNOWN' });
});
