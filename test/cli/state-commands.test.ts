import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createProject, projectYaml } from './support.ts';

const DELTA = `  delta:
    { model: customers, destination: lake, fileName: delta, format: { type: csv }, runType: full_then_delta, syncMode: upsert, schedule: [{ cron: "0 7 * * *", timezone: Europe/Paris }, { every: 90m }] }`;

test('state reset without a terminal says that nothing was done, and names the flag', async t => {
  const project = await createProject({ activations: DELTA });
  t.after(() => project.remove());
  assert.equal((await project.run('run', 'delta')).code, 0);
  const refused = await project.run('state', 'reset', 'delta');
  assert.equal(refused.code, 2);
  assert.equal(refused.stdout, '');
  assert.match(
    refused.stderr,
    /^error USAGE: nothing was done: state reset removes the baseline of delta; .*; add --yes to do it without being asked\n$/,
  );
  assert.match((await project.run('state', 'show', 'delta')).stdout, /generation 1/);
  const done = await project.run('state', 'reset', 'delta', '--yes');
  assert.equal(done.code, 0);
  assert.match(done.stdout, /^delta: the baseline of generation 1 \(10 keys\) is removed/);
});

test('state backups lists what restore takes, and a wrong id is answered with the list', async t => {
  const project = await createProject({ activations: DELTA });
  t.after(() => project.remove());
  const none = await project.run('state', 'backups', 'delta');
  assert.equal(none.stdout, 'delta has no backup\n');
  const ids: string[] = [];
  for (const generation of [1, 2]) {
    await project.database.sql(`update customers set name = 'x${generation}' where id = 1`);
    assert.equal((await project.run('run', 'delta')).code, 0);
    const { stdout } = await project.run('state', 'backup', 'delta', '--json');
    ids.unshift(JSON.parse(stdout).backup);
  }
  const listed = await project.run('state', 'backups', 'delta', '--json');
  assert.equal(listed.code, 0, listed.stderr);
  const backups = listed.stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line));
  assert.deepEqual(
    backups.map(({ backup, generation, keys }) => [backup, generation, keys]),
    [
      [ids[0], 2, 10],
      [ids[1], 1, 10],
    ],
  );
  assert.ok(backups.every(({ bytes, createdAt }) => bytes > 0 && !Number.isNaN(Date.parse(createdAt))));
  const table = await project.run('state', 'backups', 'delta');
  assert.match(
    table.stdout,
    new RegExp(`^backup +made +generation +keys +bytes\n${ids[0]} +20\\S+Z +2 +10 +`),
  );

  for (const id of ['123', '20250414-070000-123-k3f9ab']) {
    const wrong = await project.run('state', 'restore', 'delta', '--backup', id);
    assert.equal(wrong.code, 2);
    assert.ok(wrong.stderr.includes(`there is no backup "${id}" of delta`), wrong.stderr);
    assert.ok(
      wrong.stderr.includes(`there are ${ids.join(', ')}; \`sluice state backups delta\` lists them`),
    );
  }
  const { container, database } = project;
  project.configure(
    projectYaml({
      url: database.url,
      container,
      activations: DELTA,
      auth: `sasToken: "${container.sas('rw')}"`,
    }),
  );
  const blind = await project.run('state', 'backups', 'delta', '--json');
  assert.equal(blind.code, 0, blind.stderr);
  assert.equal(JSON.parse(blind.stdout).backup, ids[0]);
  assert.match(blind.stderr, /only the latest backup is known: the credentials lack list \(l\)/);
});

test('activations are listed with source, destination, schedule and last run, and run --all runs them', async t => {
  const project = await createProject({ activations: DELTA });
  t.after(() => project.remove());
  const before = await project.run('activations');
  assert.equal(before.code, 0, before.stderr);
  assert.match(
    before.stdout,
    /^activation +source +destination +schedule +last run\nwhole +warehouse +lake +none +never\n/,
  );
  assert.match(before.stdout, /^delta +warehouse +lake +0 7 \* \* \* Europe\/Paris, every 90m +never$/m);
  const all = await project.run('run', '--all');
  assert.equal(all.code, 0, all.stderr);
  assert.match(all.stdout, /^whole: succeeded[\s\S]*^delta: succeeded/m);
  const { stdout } = await project.run('activations', '--json');
  const [whole, delta] = stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line));
  assert.equal(whole.lastRun.state, 'succeeded');
  assert.deepEqual(
    [delta.model, delta.format, delta.runType, delta.syncMode, delta.schedule],
    ['customers', 'csv', 'full_then_delta', 'upsert', ['0 7 * * * Europe/Paris', 'every 90m']],
  );
});

test('while a run is under way another one names it, and looking is allowed', async t => {
  const project = await createProject({
    models: `  slow: { source: warehouse, sql: "select id, name, pg_sleep(case id when 1 then 0 else 600 end)::text as waited from customers order by id", primaryKey: [id] }`,
    activations: `${DELTA}
  full: { model: slow, destination: lake, fileName: full, format: { type: csv } }`,
  });
  t.after(() => project.remove());
  const running = project.start('run', 'full');
  await running.until(/full: reading/);
  const second = await project.run('run', 'full');
  assert.equal(second.code, 75);
  assert.match(
    second.stderr,
    new RegExp(
      `^error STATE_LOCKED: full: \\S*/activations/full is in use by run \\d{8}-\\S+ \\(process ${running.pid}, since 20\\S+Z\\); wait until`,
      'm',
    ),
  );
  const shown = await project.run('state', 'show', 'full');
  assert.equal(shown.code, 0, shown.stderr);
  assert.match(shown.stdout, new RegExp(`^ {2}in use {5}by run \\S+ \\(process ${running.pid}, `, 'm'));
  const { inUse, pending } = JSON.parse((await project.run('state', 'show', 'full', '--json')).stdout);
  assert.match(inUse, /^run \d{8}-/);
  assert.deepEqual(pending, []);
  assert.equal((await project.run('runs')).code, 0);
  assert.equal((await project.run('validate', 'full')).code, 0);
  running.kill('SIGINT');
  assert.equal((await running.ended).code, 130);
});
