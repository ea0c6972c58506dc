import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createProject } from './support.ts';

test('exports to a local folder without the destination and its secrets', async t => {
  const project = await createProject();
  t.after(() => project.remove());
  const { cwd } = project;
  project.configure(`version: 1
sources: { warehouse: { type: postgres, url: "${project.database.url}" } }
destinations: { lake: { type: azure-blob, accountUrl: "\${UNSET}", container: exports, auth: { accountKey: "\${UNSET_KEY}" } } }
models: { customers: { source: warehouse, sql: select * from customers order by id, primaryKey: [id] } }
activations: { whole: { model: customers, destination: lake, fileName: whole, format: { type: csv } } }`);
  const { code, stdout, stderr } = await project.run('run', 'whole', '--to', 'out/here');
  assert.equal(code, 0, stderr);
  const folder = join(cwd, 'out/here');
  assert.match(stdout, new RegExp(`^whole: succeeded in .* \\(full; run .*\\)\n  to ${folder}\n`));
  assert.equal(readFileSync(join(folder, 'whole.csv'), 'utf8').split('\n')[1], '1,name 1,1.5000');
  assert.ok(!existsSync(join(cwd, '.sluice', 'activations')), 'nothing is kept for the activation');
  const again = await project.run('run', 'whole', '--to', folder, '--json');
  assert.equal(JSON.parse(again.stdout).to, folder, again.stderr);

  const beside = await project.run('run', 'whole', '--to', 'out', '--full');
  assert.equal(beside.code, 2);
  assert.match(beside.stderr, /--to <folder>' cannot be used with option '--full'/);
  writeFileSync(join(cwd, 'file'), '');
  const refused = await project.run('run', 'whole', '--to', 'file');
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /USAGE: --to file: .*EEXIST.*name a folder/s);
  assert.deepEqual(readdirSync(folder).sort(), ['.sluice-store', '_sluice', 'whole.csv']);
});
