import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RunRecord } from '../../src/history/run-record.ts';
import { commandLine, type Printed } from './command-line.ts';
import { createProject } from './support.ts';

test('begin, slice and finalise make one run, and may be repeated', async t => {
  const project = await createProject();
  t.after(() => project.remove());
  const { cwd } = project;
  project.configure(`version: 1
sources: { warehouse: { type: postgres, url: "${project.database.url}" } }
destinations: { lake: { type: folder, path: ./lake } }
models: { customers: { source: warehouse, table: public.customers } }
activations:
  sliced: { model: customers, destination: lake, fileName: sliced, format: { type: csv }, consistency: slice }
  whole: { model: customers, destination: lake, fileName: whole, format: { type: csv } }`);
  mkdirSync(join(cwd, 'lake'));
  const call = (...args: string[]): Promise<Printed> =>
    commandLine(['--config', join(cwd, 'sluice.yaml'), ...args]);
  const plan = join(cwd, 'plans', 'one.json');

  const early = await call('slice', plan, '0');
  assert.equal(early.code, 75);
  assert.match(early.err, /there is no plan .*make one: `sluice begin/);
  const begun = await call('begin', 'sliced', '--out', plan, '--slices', '3', '--json');
  assert.equal(begun.code, 0, begun.err);
  const [{ run, slices }] = begun.json<{ run: string; slices: number }>() as [
    { run: string; slices: number },
  ];
  assert.equal(slices, 3);
  assert.ok(!readFileSync(plan, 'utf8').includes(new URL(project.database.url).password || 'no password'));
  const again = await call('begin', 'sliced', '--out', plan);
  assert.match(again.out, new RegExp(`^sliced: run ${run} has 3 slices, 0 to 2\n$`));

  assert.equal((await call('finalise', plan)).code, 75);
  for (const number of ['2', '0', '1', '0', '3']) {
    const { code, err } = await call('slice', plan, number);
    assert.equal(code, 0, err);
  }
  const finalised = await call('finalise', plan, '--json');
  assert.equal(finalised.code, 0, finalised.err);
  const [record] = finalised.json<RunRecord>() as [RunRecord];
  assert.equal(record.run, run);
  assert.equal((await call('finalise', plan)).code, 0);
  assert.match((await call('show', run)).out, /read in 3 slices, each in a snapshot of its own/);

  assert.equal((await call('run', 'whole')).code, 0);
  const lines = (name: string): string[] =>
    readFileSync(join(cwd, 'lake', name), 'utf8')
      .split('\n')
      .sort();
  assert.deepEqual(lines('sliced.csv'), lines('whole.csv'));
  const one = join(cwd, 'plans', 'two.json');
  assert.match(
    (await call('begin', 'whole', '--out', one)).out,
    /has one slice, number 0: consistency is snapshot/,
  );
  assert.ok(existsSync(one));
  assert.equal((await call('slice', plan, 'x')).code, 2);
});
