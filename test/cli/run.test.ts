import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createProject, projectYaml } from './support.ts';

/**
 * Rows that fill a batch, and then one that takes forever: the run is reading until
 * somebody stops it.
 */
const ENDLESS = `
  endless:
    source: warehouse
    sql: "select i, repeat('x', 1000) as x, case when i > 5000 then pg_sleep(600)::text end as wait from generate_series(1, 5001) i"
    primaryKey: [i]`;
const ENDLESS_ACTIVATION = `  endless: { model: endless, destination: lake, fileName: endless, format: { type: csv } }`;

test('runs an activation of ten rows and sums up what was written', async t => {
  const project = await createProject();
  t.after(() => project.remove());
  const { code, stdout, stderr } = await project.run('run', 'whole');
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^whole: succeeded in .* \(full; run \d{8}-\d{6}-\d{3}-[0-9a-z]{6}\)\n/);
  assert.match(stdout, /read 10, written 10, \d+ B\n/);
  assert.match(stdout, /file +rows +bytes\n +crm\/whole\.csv +10 +\d+ B\n/);
  assert.match(stderr, /^whole: connecting/);
  const lines = (await project.container.download('crm/whole.csv')).toString().split('\n');
  assert.deepEqual(lines.slice(0, 5), [
    'id,name,balance',
    '1,name 1,1.5000',
    '2,name 2,3.0000',
    '3,,4.5000',
    '4,"",6.0000',
  ]);
});

test('prints one line of JSON for each run with --json, and nothing else', async t => {
  const project = await createProject({
    activations: '  again: { model: customers, destination: lake, fileName: again, format: { type: csv } }',
  });
  t.after(() => project.remove());
  const { code, stdout, stderr } = await project.run('run', 'again', 'whole', '--json');
  assert.equal(code, 0);
  assert.equal(stderr, '');
  const records = stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line));
  assert.deepEqual(
    records.map(({ activation, state, trigger }) => ({ activation, state, trigger })),
    [
      { activation: 'again', state: 'succeeded', trigger: 'command' },
      { activation: 'whole', state: 'succeeded', trigger: 'command' },
    ],
  );
  const { counts, files, run, startedAt, endedAt } = records[1];
  assert.equal(counts.read, 10);
  assert.equal(counts.written, 10);
  assert.deepEqual(
    files.map(({ name, rows, part }: Record<string, unknown>) => ({ name, rows, part })),
    [{ name: 'crm/whole.csv', rows: 10, part: 1 }],
  );
  assert.match(run, /^\d{8}-/);
  assert.ok(Date.parse(endedAt) >= Date.parse(startedAt));
});

test('runs every name in order and ends with the gravest exit code', async t => {
  const project = await createProject({
    models: '  broken: { source: warehouse, sql: "select nothing from nowhere", primaryKey: [id] }',
    activations: `  broken: { model: broken, destination: lake, fileName: broken, format: { type: csv } }
  last: { model: customers, destination: lake, fileName: last, format: { type: csv } }`,
  });
  t.after(() => project.remove());
  const { code, stdout, stderr } = await project.run('run', 'whole', 'broken', 'last');
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^error SOURCE_QUERY_INVALID: broken: .*"nowhere" does not exist .*; correct the SQL/m,
  );
  assert.deepEqual(stdout.match(/^\w+(?=: succeeded)/gm), ['whole', 'last']);
  const files = (await project.container.list()).filter(name => !name.includes('_sluice'));
  assert.deepEqual(files, ['crm/last.csv', 'crm/whole.csv']);
});

test('runs nothing where one of the names is unknown, and says all that is wrong', async t => {
  const project = await createProject();
  t.after(() => project.remove());
  const { code, stdout, stderr } = await project.run('run', 'whole', 'hole', 'many');
  assert.equal(code, 2);
  assert.equal(stdout, '');
  assert.match(stderr, /^error NAME_UNKNOWN: there is no activation "hole"; did you mean whole\?/m);
  assert.match(stderr, /^error NAME_UNKNOWN: there is no activation "many"/m);
  assert.deepEqual(await project.container.list(), []);
});

