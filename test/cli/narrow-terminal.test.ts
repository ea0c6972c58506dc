import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { runCommandLine } from '../../src/cli/program.ts';
import { displayWidth } from '../../src/cli/terminal/table.ts';
import { Terminal, type TerminalStream } from '../../src/cli/terminal/terminal.ts';
import { createProject, type TestProject } from './support.ts';

/** One terminal for standard output and standard error, without colours. */
class Window implements TerminalStream {
  readonly isTTY = true;
  readonly columns: number;
  text = '';

  constructor(columns: number) {
    this.columns = columns;
  }

  write(text: string, done?: () => void): boolean {
    this.text += text;
    done?.();
    return true;
  }

  /** What stays on the screen: live lines are erased. */
  get lines(): string[] {
    return this.text.split('\n').map(line => line.split('\r\u001b[2K').at(-1) ?? '');
  }
}

async function at(columns: number, project: TestProject, ...args: string[]): Promise<string[]> {
  const window = new Window(columns);
  const config = path.join(project.cwd, 'sluice.yaml');
  await runCommandLine([...args, '--config', config], new Terminal(window, window));
  return window.lines;
}

const WIDE = `  wide: { source: warehouse, primaryKey: [id], sql: "select id, name::varchar(40) as first_name, now()::timestamptz(3) as updated_at, balance, repeat('long ', 40) as remark, null::text as nothing, '' as empty from customers order by id" }
  broken: { source: warehouse, sql: "select nothing from nowhere" }`;
const ACTIVATIONS = `  customers_with_a_name_that_is_rather_long_x: { model: wide, destination: lake, fileName: "crm/exports/{YYYY}/{MM}/wide", format: { type: csv } }
  broken_one: { model: broken, destination: lake, fileName: b1, format: { type: csv } }
  broken_two: { model: broken, destination: lake, fileName: b2, format: { type: csv } }`;
const LONG = 'customers_with_a_name_that_is_rather_long_x';

test('everything fits a terminal of 80 columns, and most of it one of 60', async t => {
  const project = await createProject({ models: WIDE, activations: ACTIVATIONS });
  t.after(() => project.remove());
  const fits = (lines: readonly string[], columns: number): void => {
    for (const line of lines) assert.ok(displayWidth(line) <= columns, `${displayWidth(line)}: ${line}`);
  };

  const summary = await at(80, project, 'run', LONG);
  fits(summary, 80);
  assert.match(summary.join('\n'), /^ {2}read 10, written 10, [\d.]+ KiB$/m);
  await at(80, project, 'run', 'broken_one');
  const error = await at(60, project, 'run', 'broken_one');
  fits(error, 60);
  assert.match(error.join(' '), /error SOURCE_QUERY_INVALID: broken_one:.* "nowhere" +does +not +exist/);

  const runs = await at(80, project, 'runs');
  fits(runs, 80);
  assert.match(runs.join('\n'), /^run +activation +state .*error$/m);
  assert.match(runs.join('\n'), /failed .*SOURCE_QUERY_INVALID$/m);
  const run = /^\S+(?= +customers_)/m.exec(runs.join('\n'))?.[0] ?? '';
  fits(await at(60, project, 'show', run), 60);
  fits(await at(80, project, 'activations'), 80);

  const preview = await at(80, project, 'preview', LONG, '--rows', '2');
  fits(preview, 80);
  const shown = preview.join('\n');
  assert.match(shown, /^-\[ row 1 \]-+\nid +bigint +\| 1\nfirst_name +varchar\(40\) +\| name 1$/m);
  assert.match(shown, /^updated_at +timestamptz\(3\) +\| 20/m);
  assert.match(shown, /^remark +text +\| 'long long .*…$/m);
  assert.match(shown, /^nothing +text +\| NULL\nempty +text +\| ''\n-\[ row 2 \]-+$/m);
  assert.match(shown, /^\(the first 2 rows\)$/m);
  assert.match((await at(400, project, 'preview', LONG)).join('\n'), /^ +id +first_name +updated_at/m);
});

test('the state of an activation, its backups and what was verified fit 80 columns', async t => {
  const name = 'changes_of_customers_whose_name_is_rather_long';
  const model = WIDE.replace('"select id,', "\"select id, 'x'::varchar(40) as a_column_with_a_long_name,");
  const project = await createProject({
    models: model,
    activations: `  ${name}: { model: wide, destination: lake, fileName: "crm/exports/{YYYY}/{MM}/{run}", format: { type: csv }, runType: full_then_delta, syncMode: difference }`,
  });
  t.after(() => project.remove());
  const run = (await at(80, project, 'run', name)).join('\n').match(/\d{8}-\d{6}-\d{3}-\w+/)?.[0] ?? '';
  const commands = [
    ['state', 'show', name],
    ['state', 'backup', name],
    ['state', 'backups', name],
    ['verify', run],
    ['status', name],
    ['state', 'restore', name, '--force'],
    ['state', 'reset', name, '--yes'],
  ];
  let shown = '';
  for (const command of commands) {
    const lines = await at(80, project, ...command);
    shown += lines.join('\n');
    for (const line of lines) assert.ok(displayWidth(line) <= 80, `${command.join(' ')}: ${line}`);
  }
  assert.match(shown, /^ {2}a_column_with_a_long_name {2}varchar\(40\)$/m);
  assert.match(shown, /^ {2}updated_at +timestamptz\(3\)$/m);
  assert.match(shown, /is\s+backed\s+up\s+as\s+\d{8}-/);
  assert.match(shown, /baseline\s+of\s+generation\s+1\s+\(10\s+keys\)\s+is\s+removed/);
});

test('validate gives the reason beside its mark, once, and breaks it between words', async t => {
  const project = await createProject({ models: WIDE, activations: ACTIVATIONS });
  t.after(() => project.remove());
  const lines = await at(80, project, 'validate', 'broken_one', 'broken_two');
  const text = lines.join('\n');
  assert.match(text, /^broken_one: 1 failed$/m);
  assert.match(text, /^ {2}FAIL {2}source {6}SOURCE_QUERY_INVALID: .*\n {20}\S/m);
  assert.match(text, /^ {2}FAIL {2}source {6}SOURCE_QUERY_INVALID: as for broken_one$/m);
  assert.equal(text.match(/nowhere/g)?.length, 1);
  assert.doesNotMatch(text, /^error /m);
  for (const line of lines) assert.ok(line.length <= 80, line);
});
