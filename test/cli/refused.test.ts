/** What the system refuses the command: rights, limits, room. */
import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { everyNth } from '../support/all-cases.ts';
import { createProject, SLUICE, type TestProject } from './support.ts';

/** Rights hold for others than root. */
const STRANGER = { uid: 123_456, gid: 0 };
const isRoot = process.getuid?.() === 0;
const unlessRoot = { skip: isRoot ? false : 'takes root, to run the command as another user' };

interface As {
  readonly stranger?: boolean;
  /** What the shell runs before the command. */
  readonly limits?: string;
  /** Behind it. */
  readonly redirection?: string;
}

/** The command by way of a shell. */
function shell(project: TestProject, args: string, as: As = {}): SpawnSyncReturns<string> {
  const { stranger = false, limits = ':', redirection = '' } = as;
  const command = `${limits} && exec '${process.execPath}' '${SLUICE}' ${args} ${redirection}`;
  return spawnSync('sh', ['-c', command], { cwd: project.cwd, encoding: 'utf8', ...(stranger && STRANGER) });
}

async function strangersProject(t: test.TestContext): Promise<TestProject> {
  const project = await createProject();
  t.after(() => project.remove());
  chmodSync(project.cwd, 0o755);
  return project;
}

test(
  'a data directory that may not be written ends each command for good, and says as whom',
  unlessRoot,
  async t => {
    const project = await strangersProject(t);
    const right =
      /let user 123456 \(group 0\) write and search \S*sluice-cli-\S+ \(of user 0, group \d+, mode 0755\)/;
    for (const command of ['run whole', 'serve --port 0', 'validate whole']) {
      const { status, stderr } = shell(project, command, { stranger: true });
      assert.equal(status, 1, `${command}: ${stderr}`);
      assert.match(
        stderr,
        /^error STATE_INACCESSIBLE: .*the data directory \S*\.sluice cannot be used: EACCES/m,
      );
      assert.match(stderr, right);
    }
    assert.deepEqual(await project.container.list(), []);
  },
);

test(
  'a data directory that another user made is not damaged: nothing advises to lose it',
  unlessRoot,
  async t => {
    const project = await strangersProject(t);
    assert.equal((await project.run('run', 'whole')).code, 0);
    const commands = ['run whole', 'runs', 'state show whole', 'run whole --full', 'serve --port 0'];
    for (const command of everyNth(2, commands)) {
      const { status, stderr } = shell(project, command, { stranger: true });
      assert.equal(status, 1, `${command}: ${stderr}`);
      assert.match(stderr, /STATE_INACCESSIBLE.*EACCES.*let user 123456/s);
      assert.doesNotMatch(stderr, /backup|--full/);
    }
    assert.equal((await project.run('run', 'whole')).code, 0);
  },
);

test('a data directory that is a file is told to be one', async t => {
  const project = await createProject();
  t.after(() => project.remove());
  writeFileSync(join(project.cwd, '.sluice'), '');
  for (const command of ['run', 'validate']) {
    const { code, stderr } = await project.run(command, 'whole');
    assert.equal(code, 1, stderr);
    assert.match(stderr, /STATE_INACCESSIBLE.*\.sluice is a file and no folder: set dataDirectory/);
  }
});

test('validate says that the data directory can be written, and makes nothing', async t => {
  const project = await createProject();
  t.after(() => project.remove());
  const { code, stdout } = await project.run('validate', 'whole');
  assert.equal(code, 0);
  assert.match(stdout, /ok +state +\S*\.sluice can be written\n/);
  assert.equal(existsSync(join(project.cwd, '.sluice')), false);
});

test('too few files, and too little memory, are limits and no defects', async t => {
  const project = await createProject({
    activations:
      '  table: { model: customers, destination: lake, fileName: table, format: { type: parquet } }',
  });
  t.after(() => project.remove());
  for (const files of [20, ...everyNth(3, [22, 24, 25, 26, 28, 30])]) {
    const { status, stderr } = shell(project, 'run whole', { limits: `ulimit -n ${files}` });
    // Node.js itself ends where it cannot begin.
    if (status === 0 || status === null || status > 128) continue;
    assert.match(stderr, /^error RUN_OUT_OF_FILES: .*ulimit -n/m, `${files} files`);
    assert.equal(status, 75, stderr);
  }
  for (const gigabytes of everyNth(2, [9, 10, 11, 12, 14])) {
    const limits = `ulimit -v ${gigabytes * 1_000_000}`;
    const { status, stderr } = shell(project, 'run table whole', { limits });
    if (status === 0 || status === null || status > 128) continue;
    assert.doesNotMatch(stderr, /INTERNAL/, `${gigabytes} GB: ${stderr}`);
  }
  assert.equal((await project.run('run', 'whole', 'table')).code, 0);
});

test('output that finds no room is told, and output that nobody reads is not', async t => {
  const project = await createProject();
  t.after(() => project.remove());
  const full = shell(project, 'run whole --json', { redirection: '> /dev/full' });
  assert.equal(full.status, 75, full.stderr);
  assert.match(full.stderr, /^error OUTPUT_FAILED: standard output could not be written: ENOSPC/m);
  const closed = shell(project, 'runs', { redirection: '| true' });
  assert.equal(closed.stderr, '');
});

test('a model without columns is refused by name, in every format', async t => {
  const formats = ['csv', 'json', 'xml', 'parquet'];
  const project = await createProject({
    models: '  nothing: { source: warehouse, sql: "select from generate_series(1, 3)" }',
    activations: formats
      .map(
        type =>
          `  as-${type}: { model: nothing, destination: lake, fileName: ${type}, format: { type: ${type} } }`,
      )
      .join('\n'),
  });
  t.after(() => project.remove());
  const commands = formats.flatMap(type =>
    ['run', 'validate', 'preview'].map(command => [command, `as-${type}`]),
  );
  for (const command of everyNth(4, commands)) {
    const { code, stderr } = await project.run(...command);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /COLUMN_UNKNOWN: .*model nothing has no columns.*name at least one column/);
  }
  assert.deepEqual(await project.container.list(), []);
});