test('ends with 75 where another try may help', async t => {
  const project = await createProject();
  t.after(() => project.remove());
  const closed = new URL(project.database.url);
  closed.port = '1';
  project.configure(projectYaml({ url: closed.href, container: project.container }));
  const { code, stdout, stderr } = await project.run('run', 'whole', '--json');
  assert.equal(code, 75);
  assert.match(
    stderr,
    /^error SOURCE_CONNECT_FAILED: whole: connecting to source warehouse: .*ECONNREFUSED.*; check/,
  );
  const record = JSON.parse(stdout);
  assert.equal(record.state, 'failed');
  assert.equal(record.error.code, 'SOURCE_CONNECT_FAILED');
  assert.equal(record.error.retryable, true);
});

test('ends with 3 where a gate holds the run, and publishes with --allow-removals', async t => {
  const project = await createProject({
    activations: `  changes:
    { model: customers, destination: lake, fileName: "changes/{run}", format: { type: csv }, runType: full_then_delta, syncMode: difference }`,
  });
  t.after(() => project.remove());
  assert.equal((await project.run('run', 'changes')).code, 0);
  await project.database.sql('delete from customers');

  const held = await project.run('run', 'changes');
  assert.equal(held.code, 3);
  assert.equal(held.stdout, '');
  assert.match(
    held.stderr,
    /^held changes: the source of changes returned no rows, .*; if that is meant, repeat it with --allow-removals$/m,
  );

  const allowed = await project.run('run', 'changes', '--allow-removals', '--json');
  assert.equal(allowed.code, 0, allowed.stderr);
  assert.equal(JSON.parse(allowed.stdout).counts.removed, 10);

  const full = await project.run('run', 'changes', '--full');
  assert.equal(full.code, 0, full.stderr);
  assert.match(full.stdout, /\(full, difference, generation 3; /);
});

test('stops cleanly at Ctrl-C while it reads: nothing published, the query given up, exit code 130', async t => {
  const project = await createProject({ models: ENDLESS, activations: ENDLESS_ACTIVATION });
  t.after(() => project.remove());
  const command = project.start('run', 'endless', 'whole');
  await command.until(/endless: reading {2}[\d,]+ rows .* staged/);
  command.kill('SIGINT');
  const { code, stdout, stderr } = await command.ended;
  assert.equal(code, 130);
  assert.equal(stdout, '');
  assert.match(stderr, /^stopping; once more stops at once$/m);
  assert.match(stderr, /^error CANCELLED: endless: the run was cancelled; nothing was published$/m);
  assert.match(stderr, /^whole: not run$/m);
  assert.deepEqual(await project.container.list(), []);
  const [left] = await project.database.sql(
    "select count(*)::int as count from pg_stat_activity where datname = current_database() and query like '%pg_sleep(600)%' and pid <> pg_backend_pid()",
  );
  assert.deepEqual(left, { count: 0 });
});

test('ends at once at the second signal', async t => {
  const project = await createProject({ models: ENDLESS, activations: ENDLESS_ACTIVATION });
  t.after(() => project.remove());
  const command = project.start('run', 'endless');
  await command.until(/endless: reading/);
  command.kill('SIGTERM');
  await command.until(/stopping/);
  command.kill('SIGTERM');
  const { code, stdout } = await command.ended;
  assert.equal(code, 130);
  assert.equal(stdout, '');
});

test('finishes a run whose reader has gone away', async t => {
  const project = await createProject();
  t.after(() => project.remove());
  const command = project.start('run', 'whole');
  command.closeOutput();
  assert.equal((await command.ended).code, 0);
  assert.ok((await project.container.list()).includes('crm/whole.csv'));
});
