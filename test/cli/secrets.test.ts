import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { everyNth } from '../support/all-cases.ts';
import { startPrivatePostgres } from '../support/postgres.ts';
import { createProject, projectYaml, type TestProject } from './support.ts';

/** Every face of the command that could let something slip. */
const COMMANDS = [
  ['run', 'whole'],
  ['run', 'whole', '--verbose'],
  ['run', 'whole', '--json', '--verbose'],
  ['validate', '--verbose'],
  ['preview', 'whole', '--verbose'],
];

async function printedByAll(project: TestProject): Promise<string> {
  let printed = '';
  for (const args of everyNth(2, COMMANDS)) {
    const { stdout, stderr } = await project.run(...args);
    printed += `${stdout}${stderr}`;
  }
  return printed;
}

test('a wrong password is never printed, in no spelling', async t => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-hba-'));
  chmodSync(folder, 0o755);
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const hba = path.join(folder, 'pg_hba.conf');
  writeFileSync(hba, 'host all postgres 127.0.0.1/32 trust\nhost all reader 127.0.0.1/32 scram-sha-256\n');
  chmodSync(hba, 0o644);
  const postgres = await startPrivatePostgres({ settings: { hba_file: hba } });
  t.after(() => postgres.dispose());
  const database = await postgres.createDatabase();
  await database.sql("create role reader login password 'another one'");
  const project = await createProject();
  t.after(() => project.remove());

  const password = 'canary/pass+word%1';
  const url = new URL(database.url);
  url.username = 'reader';
  url.password = encodeURIComponent(password);
  project.configure(projectYaml({ url: url.href, container: project.container }));
  const printed = await printedByAll(project);
  assert.match(
    printed,
    /^error SOURCE_CREDENTIALS: whole: .*password authentication failed for user "reader"/m,
  );
  assert.match(printed, /^ {2}caused by error 28P01: password authentication failed/m);
  for (const spelling of [password, encodeURIComponent(password), url.password, 'canary', 'pass+word']) {
    assert.ok(!printed.includes(spelling), spelling);
  }
});

test('a wrong SAS token is never printed, in no spelling', async t => {
  const project = await createProject();
  t.after(() => project.remove());
  const { container, database } = project;
  const signature = 'canary+signature/that=is wrong==';
  const sas = container.sas('rwd').replace(/sig=[^&]*/, `sig=${encodeURIComponent(signature)}`);
  project.configure(projectYaml({ url: database.url, container, auth: `sasToken: "${sas}"` }));
  const printed = await printedByAll(project);
  assert.match(printed, /^error DESTINATION_(?:CREDENTIALS|PERMISSION): whole: /m);
  for (const spelling of [signature, encodeURIComponent(signature), 'canary', sas]) {
    assert.ok(!printed.includes(spelling), spelling);
  }
});

test('secrets of a configuration that is wrong are not printed either', async t => {
  const project = await createProject();
  t.after(() => project.remove());
  project.configure(`version: 1
sources: { w: { type: postgres, url: "mysql://u:canary-one@h/db" } }
destinations: { d: { type: azure-blob, container: exports, auth: { accountKey: "canary two", sasToken: canary-three } } }`);
  const { code, stdout, stderr } = await project.run('validate', '--verbose');
  assert.equal(code, 2);
  assert.match(stderr, /CONFIG_INVALID/);
  assert.doesNotMatch(stdout + stderr, /canary/);
});
