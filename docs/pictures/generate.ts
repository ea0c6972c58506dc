/**
 * Takes the pictures of the README: `npx tsx docs/pictures/generate.ts`, after `npm run
 * build`. Needs Chromium. Look at them before they go in.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConsoleFiles } from '../../src/daemon/api/console-files.ts';
import { commandLine } from '../../test/cli/command-line.ts';
import { createProject } from '../../test/cli/support.ts';
import { PHONE, TestBrowser } from '../../test/console/support/browser.ts';
import { Scenes } from '../../test/console/support/scenes.ts';
import { Served } from '../../test/daemon/api/support/served.ts';
import { terminalPicture } from './terminal-picture.ts';

const pathOf = (name: string): string => new URL(name, import.meta.url).pathname;

async function pictureOfRuns(): Promise<void> {
  const project = await createProject({
    sql: `create table customers (id int primary key, name text, country text);
      insert into customers select i, 'name ' || i, (array['FR', 'DE', 'HU'])[1 + i % 3] from generate_series(1, 250000) i`,
    models: '  people: { source: warehouse, table: public.customers }',
    activations: `  customers_to_lake: { model: people, destination: lake, fileName: "{YYYY}/{MM}/{DD}/{kind}/customers", format: { type: csv, compression: gzip }, runType: full_then_delta, syncMode: difference }`,
  });
  const shown: string[] = [];
  const show = async (...words: string[]): Promise<void> => {
    const config = join(project.cwd, 'sluice.yaml');
    const { out, err, code } = await commandLine([...words, '--config', config], {
      columns: 100,
      colors: true,
    });
    shown.push(`\u001b[2m$\u001b[22m \u001b[1msluice ${words.join(' ')}\u001b[22m`, out);
    if (code !== 0) throw new Error(err);
  };
  try {
    await show('run', 'customers_to_lake');
    await project.database.sql(`update customers set country = 'IT' where id % 100 = 7;
      delete from customers where id % 5000 = 1; insert into customers select i, 'new', 'IT' from generate_series(250001, 250320) i`);
    await show('run', 'customers_to_lake');
    const { json } = await commandLine(['runs', '--json', '--config', join(project.cwd, 'sluice.yaml')]);
    await show('verify', json<{ run: string }>()[0]!.run);
  } finally {
    await project.remove();
  }
  writeFileSync(pathOf('run.svg'), terminalPicture(shown.join('\n')));
}

async function picturesOfConsole(): Promise<void> {
  const names = ['customers', 'orders', 'invoices', 'suppliers', 'products'];
  const served = await Served.start({
    activations: names,
    title: 'production',
    console: ConsoleFiles.read()!,
  });
  const browser = await TestBrowser.start();
  try {
    const scenes = new Scenes(served.operations);
    for (const name of names) scenes.past(name);
    for (const name of ['customers', 'products']) await scenes.succeeded(name);
    await scenes.failed('orders');
    const held = await scenes.held('invoices');
    await scenes.running('suppliers');
    const page = await browser.context.newPage();
    await page.setViewportSize({ width: 1180, height: 900 });
    await page.goto(served.url);
    await page.getByText('Runs now').waitFor();
    await page.screenshot({ path: pathOf('console.png') });
    await page.setViewportSize(PHONE);
    await page.goto(`${served.url}/#/runs/${held}`);
    await page.getByRole('button', { name: 'Allow removals' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Keep held' }).waitFor();
    await page.screenshot({ path: pathOf('held-on-a-phone.png') });
  } finally {
    await browser.stop();
    await served.dispose();
  }
}

await pictureOfRuns();
await picturesOfConsole();
process.exit();
