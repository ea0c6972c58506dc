import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { commandLine, type Printed } from './command-line.ts';
import { createProject, type TestProject } from './support.ts';

let project: TestProject;
before(async () => {
  project = await createProject({
    activations: `  changes: { model: customers, destination: lake, fileName: changes, format: { type: csv },
             runType: full_then_delta, syncMode: difference, warnings: { removedRowsOver: 20% } }`,
  });
});
after(() => project.remove());

const sluice = (...args: string[]): Promise<Printed> =>
  commandLine(['--config', join(project.cwd, 'sluice.yaml'), ...args]);

test('plan shows what a run now would publish, and its exit code says whether that is something', async () => {
  const first = await sluice('plan', 'changes', '--rows', '2');
  assert.equal(first.code, 10, first.err);
  assert.match(
    first.out,
    /^changes: a run now would publish changes \(full, difference: there is no baseline yet\)\n {2}read 10, added 10, written 10, /,
  );
  assert.match(first.out, /\n {2}crm\/changes_added.csv +10 /);
  assert.match(first.out, /\n {2}added:\n {4}id 1\n {4}id 2\n {4}… and 8 more\n$/);
  assert.equal((await sluice('run', 'changes')).code, 0);

  const nothing = await sluice('plan', 'changes');
  assert.equal(nothing.code, 0, nothing.err);
  assert.match(
    nothing.out,
    /^changes: a run now would publish no rows \(delta, difference: changes since generation 1\)/,
  );

  await project.database.sql(
    `update customers set name = 'a\\n', balance = null where id = 2; delete from customers where id = 9`,
  );
  const changes = await sluice('plan', 'changes');
  assert.equal(changes.code, 10, changes.err);
  assert.match(
    changes.out,
    /\n {2}updated:\n {4}id 2: name name 2 → a\\n, balance 3\.0000 → NULL\n {2}removed:\n {4}id 9\n$/,
  );
  const [planned] = (await sluice('plan', 'changes', '--json')).json<Record<string, unknown>>();
  assert.equal(planned!['outcome'], 'changes');
  assert.deepEqual((planned!['sample'] as { removed: unknown }).removed, [
    { key: [{ column: 'id', value: '9' }] },
  ]);
});

test('a plan that would be held says so and exits with 3, as does the run, whose sample show has', async () => {
  await project.database.sql('delete from customers where id > 5');
  const planned = await sluice('plan', 'changes');
  assert.equal(planned.code, 3, planned.out);
  assert.match(
    planned.err,
    /^held changes: the run would remove .*; if that is meant, repeat it with --allow-removals$/m,
  );
  assert.match(planned.out, /^changes: a run now would be held/);
  const [held] = (await sluice('run', 'changes', '--json')).json<{ run: string }>();
  const shown = await sluice('show', held!.run);
  assert.match(shown.out, /\n {2}removed:\n {4}id \d+\n/);
});

test('plan says what such a run would fail with, and rows is a number up to 100', async () => {
  const unknown = await sluice('plan', 'nothing');
  assert.equal(unknown.code, 2);
  assert.match(unknown.err, /^error NAME_UNKNOWN: /);
  await project.database.sql('alter table customers rename to moved');
  const failed = await sluice('plan', 'changes');
  assert.equal(failed.code, 1);
  assert.match(failed.err, /^error SOURCE_QUERY_INVALID: .*customers/m);
  const rows = await sluice('plan', 'changes', '--rows', '101');
  assert.equal(rows.code, 2);
  assert.match(rows.err, /from 0 to 100/);
});
