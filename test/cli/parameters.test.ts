import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { commandLine, type Printed } from './command-line.ts';
import { createProject, type TestProject } from './support.ts';

let project: TestProject;
before(async () => {
  project = await createProject({
    models: `  least: { source: warehouse, sql: "select id from customers where id >= :least", primaryKey: [id], params: { least: { type: int } } }
  said: { source: warehouse, sql: "select 1 as id where :text <> ''", primaryKey: [id], params: { text: { type: text } } }`,
    activations: `  least: { model: least, destination: lake, fileName: "least/{param.least}", format: { type: csv } }
  said: { model: said, destination: lake, fileName: "said/{run}", format: { type: csv } }`,
  });
});
after(() => project.remove());

const sluice = (...args: string[]): Promise<Printed> =>
  commandLine(['--config', join(project.cwd, 'sluice.yaml'), ...args]);

test('--param gives a value to run, plan and preview, and show tells it', async () => {
  const ran = await sluice('run', 'least', '--param', 'least=9', '--json');
  assert.equal(ran.code, 0, ran.err);
  const [record] = ran.json<{ run: string; params: unknown; files: { name: string; rows: number }[] }>();
  assert.deepEqual(record!.params, { least: '9' });
  assert.deepEqual([record!.files[0]!.name, record!.files[0]!.rows], ['crm/least/9.csv', 2]);
  assert.match((await sluice('show', record!.run)).out, /^ {2}with least 9$/m);
  assert.match((await sluice('plan', 'least', '--param', 'least=8')).out, /crm\/least\/8\.csv +3/);
  assert.match((await sluice('preview', 'least', '--param', 'least=10')).out, /all 1 row/);
});

test('a value that is missing, unknown or of another type is wrong usage, and nothing is run', async () => {
  for (const [args, message] of [
    [['least'], /parameter least of least has no value and no default; give it with --param least=…/],
    [
      ['least', '--param', 'least=many'],
      /parameter least of least is "many"; expected a whole number of 64 bits/,
    ],
    [['least', '--param', 'most=1'], /least takes no parameter "most"; there are least/],
    [['whole', '--param', 'least=1'], /whole takes no parameter "least"; it takes none/],
    [
      ['said', '--param', `text=${project.container.accountKey}`],
      /the value of parameter text holds a secret/,
    ],
    [['least', '--param', 'least'], /Expected a name and a value, as in day=2025-04-14/],
  ] as const) {
    const { code, err } = await sluice('run', ...args);
    assert.equal(code, 2, err);
    assert.match(err, message);
  }
  for (const args of [['least'], ['said', '--param', `text=${project.container.accountKey}`]])
    assert.equal((await sluice('plan', ...args)).code, 2);
});
