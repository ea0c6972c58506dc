import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
import { resolveActivation } from '../../../src/config/activation.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { type ExportResult, exportRun } from '../../../src/run/export-run.ts';
import { getAzurite } from '../../support/azurite.ts';

test('JSON files are exported whole and then as changes', async () => {
  const container = await (await getAzurite()).createContainer();
  const folder = await mkdtemp(join(tmpdir(), 'sluice-json-run-'));
  try {
    const config = {
      version: 1,
      dataDirectory: join(folder, 'state'),
      sources: { events: { type: 'json', path: join(folder, '*.{ndjson,json.gz}') } },
      destinations: {
        lake: {
          type: 'azure-blob',
          container: container.container,
          auth: { connectionString: container.connectionString },
        },
      },
      models: { m: { source: 'events', primaryKey: ['id'] } },
      activations: {
        exported: {
          model: 'm',
          destination: 'lake',
          fileName: 'out',
          format: { type: 'csv' },
          runType: 'full_then_delta',
          syncMode: 'difference',
          mapping: [{ from: 'n', to: 'number' }, 'id', 'more'],
        },
      },
    };
    const { config: loaded } = parseConfig({ text: JSON.stringify(config), environment: {} });
    const activation = resolveActivation(loaded, 'exported');
    const run = (): Promise<ExportResult> =>
      exportRun({ trigger: 'command', signal: new AbortController().signal, activation });
    const lines = async (change: string): Promise<string[]> =>
      (await container.download(`out_${change}.csv`)).toString().trimEnd().split('\n').slice(1).sort();

    await writeFile(
      join(folder, 'a.ndjson'),
      '{"id":1,"n":12345678901234567890.000100,"s":"not mapped","more":{"a": [1]}}\n{"id":2,"n":2,"s":"","more":null}\n',
    );
    await writeFile(join(folder, 'b.json.gz'), gzipSync('[{"id":3,"n":3.0}]'));
    const first = await run();
    assert.equal(first.record.state, 'succeeded', String(first.error));
    assert.deepEqual(await lines('added'), ['12345678901234567890.000100,1,"{""a"":[1]}"', '2,2,', '3.0,3,']);

    // Other whitespace and a column that is not mapped are no changes.
    await writeFile(
      join(folder, 'a.ndjson'),
      '{"s":1, "more":{"a":[1]}, "n":12345678901234567890.000100, "id":1}\n{"id":4,"n":4}\n',
    );
    await writeFile(join(folder, 'b.json.gz'), gzipSync('[{"id":3,"n":3.00}]'));
    const second = await run();
    assert.equal(second.record.state, 'succeeded', String(second.error));
    assert.equal(second.record.full, false);
    assert.deepEqual(await lines('added'), ['4,4,']);
    assert.deepEqual(await lines('updated'), ['3.00,3,']);
    assert.deepEqual(await lines('removed'), ['2,2,']);

    await writeFile(join(folder, 'a.ndjson'), '{"id":1,"n":1.5,"more":{}}\n{"id":4,"n"');
    const broken = await run();
    assert.equal(broken.record.state, 'failed');
    assert.equal(broken.record.error?.code, 'SOURCE_INCOMPLETE');
    assert.deepEqual(await lines('added'), ['4,4,']);
  } finally {
    await Promise.all([container.drop(), rm(folder, { recursive: true })]);
  }
});
