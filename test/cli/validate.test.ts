import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createProject, projectYaml } from './support.ts';

const SEVERAL = `  renamed:
    { model: customers, destination: lake, fileName: "{YYYY}/renamed", format: { type: csv, compression: gzip }, mapping: [id, { from: name, to: full name }] }
  changes:
    { model: customers, destination: lake, fileName: changes, format: { type: csv }, runType: full_then_delta, syncMode: difference }`;

test('validate tells source, columns with types, key, destination and names of every activation', async t => {
  const project = await createProject({ activations: SEVERAL });
  t.after(() => project.remove());
  const { code, stdout, stderr } = await project.run('validate');
  assert.equal(code, 0, stderr);
  assert.equal(stderr, '');
  assert.match(stdout, /^configuration: good \(1 file, 1 source, .* 0 segments, 3 activations\)\n/);
  for (const name of ['whole', 'renamed', 'changes'])
    assert.match(stdout, new RegExp(`^${name}: good$`, 'm'));
  assert.match(stdout, /ok +names +crm\/\d{4}\/renamed\.csv\.gz\n/);
  assert.match(
    stdout,
    /ok +names +crm\/changes_added\.csv, crm\/changes_updated\.csv, crm\/changes_removed\.csv\n/,
  );
  assert.match(stdout, /ok +source +warehouse is postgres \d+ at .*; model customers has 3 columns\n/);
  assert.match(stdout, /ok +key +id\n/);
  assert.match(stdout, /ok +destination +container test-\S+ of lake answers\n/);
  assert.match(stdout, / full name +text +name\n/);
  assert.match(stdout, / balance +numeric\(20,4\)\n/);
  assert.deepEqual(await project.container.list(), [], 'nothing was written');
});

test('validate goes on after a check that failed, and ends with the gravest exit code', async t => {
  const project = await createProject({
    models: `  keyless: { source: warehouse, sql: "select 1 as a", primaryKey: [id] }
  broken: { source: warehouse, sql: "select nothing from nowhere" }`,
    activations: `  wrong:
    { model: keyless, destination: lake, fileName: wrong, format: { type: csv }, mapping: [b] }
  broken: { model: broken, destination: lake, fileName: broken, format: { type: csv } }`,
  });
  t.after(() => project.remove());
  await project.container.client.delete();
  const { code, stdout, stderr } = await project.run('validate', 'wrong', 'broken', 'whole');
  assert.equal(code, 1);
  assert.match(stdout, /^wrong: 3 failed$/m);
  assert.match(stderr, /^error COLUMN_UNKNOWN: wrong: model keyless has no column "b"; it has a;/m);
  assert.match(stderr, /^error COLUMN_UNKNOWN: wrong: model keyless has no column "id"; it has a;/m);
  assert.match(stderr, /^error DESTINATION_NOT_FOUND: wrong: .*the container does not exist/m);
  assert.match(
    stderr,
    /^error SOURCE_QUERY_INVALID: broken: .*"nowhere" does not exist .* line 1, column 21/m,
  );
  assert.match(stdout, /^whole: 1 failed$/m);
  assert.match(stdout, /ok +source +warehouse is postgres/);
});

test('validate prints every problem of the configuration at once, with its place', async t => {
  const project = await createProject();
  t.after(() => project.remove());
  project.configure(`version: 1
sources: { w: { type: postgres, url: 12 } }
models: { m: { source: v, sql: select 1 } }
activations:
  a: { model: m, destination: d, fileName: ../a, format: { type: tsv } }`);
  const { code, stdout, stderr } = await project.run('validate', '--offline');
  assert.equal(code, 2);
  assert.equal(stdout, '');
  assert.match(stderr, /^error CONFIG_INVALID: the configuration has \d problems:\n/);
  for (const key of [
    'sources.w.url',
    'models.m.source',
    'activations.a.destination',
    'activations.a.format.type',
  ]) {
    assert.match(stderr, new RegExp(`^  sluice\\.yaml:\\d+:\\d+ ${key.replaceAll('.', '\\.')} `, 'm'));
  }
  assert.match(stderr, /\ncorrect the listed keys, then run `sluice validate --offline`\n$/);
});

test('validate --offline makes no connection', async t => {
  const project = await createProject();
  t.after(() => project.remove());
  const nowhere = { ...project.container, accountUrl: 'http://127.0.0.1:1/devstoreaccount1' };
  project.configure(projectYaml({ url: 'postgresql://x@127.0.0.1:1/x', container: nowhere }));
  const offline = await project.run('validate', '--offline');
  assert.equal(offline.code, 0, offline.stderr);
  const online = await project.run('validate');
  assert.equal(online.code, 75);
  assert.match(online.stderr, /^error SOURCE_CONNECT_FAILED: whole: /m);
  assert.match(online.stderr, /^error DESTINATION_CONNECT_FAILED: whole: /m);
});

