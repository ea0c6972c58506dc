import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { type CommandLineOptions, commandLine, type Printed } from './command-line.ts';
import { createProject } from './support.ts';

const SHRINKING = `  shrinking: { model: customers, destination: lake, fileName: "shrinking/{run}", format: { type: csv }, runType: full_then_delta, syncMode: upsert }`;

test('a person at the terminal is told the next command, a script is not, and --quiet prints neither that nor a summary', async t => {
  const project = await createProject({ activations: SHRINKING });
  t.after(() => project.remove());
  const config = path.join(project.cwd, 'sluice.yaml');
  const run = (args: readonly string[], options?: CommandLineOptions): Promise<Printed> =>
    commandLine(['--config', config, ...args], options);
  const wide = { columns: 500 };
  const next = (command: string): RegExp => new RegExp(`^next: sluice --config ${config} ${command}$`, 'm');

  assert.match((await run(['validate', 'whole'], wide)).err, next('run whole'));
  assert.match((await run(['validate'], wide)).err, next('run --all'));
  assert.match((await run(['validate', '--offline'], wide)).err, next('validate'));
  assert.doesNotMatch((await run(['validate'])).err, /next:/);
  assert.doesNotMatch((await run(['--quiet', 'validate'], wide)).err, /next:/);

  const first = await run(['--quiet', 'run', 'shrinking'], wide);
  assert.deepEqual([first.code, first.out, first.err], [0, '', '']);
  await project.database.sql('delete from customers');
  const held = await run(['run', 'shrinking'], wide);
  assert.equal(held.code, 3);
  const explain = `explain SOURCE_EMPTY, or sluice --config ${config} run shrinking --allow-removals`;
  assert.match(held.err, next(explain));
  const silent = await run(['--quiet', 'run', 'shrinking'], wide);
  assert.deepEqual([silent.code, silent.out], [3, '']);
  assert.match(silent.err, /^held shrinking: [^\n]*\n$/);
});

test('--no-color takes the colours of a terminal away', async () => {
  const colored = { columns: 80, colors: true };
  const color = '\u001b[';
  assert.ok((await commandLine(['explain', '75'], colored)).out.includes(color));
  assert.ok(!(await commandLine(['--no-color', 'explain', '75'], colored)).out.includes(color));
  const error = await commandLine(['--no-color', 'explain', 'nothing'], colored);
  assert.ok(!error.err.includes(color));
});
