/**
 * The pages per task, from top to bottom: configuration, statements and commands as they
 * stand there, and what the commands print.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runCommandLine } from '../../src/cli/program.ts';
import { Terminal } from '../../src/cli/terminal/terminal.ts';
import { createProject, type TestProject } from '../cli/support.ts';
import { ROOT } from './support/pages.ts';

const FOLDER = new URL('docs/guide/tasks/', ROOT);
const PAGES = readdirSync(FOLDER).filter(name => name !== 'README.md');
const BLOCK = /^ *```(yaml|sql|console)\n(.*?)^ *```$/gms;
const CUSTOMERS = `create table customers (id int primary key, name text, country text);
  insert into customers select i, 'name ' || i, 'FR' from generate_series(1, 10) i`;
const NAMED = {
  OPS_WEBHOOK_URL: 'https://ops.example.com/hook',
  AIRFLOW_TOKEN: 'airflow-0123456789abcdef',
  METRICS_TOKEN: 'metrics-0123456789abcdef',
};

/** In the place of the one that a page makes: roles are shared. */
const ROLE = `exporter_${process.pid}`;

let project: TestProject;
before(async () => {
  Object.assign(process.env, NAMED);
  project = await createProject({ sql: 'select 1' });
});
after(async () => {
  for (const name of Object.keys(NAMED)) delete process.env[name];
  // A role is not a part of the database.
  await project.database.sql(`drop owned by ${ROLE}; drop role ${ROLE}`);
  await project.remove();
});

for (const page of PAGES)
  test(`${page}: what it shows is what happens`, async () => {
    await project.database.sql(`drop table if exists customers; ${CUSTOMERS}`);
    const { cwd, database, container } = project;
    const config = join(cwd, 'sluice.yaml');
    const lake = `{ type: azure-blob, accountUrl: "${container.accountUrl}", container: ${container.container}, auth: { accountKey: "${container.accountKey}" } }`;
    const blocks = [...readFileSync(new URL(page, FOLDER), 'utf8').matchAll(BLOCK)];
    assert.ok(
      blocks.some(([, language]) => language === 'console'),
      'it has a command',
    );
    for (const [, language, indented = ''] of blocks) {
      const text = indented.replace(/^ {3}(?=\S| {3})/gm, language === 'console' ? '' : '   ');
      if (language === 'yaml')
        project.configure(
          `version: 1\nsources: { warehouse: { type: postgres, url: "${database.url}" } }\ndestinations: { lake: ${lake} }\n${text}`,
        );
      else if (language === 'sql') await database.sql(text.replace(/\bexporter\b/g, ROLE));
      else await runShown(text, config);
    }
  });

/** A terminal shows it in one line, which goes away. */
const PROGRESS = /^\S+: (?:connecting|reading|publishing) {2}.*\n/gm;

/**
 * Runs the lines that begin with `$ `, and compares what follows each; `…` is any text.
 */
async function runShown(text: string, config: string): Promise<void> {
  let code = 0;
  for (const shown of text.split(/^\$ /m).slice(1)) {
    const [command = '', ...lines] = shown.trimEnd().split('\n');
    if (command === 'echo $?') {
      assert.deepEqual(lines, [`${code}`]);
      continue;
    }
    assert.match(command, /^sluice /);
    let printed = '';
    const stream = {
      write: (piece: string, done?: () => void) => {
        printed += piece;
        done?.();
        return true;
      },
    };
    const words = command.split(' ').slice(1);
    code = await runCommandLine(['--config', config, ...words], new Terminal(stream, stream));
    const pattern = lines
      .map(line => line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('…', '[^]*'))
      .join('\n');
    printed = printed.replace(PROGRESS, '');
    assert.match(printed.trimEnd(), new RegExp(`^${pattern}$`), `$ ${command}`);
  }
}
