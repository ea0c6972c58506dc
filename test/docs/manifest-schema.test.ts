/**
 * What docs/guide/consumers.md and the JSON Schema say of a manifest is what runs write.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { manifestSchema } from '../../docs/reference/manifest-schema.ts';
import { withExporter } from '../support/exporter.ts';
import { ROOT } from './support/pages.ts';

const schema = manifestSchema();
const ajv = new Ajv({ strict: true, allErrors: true });
addFormats.default(ajv);
const fits = ajv.compile(schema);

test('the committed schema of the manifest is the one that the code gives', () => {
  const committed = readFileSync(new URL('docs/reference/manifest.schema.json', ROOT), 'utf8');
  assert.equal(
    committed,
    `${JSON.stringify(schema, undefined, 2)}\n`,
    'run: npx tsx docs/reference/generate.ts',
  );
});

function assertFits(manifest: Record<string, unknown>): void {
  assert.ok(fits(manifest), JSON.stringify(fits.errors));
  const known = Object.keys(schema['properties'] as object);
  assert.deepEqual(
    Object.keys(manifest).filter(key => !known.includes(key)),
    [],
  );
}

for (const syncMode of ['snapshot', 'upsert', 'insert', 'difference'] as const) {
  test(`manifests of ${syncMode} fit the schema, latest.json too, full and delta`, () =>
    withExporter(async exporter => {
      await exporter.database.sql('create table t (id int primary key, name text)');
      await exporter.database.sql(`insert into t values (1, 'one'), (2, 'two')`);
      const runType = syncMode === 'snapshot' ? 'full_only' : 'full_then_delta';
      const activation = exporter.activation({ runType, syncMode, fileName: '{run}' });
      for (const kind of ['full', syncMode === 'snapshot' ? 'full' : 'delta']) {
        const { record, error } = await exporter.run(activation);
        assert.equal(record.state, 'succeeded', String(error));
        const manifest = await exporter.manifest('exported', record.run);
        assertFits(manifest);
        assert.equal(manifest['kind'], kind);
        assert.deepEqual(await exporter.manifest('exported'), manifest);
        await exporter.database.sql(
          `update t set name = 'TWO' where id = 2; insert into t values (3, 'three') on conflict do nothing`,
        );
      }
    }));
}

/** The keys of a document, and those within them, without the names of options. */
function keysOf(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [path];
  if (Array.isArray(value)) return [...new Set(value.flatMap(item => keysOf(item, `${path}[]`)))];
  return Object.entries(value).flatMap(([key, item]) => keysOf(item, `${path}.${key}`));
}

test('the manifest that the page shows has the keys of a real one', () =>
  withExporter(async exporter => {
    const page = readFileSync(new URL('docs/guide/consumers.md', ROOT), 'utf8');
    const shown = JSON.parse(/^```json\n(.*?)^```$/ms.exec(page)![1]!) as Record<string, unknown>;
    assertFits(shown);
    await exporter.database.sql(
      `create table t (id int primary key, name text); insert into t values (1, 'one')`,
    );
    const activation = exporter.activation({
      runType: 'full_then_delta',
      syncMode: 'upsert',
      fileName: '{run}',
    });
    await exporter.run(activation);
    await exporter.database.sql(`insert into t values (2, 'two')`);
    const { record } = await exporter.run(activation);
    const real = await exporter.manifest('exported', record.run);
    assert.deepEqual(keysOf(shown).sort(), keysOf(real).sort(), JSON.stringify(real, undefined, 2));
  }));