test('validate says what a SAS token lacks and when it expires', async t => {
  const project = await createProject();
  t.after(() => project.remove());
  const { container, database } = project;
  const withSas = (permissions: string, expiresOn?: Date): void => {
    const sas = container.sas(permissions, expiresOn);
    project.configure(projectYaml({ url: database.url, container, auth: `sasToken: "${sas}"` }));
  };
  withSas('rwd', new Date(Date.now() + 30 * 86_400_000));
  const good = await project.run('validate');
  assert.equal(good.code, 0, good.stderr);
  assert.match(good.stdout, /ok +sas +permissions rwd, expires at 20/);

  withSas('rw', new Date(Date.now() + 3_600_000));
  const soon = await project.run('validate');
  assert.equal(soon.code, 0, soon.stderr);
  assert.match(soon.stdout, /note +sas +the SAS token lacks delete \(d\)/);
  assert.match(soon.stdout, /note +sas +the SAS token expires at 20/);

  withSas('w');
  const blind = await project.run('validate');
  assert.equal(blind.code, 1);
  assert.match(blind.stderr, /^error DESTINATION_PERMISSION: whole: the SAS token lacks read \(r\)/m);

  withSas('rwd', new Date(Date.now() - 1000));
  const expired = await project.run('validate');
  assert.equal(expired.code, 1);
  assert.match(expired.stderr, /^error DESTINATION_CREDENTIALS: whole: .*the SAS token expired at 20/m);
});

test('validate gives notes with their way out, which fail nothing, and --json has them', async t => {
  const project = await createProject({
    activations: `  noted:
    { model: customers, destination: lake, fileName: noted.txt, format: { type: csv }, mapping: [{ from: id, to: ID }, { from: name, to: full name }], schedule: [{ cron: "0 0 30 2 *" }] }
  silent:
    { model: customers, destination: lake, fileName: silent, format: { type: csv }, mapping: [{ from: name, to: full name }, id], notes: { ignore: [COLUMN_NAME_REFUSED] } }`,
  });
  t.after(() => project.remove());
  const offline = await project.run('validate', '--offline');
  assert.equal(offline.code, 0, offline.stderr);
  assert.match(
    offline.stdout,
    /^noted: good$[\s\S]*note {2}FILE_NAME_ENDING: fileName ends in \.txt, .*"noted\.txt\.csv"; leave the ending out of fileName$/m,
  );
  const online = await project.run('validate', '--json');
  assert.equal(online.code, 0, online.stderr);
  const report = JSON.parse(online.stdout);
  assert.equal(report.passed, true);
  assert.deepEqual(report.configuration.problems, []);
  const codes = report.activations.map(
    ({ activation, notes }: { activation: string; notes: { code: string }[] }) => [
      activation,
      ...notes.map(({ code }) => code),
    ],
  );
  assert.deepEqual(codes, [
    ['whole'],
    ['noted', 'FILE_NAME_ENDING', 'COLUMN_NAME_REFUSED', 'COLUMN_FIRST_ID', 'SCHEDULE_NEVER_DUE'],
    ['silent'],
  ]);
  assert.deepEqual(Object.keys(report.activations[1].notes[0]), ['code', 'message', 'hint']);
});

test('validate --json reports what fails, and every problem of a configuration that is refused', async t => {
  const project = await createProject({
    models: `  broken: { source: warehouse, sql: "select nothing from nowhere" }`,
    activations: '  broken: { model: broken, destination: lake, fileName: broken, format: { type: csv } }',
  });
  t.after(() => project.remove());
  const failed = await project.run('validate', '--json', 'broken', 'unknown');
  assert.equal(failed.code, 2);
  const { passed, activations } = JSON.parse(failed.stdout);
  assert.equal(passed, false);
  assert.equal(
    activations[0].checks.find(({ outcome }: { outcome: string }) => outcome === 'failed').error.code,
    'SOURCE_QUERY_INVALID',
  );
  assert.equal(activations[1].error.code, 'NAME_UNKNOWN');

  project.configure('version: 1\nnotes: { ignore: [FILE_NAME_ENDIN] }');
  const refused = await project.run('validate', '--json');
  assert.equal(refused.code, 2);
  const { configuration } = JSON.parse(refused.stdout);
  assert.match(configuration.problems[0].message, /did you mean FILE_NAME_ENDING\?/);
  assert.equal(configuration.problems[0].line, 2);
});

test('what fails alike for several activations is said once', async t => {
  const project = await createProject({
    models: `  broken: { source: warehouse, sql: "select nothing from nowhere" }`,
    activations: ['a', 'b', 'c']
      .map(
        name => `  ${name}: { model: broken, destination: lake, fileName: ${name}, format: { type: csv } }`,
      )
      .join('\n'),
  });
  t.after(() => project.remove());
  const { stdout, stderr } = await project.run('validate', 'a', 'b', 'c');
  assert.equal(stderr.match(/nowhere/g)?.length, 1, stderr);
  assert.match(stdout, /FAIL {2}source {6}SOURCE_QUERY_INVALID: .*"nowhere" does not exist/);
  assert.equal(stdout.match(/FAIL {2}source {6}SOURCE_QUERY_INVALID: as for a$/gm)?.length, 2, stdout);
});
