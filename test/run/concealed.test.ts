import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { inspect } from 'node:util';
import { type ResolvedActivation, resolveActivation } from '../../src/config/activation.ts';
import { parseConfig } from '../../src/config/load.ts';
import { previewActivation } from '../../src/run/preview.ts';
import { validateActivation } from '../../src/run/validation/validate.ts';
import { type Exporter, withExporter } from '../support/exporter.ts';

const VALUE = 'qu1et-Canary';
/** As they stand in a configuration. */
const TOK = `\${TOK}`;
const ENVIRONMENT = `\${ENVIRONMENT}`;
const { signal } = new AbortController();

function activationOf(exporter: Exporter, model: object, own: object = {}): ResolvedActivation {
  const { connectionString, container } = exporter.container;
  const config = {
    version: 1,
    dataDirectory: exporter.dataDirectory,
    sources: { db: { type: 'postgres', url: exporter.database.url } },
    destinations: { lake: { type: 'azure-blob', container, auth: { connectionString } } },
    models: { m: { source: 'db', primaryKey: ['id'], ...model } },
    activations: { a: { model: 'm', destination: 'lake', fileName: 'out', format: { type: 'csv' }, ...own } },
  };
  const environment = { TOK: VALUE, ENVIRONMENT: 'production' };
  const { config: loaded } = parseConfig({ text: JSON.stringify(config), environment });
  return resolveActivation(loaded, 'a');
}

const QUERIES: [string, object, object][] = [
  ['a value that the database cannot convert', { sql: `select 1 as id, '${TOK}'::int as v` }, {}],
  ['a name that the database does not know', { sql: `select 1 as id, "${TOK}" as v` }, {}],
  ['a column that is not there', { sql: 'select 1 as id' }, { mapping: ['id', TOK] }],
  ['a key that is not there', { sql: 'select 1 as id', primaryKey: [TOK] }, {}],
];

for (const [what, model, own] of QUERIES) {
  test(`${what}: the value of a reference is in no error, cause or record`, () =>
    withExporter(async exporter => {
      const activation = activationOf(exporter, model, own);
      const { record, error } = await exporter.run(activation);
      assert.equal(record.state, 'failed');
      assert.match(record.error?.message ?? '', /\(hidden\)/);
      const history = join(exporter.dataDirectory, 'activations', 'a', 'history');
      const [name] = await readdir(history);
      const kept = await readFile(join(history, name!), 'utf8');
      const previewed = await previewActivation({ activation, rows: 1, signal }).catch(
        (cause: unknown) => cause,
      );
      const validated = await validateActivation({ activation, offline: false, signal });
      for (const shown of [error, previewed, validated.checks]) {
        const text = inspect(shown, { depth: 20, showHidden: true });
        assert.ok(!text.includes(VALUE), text);
      }
      assert.ok(!kept.includes(VALUE));
    }));
}

test('names of files, and values of references in other keys, are what they are', () =>
  withExporter(async exporter => {
    const activation = activationOf(exporter, { sql: 'select 1 as id' }, { fileName: `${ENVIRONMENT}/x` });
    const { record } = await exporter.run(activation);
    assert.deepEqual(
      record.files.map(({ name }) => name),
      ['production/x.csv'],
    );
  }));
