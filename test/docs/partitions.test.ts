/**
 * The example of the guide, run, and its folders read by DuckDB: what stands in a name
 * comes back as the value that it was.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse as parseYaml } from 'yaml';
import { resolveActivation } from '../../src/config/activation.ts';
import { parseConfig } from '../../src/config/load.ts';
import { exportRun } from '../../src/run/export-run.ts';
import { exportTo } from '../../src/run/export-to.ts';
import { duckQuery } from '../conformance/parquet-readers.ts';
import { getPostgres } from '../support/postgres.ts';
import { ROOT } from './support/pages.ts';

const VALUES = ['FR', 'fr', 'a/b', 'a=b', '.', '..', 'St.', '100% é', 'q?*"\\', 'x:y', null];

test('the example of one file per value is read with the values of its folders', async () => {
  const page = readFileSync(new URL('docs/guide/file-names.md', ROOT), 'utf8');
  const [, yaml = ''] = /^## One file per value\n.*?^```yaml\n(.*?)^```$/ms.exec(page) ?? [];
  const { activations } = parseYaml(yaml) as { activations: Record<string, object> };
  const [name = ''] = Object.keys(activations);
  const postgres = await getPostgres();
  const [database, folder] = await Promise.all([
    postgres.createDatabase(),
    mkdtemp(join(tmpdir(), 'sluice-partition-docs-')),
  ]);
  try {
    const rows = VALUES.map((value, id) => `(${id}, ${value === null ? 'null' : `'${value}'`})`);
    await database.sql(`create table customers (id int primary key, country text);
      insert into customers values ${rows.join(', ')}`);
    const text = JSON.stringify({
      version: 1,
      dataDirectory: join(folder, 'data'),
      sources: { warehouse: { type: 'postgres', url: database.url } },
      destinations: { lake: { type: 'folder', path: folder } },
      models: { customers: { source: 'warehouse', sql: 'table customers', primaryKey: ['id'] } },
      activations,
    });
    const activation = resolveActivation(parseConfig({ text, environment: {} }).config, name);
    const { record, error } = await exportRun({
      activation: exportTo(activation, join(folder, 'out')),
      trigger: 'command',
      signal: new AbortController().signal,
    });
    assert.equal(record.state, 'succeeded', String(error));
    assert.equal(record.files.length, VALUES.length);
    const glob = join(folder, 'out/crm/*/*/*.parquet');
    const types = "hive_partitioning = true, hive_types = { 'country': 'text' }";
    const found = await duckQuery(
      `select id::text, country from read_parquet('${glob}', ${types}) order by id`,
    );
    assert.deepEqual(
      found,
      VALUES.map((value, id) => [`${id}`, value]),
    );
  } finally {
    await Promise.all([database.drop(), rm(folder, { recursive: true })]);
  }
});
