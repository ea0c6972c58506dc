import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createProject } from './support.ts';

const AWKWARD = `
  create table customers (id bigint primary key, name text, balance numeric(20,4));
  insert into customers values
    (1, null, 12345678901234.5678), (2, '', null), (3, 'NULL', 0), (4, E'two\\nlines\\tand \\u001b[31mred', -1),
    (5, repeat('long ', 1000) || 'end', 1), (6, '山田 👩‍🚀', 1), (7, ' padded ', 1)`;

test('preview shows mapped rows with types, and NULL apart from texts that look like it', async t => {
  const project = await createProject({
    sql: AWKWARD,
    activations:
      '  renamed: { model: customers, destination: lake, fileName: r, format: { type: csv }, mapping: [{ from: name, to: full name }, balance] }',
  });
  t.after(() => project.remove());
  const { code, stdout, stderr } = await project.run('preview', 'renamed');
  assert.equal(code, 0, stderr);
  assert.equal(stderr, '');
  assert.deepEqual(stdout.split('\n'), [
    'full name                                             balance',
    'text                                            numeric(20,4)',
    'NULL                                      12345678901234.5678',
    "''                                                       NULL",
    "'NULL'                                                 0.0000",
    'two\\nlines\\tand \\u001b[31mred                         -1.0000',
    'long long long long long long long long…               1.0000',
    '山田 👩‍🚀                                                1.0000',
    "' padded '                                             1.0000",
    '(all 7 rows)',
    '',
  ]);
});

test('preview stops the server as soon as there are enough rows', async t => {
  const project = await createProject({
    models:
      '  huge: { source: warehouse, sql: "select generate_series(1, 1000000000000) as i", primaryKey: [i] }',
    activations: '  huge: { model: huge, destination: lake, fileName: huge, format: { type: csv } }',
  });
  t.after(() => project.remove());
  const { code, stdout } = await project.run('preview', 'huge', '--rows', '3');
  assert.equal(code, 0);
  assert.equal(stdout, '     i\nbigint\n     1\n     2\n     3\n(the first 3 rows)\n');
  const [left] = await project.database.sql(
    "select count(*)::int as count from pg_stat_activity where datname = current_database() and query like '%1000000000000%' and state = 'active' and pid <> pg_backend_pid()",
  );
  assert.deepEqual(left, { count: 0 });
});

test('preview needs no destination, shows an empty model, and passes errors on', async t => {
  const project = await createProject({
    models: `  none: { source: warehouse, sql: "select id from customers where false", primaryKey: [id] }
  broken: { source: warehouse, sql: "select 1 / 0 as x", primaryKey: [x] }`,
    activations: `  none: { model: none, destination: lake, fileName: none, format: { type: csv } }
  broken: { model: broken, destination: lake, fileName: broken, format: { type: csv } }`,
  });
  t.after(() => project.remove());
  await project.container.client.delete();
  assert.equal((await project.run('preview', 'none')).stdout, '    id\nbigint\n(all 0 rows)\n');
  const broken = await project.run('preview', 'broken');
  assert.equal(broken.code, 1);
  assert.match(broken.stderr, /^error SOURCE_QUERY_FAILED: .*division by zero/);
  assert.equal((await project.run('preview', 'nobody')).code, 2);
});

test('preview and validate stop at Ctrl-C while the database keeps them waiting', async t => {
  const project = await createProject();
  t.after(() => project.remove());
  const locker = await project.database.connect();
  t.after(() => locker.end());
  await locker.query('begin; lock table customers in access exclusive mode');
  for (const args of [['preview', 'whole'], ['validate']]) {
    const command = project.start(...args);
    let waiting: { pid: number }[] = [];
    while (waiting.length === 0) {
      waiting = await project.database.sql(
        "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
      );
    }
    command.kill('SIGINT');
    const { code, stderr } = await command.ended;
    assert.equal(code, 130);
    assert.match(stderr, /^error CANCELLED: /m);
    // The session notices only when it gets the lock that its client is gone.
    await project.database.sql('select pg_terminate_backend($1, 10000)', [waiting[0]?.pid]);
  }
});
