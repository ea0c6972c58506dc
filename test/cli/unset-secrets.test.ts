import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createProject } from './support.ts';

test('the history and a check without a connection need no secret', async t => {
  const project = await createProject({
    activations: `  delta:
    { model: customers, destination: lake, fileName: delta, format: { type: csv }, runType: full_then_delta, syncMode: upsert }`,
  });
  t.after(() => project.remove());
  const exported = await project.run('run', 'delta', '--json');
  assert.equal(exported.code, 0, exported.stderr);
  const { run } = JSON.parse(exported.stdout);
  project.configure(`version: 1
sources: { warehouse: { type: postgres, url: "\${UNSET_URL}" } }
destinations: { lake: { type: azure-blob, accountUrl: "\${UNSET_ACCOUNT}", container: "\${UNSET_CONTAINER}", folder: crm/, auth: { accountKey: "\${UNSET_KEY}" } } }
models: { customers: { source: warehouse, sql: select 1 as id, primaryKey: [id] } }
activations:
  delta:
    { model: customers, destination: lake, fileName: delta, format: { type: csv }, runType: full_then_delta, syncMode: upsert }`);
  for (const args of [['runs'], ['runs', 'delta', '--json'], ['show', run], ['state', 'show', 'delta']]) {
    const { code, stdout, stderr } = await project.run(...args);
    assert.equal(code, 0, stderr);
    assert.equal(stderr, '');
    assert.match(stdout, new RegExp(run), args.join(' '));
  }
  const offline = await project.run('validate', '--offline');
  assert.equal(offline.code, 0, offline.stderr);
  assert.match(
    offline.stdout,
    /note {2}REFERENCE_UNSET: sluice\.yaml:2:\d+ sources\.warehouse\.url refers to the environment variable UNSET_URL, which is not set; set the variable/,
  );
  assert.equal(offline.stdout.match(/REFERENCE_UNSET/g)?.length, 4);
  assert.match(offline.stdout, /^delta: good$/m);

  for (const args of [['validate'], ['run', 'delta'], ['state', 'backup', 'delta']]) {
    const { code, stderr } = await project.run(...args);
    assert.equal(code, 2);
    assert.match(stderr, /UNSET_URL/);
  }
});
