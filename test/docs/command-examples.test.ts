/** The examples of pages do what the pages say. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PageExample } from './support/page-example.ts';

test('a plan prints what the page shows', async t => {
  const example = await PageExample.open(
    'plan.md',
    `create table customers (id int primary key, name text, country text);
      insert into customers values (1, 'Anna', 'FR'), (2, 'Bela', 'FR'), (3, 'Carl', 'DE'), (4, 'Dora', 'IT')`,
  );
  t.after(() => example.project.remove());
  assert.equal((await example.sluice('run', 'customers_to_lake')).code, 0);
  await example.project.database.sql(example.block('sql'));
  const { printed, shown } = await example.runShown();
  assert.equal(printed.code, 10, printed.err);
  assert.equal(printed.out, shown);
});

test('a run with parameters writes the file that the page names', async t => {
  const example = await PageExample.open(
    'parameters.md',
    `create table orders (id int primary key, day date, brand text, amount numeric);
      insert into orders values (1, '2025-04-14', 'acme', 10), (2, '2025-04-13', 'acme', 20), (3, '2025-04-14', 'other', 30)`,
  );
  t.after(() => example.project.remove());
  const { printed } = await example.runShown();
  assert.equal(printed.code, 0, printed.err);
  const file = await example.project.container.download('orders/acme/2025-04-14.csv');
  assert.equal(file.toString(), 'id,brand,amount\n1,acme,10\n');
});

test('the state of each set of values is shown as the page shows it', async t => {
  const example = await PageExample.open(
    'parameters.md',
    `create table orders (id int primary key, shop text, state text, amount numeric);
      insert into orders values (1, 'berlin', 'new', 10), (2, 'paris', 'new', 20), (3, 'paris', 'new', 30)`,
    '## A baseline for each set of values',
  );
  t.after(() => example.project.remove());
  const run = async (shop: string): Promise<string> => {
    const { code, err } = await example.sluice('run', 'shop_changes', '--param', `shop=${shop}`);
    assert.equal(code, 0, err);
    const names = await example.project.container.list(`shops/${shop}/`);
    const removed = names.filter(name => name.endsWith('_removed.csv')).sort();
    return String(await example.project.container.download(removed.at(-1)!));
  };
  await run('paris');
  await example.project.database.sql(`update orders set shop = 'berlin' where id = 3`);
  await run('berlin');
  assert.equal(await run('paris'), 'id,state,amount\n3,new,30\n');
  const { printed, shown } = await example.runShown();
  const masked = (text: string): string =>
    text.replace(/[\d.]+ \w+ in \d+ files/, 'SIZE').replace(/\d{8}-\d{6}-\d{3}-\w{6}/g, 'RUN');
  assert.equal(masked(printed.out), masked(shown), printed.err);
});
