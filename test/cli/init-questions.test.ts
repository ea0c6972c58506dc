/** `init` at a terminal: what it asks, and the file that the answers make. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { noPseudoTerminal, PseudoTerminal } from '../support/pseudo-terminal.ts';
import { createProject, SLUICE, sluice } from './support.ts';

const skip = noPseudoTerminal();
const init = (cwd: string): PseudoTerminal => new PseudoTerminal([process.execPath, SLUICE, 'init'], { cwd });

test('init at a terminal asks for database, tables, container and format, and writes a file that runs', {
  skip,
}, async t => {
  const project = await createProject({
    sql: `create table people (id int, part int, name text, primary key (part, id));
      insert into people select i, 1, 'name ' || i from generate_series(1, 1234) i;
      create view adults as select id, name from people;
      create table "Odd Name" (id int primary key);
      analyze people`,
  });
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-init-'));
  t.after(async () => {
    rmSync(folder, { recursive: true });
    await project.remove();
  });
  const { url } = project.database;
  const withPassword = url.replace(/\/\/([^:@/]+)(?::[^@]*)?@/, '//$1:canary-word@');
  const sas = project.container.sas('racwdl');
  const person = init(folder);

  await person.shows('URL:');
  assert.doesNotMatch(person.text, /hidden/);
  person.type('postgresql://user:canary-word@127.0.0.1:1/nothing\r');
  await person.shows('connect');
  await person.answer('URL:', withPassword);
  await person.answer('[WAREHOUSE_URL]', '');
  await person.shows('key');
  const table = person.text.slice(person.text.lastIndexOf('# '));
  assert.match(table, /1 {2}public\.Odd Name +\? +id\s/);
  assert.match(table, /2 {2}public\.adults \(view\) +\?\s/);
  assert.match(table, /3 {2}public\.people +1,234 +part, id\s/);
  await person.answer('or all:', 'nobody');
  await person.shows('There is no nobody in the list.');
  await person.answer('or all:', '1, adults people');
  await person.shows('public.adults has no primary key. Its columns: id, name.');
  await person.answer('(Enter for none):', 'nr');
  await person.shows('public.adults has no column nr.');
  await person.answer('(Enter for none):', 'id');
  await person.answer('folder:', project.container.accountUrl);
  await person.shows('names no container');
  await person.answer('folder:', `${project.container.containerUrl}?${sas}`);
  await person.answer('[AZURE_SAS_TOKEN]', 'LAKE_TOKEN');
  await person.answer('Format, one of', 'ndjson');
  assert.equal(await person.end(), 0, person.text);
  assert.match(
    person.text,
    /1\. set WAREHOUSE_URL and LAKE_TOKEN in the environment\s+2\. sluice validate\s+3\. sluice run Odd_Name_to_lake/,
  );

  const text = readFileSync(path.join(folder, 'sluice.yaml'), 'utf8');
  assert.ok(text.startsWith('# yaml-language-server: $schema=./sluice.schema.json\n'));
  assert.ok(existsSync(path.join(folder, 'sluice.schema.json')));
  assert.doesNotMatch(text, /canary|sig=/);
  assert.match(text, /url: "\$\{WAREHOUSE_URL\}"/);
  const env = { WAREHOUSE_URL: url, LAKE_TOKEN: sas };
  const validated = await sluice(['validate'], { cwd: folder, env });
  assert.equal(validated.code, 0, validated.stderr + validated.stdout);
  const ran = await sluice(['run', 'adults_to_lake', 'Odd_Name_to_lake', '--json'], { cwd: folder, env });
  assert.equal(ran.code, 0, ran.stderr);
  assert.equal(JSON.parse(ran.stdout.split('\n')[0]!).counts.written, 1234);
});

test('init that is not answered to the end writes nothing, and one without an answer an example', {
  skip,
}, async t => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-init-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const leaving = init(folder);
  await leaving.shows('URL:');
  leaving.type('\u0003');
  assert.equal(await leaving.end(), 130, leaving.text);
  assert.ok(!existsSync(path.join(folder, 'sluice.yaml')));

  const person = init(folder);
  await person.answer('URL:', '');
  assert.equal(await person.end(), 0, person.text);
  assert.match(readFileSync(path.join(folder, 'sluice.yaml'), 'utf8'), /french_customers_changes/);
});
