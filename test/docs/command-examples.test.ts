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
