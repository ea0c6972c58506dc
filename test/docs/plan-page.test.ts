/** The example of the page about plans shows what the command prints. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { commandLine } from '../cli/command-line.ts';
import { createProject } from '../cli/support.ts';

const page = readFileSync(new URL('../../docs/guide/plan.md', import.meta.url), 'utf8');

function block(language: string): string {
  const [, text] = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(page) ?? [];
  assert.ok(text, `a block of ${language}`);
  return text;
}

test('a plan prints what the page shows', async t => {
  const project = await createProject({
    sql: `create table customers (id int primary key, name text, country text);
      insert into customers values (1, 'Anna', 'FR'), (2, 'Bela', 'FR'), (3, 'Carl', 'DE'), (4, 'Dora', 'IT')`,
  });
  t.after(() => project.remove());
  const { accountUrl, accountKey, container } = project.container;
  project.configure(`version: 1
sources: { warehouse: { type: postgres, url: "${project.database.url}" } }
destinations:
  lake: { type: azure-blob, accountUrl: "${accountUrl}", container: ${container}, auth: { accountKey: "${accountKey}" } }
${block('yaml')}`);
  const sluice = (...args: string[]) => commandLine(['--config', join(project.cwd, 'sluice.yaml'), ...args]);
  assert.equal((await sluice('run', 'customers_to_lake')).code, 0);
  await project.database.sql(block('sql'));
  const [command = '', ...shown] = block('console').split('\n');
  const { code, out, err } = await sluice(...command.replace('$ sluice ', '').split(' '));
  assert.equal(code, 10, err);
  assert.equal(out, shown.join('\n'));
});
