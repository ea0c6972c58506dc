import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { resolveActivation } from '../../src/config/activation.ts';
import { parseConfig } from '../../src/config/load.ts';
import { type Preview, type PreviewRequest, previewActivation } from '../../src/run/preview.ts';
import { getPostgres } from '../support/postgres.ts';

const MIB = 1024 ** 2;

async function previewOf(t: TestContext, sql: string, more: Partial<PreviewRequest> = {}): Promise<Preview> {
  const database = await (await getPostgres()).createDatabase();
  t.after(() => database.drop());
  const { config } = parseConfig({
    text: JSON.stringify({
      version: 1,
      sources: { db: { type: 'postgres', url: database.url } },
      destinations: {
        lake: {
          type: 'azure-blob',
          container: 'none',
          auth: { connectionString: 'UseDevelopmentStorage=true' },
        },
      },
      models: { m: { source: 'db', sql, primaryKey: ['id'] } },
      activations: { a: { model: 'm', destination: 'lake', fileName: 'a', format: { type: 'csv' } } },
    }),
    environment: {},
  });
  const activation = resolveActivation(config, 'a');
  return previewActivation({ activation, rows: 100, signal: new AbortController().signal, ...more });
}

test('a preview cuts long values, and says which and how long they are', async t => {
  const { rows, cutValues, complete } = await previewOf(
    t,
    `select 1 as id, repeat('x', 4096) as fits, repeat('x', 4097) as long, repeat('ü', ${MIB / 2}) as wide, null as none`,
  );
  const [id, fits, long, wide, none] = rows[0]!;
  assert.deepEqual([id, none], ['1', null]);
  assert.equal(fits, 'x'.repeat(4096));
  assert.equal(long, `${'x'.repeat(4096)}… (4097 bytes)`);
  assert.equal(wide, `${'ü'.repeat(2048)}… (${MIB} bytes)`);
  assert.deepEqual([cutValues, complete], [2, true]);
});

test('a cut leaves no character in part', async t => {
  const { rows } = await previewOf(t, `select 1 as id, 'a' || repeat('👩', 5000) as text`);
  assert.equal(rows[0]![1], `a${'👩'.repeat(1023)}… (20001 bytes)`);
});

test('a preview of large rows stays small, and says that there are more', async t => {
  const values = Array.from({ length: 20 }, (_, column) => `repeat('y', 1000000) as c${column}`);
  const preview = await previewOf(t, `select i as id, ${values.join(', ')} from generate_series(1, 100) i`);
  assert.ok(JSON.stringify(preview).length < 2.1 * MIB);
  assert.equal(preview.rows.length, 25, 'as many as there is room for');
  assert.deepEqual([preview.cutValues, preview.complete], [25 * 20, false]);
});

test('the first row is shown whatever it takes', async t => {
  const values = Array.from({ length: 1500 }, (_, column) => `repeat('z', 5000) as c${column}`);
  const { rows, complete } = await previewOf(
    t,
    `select i as id, ${values.join(', ')} from generate_series(1, 3) i`,
  );
  assert.deepEqual([rows.length, rows[0]!.length, complete], [1, 1501, false]);
});

test('a secret across the cut is taken out whole', async t => {
  const secret = 'a-secret-of-the-destination';
  const { rows } = await previewOf(
    t,
    `select 1 as id, repeat('x', 4090) || '${secret}' || repeat('y', 1000) as text`,
    {
      clean: text => text.replaceAll(secret, '(hidden)'),
    },
  );
  assert.equal(rows[0]![1], `${'x'.repeat(4090)}(hidde… (5117 bytes)`);
});
