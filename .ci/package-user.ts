/**
 * A program of somebody who has installed the package: `.ci/package` compiles it against
 * the types in the tarball, and runs it.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { exportRun, listRuns, parseConfig, planActivation, resolveActivation, verifyRun } from 'sluice';

const text = `
version: 1
sources: { people: { type: json, path: ./people.json } }
destinations: { here: { type: folder, path: ./out } }
models: { people: { source: people, primaryKey: [id] } }
activations:
  people: { model: people, destination: here, fileName: "people-{run}", format: { type: parquet }, runType: full_then_delta, syncMode: upsert }
`;
const { config } = parseConfig({ text });
const activation = resolveActivation(config, 'people');
const { record, error } = await exportRun({ activation });
assert.equal(record.state, 'succeeded', String(error));
assert.deepEqual([record.trigger, record.counts.written], ['library', 2]);
assert.ok((await verifyRun({ run: record.run, activations: [activation] })).ok);
assert.equal((await planActivation({ activation })).outcome, 'nothing');
assert.equal((await listRuns({ dataDirectory: config.dataDirectory })).records.length, 1);

const require = createRequire(import.meta.url);
for (const name of ['sluice.schema.json', 'manifest.schema.json', 'openapi.json'])
  assert.ok(JSON.parse(readFileSync(require.resolve(`sluice/${name}`), 'utf8')), name);
