/**
 * Processes that are killed while they append: the file is whole at every moment, and
 * holds each row once.
 */
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { readXml } from '../conformance/read-xml.ts';
import { everyNth } from '../support/all-cases.ts';
import { withExporter } from '../support/exporter.ts';
import { uncompressed } from '../support/uncompressed.ts';
import { ChildRuns } from './child-runs.ts';
import { interceptSteps } from './protocol-steps.ts';

let children: ChildRuns;
before(async () => {
  children = await ChildRuns.open();
});
after(() => children.close());

const CASES: [name: string, format: Record<string, unknown>, idsOf: (text: string) => string[]][] = [
  [
    'out.json.gz',
    { type: 'json', compression: 'gzip' },
    text => (JSON.parse(text) as { id: number }[]).map(({ id }) => `${id}`),
  ],
  [
    'out.ndjson.zst',
    { type: 'json', layout: 'lines', compression: 'zstd' },
    text => Array.from(text.matchAll(/"id":(\d+)/g), ([, id]) => id!),
  ],
  [
    'out.xml.gz',
    { type: 'xml', compression: 'gzip' },
    text => readXml(Buffer.from(text)).rows.map(({ fields }) => fields[0]!.text!),
  ],
];

for (const [name, format, idsOf] of everyNth(2, CASES)) {
  test(`a run that is killed before any of its steps leaves ${name} whole, and each row is there once in the end`, () =>
    withExporter(async exporter => {
      await exporter.database.sql('create table t (id int primary key, name text)');
      let last = 0;
      const addRows = async (): Promise<void> => {
        await exporter.database.sql(
          `insert into t select i, 'n' || i from generate_series(${last + 1}, ${last + 3}) i`,
        );
        last += 3;
      };
      const settings = { runType: 'full_then_delta', syncMode: 'insert', ifExists: 'append', format };
      const activation = exporter.activation(settings);
      const readIds = async (): Promise<string[]> =>
        idsOf(uncompressed(await exporter.container.download(name), format['compression']).toString());
      const allIds = (): string[] => Array.from({ length: last }, (_, index) => `${index + 1}`);

      await addRows();
      await exporter.run(activation);
      await addRows();
      const steps: string[] = [];
      await exporter.run(activation, {
        intercept: parts =>
          interceptSteps(parts, (step, moment) => {
            if (moment === 'before') steps.push(step);
          }),
      });
      assert.deepEqual(await readIds(), allIds());
      assert.ok(steps.includes('store.commitBlocks #1'), steps.join());

      let finished = 0;
      for (const step of everyNth(3, [...new Set(steps)])) {
        await addRows();
        const { connectionString, container } = exporter.container;
        const job = {
          config: JSON.stringify({
            version: 1,
            dataDirectory: exporter.dataDirectory,
            sources: { db: { type: 'postgres', url: exporter.database.url } },
            destinations: { lake: { type: 'azure-blob', container, auth: { connectionString } } },
            models: { m: { source: 'db', sql: 'select * from t', primaryKey: ['id'] } },
            activations: { exported: { model: 'm', destination: 'lake', fileName: 'out', ...settings } },
          }),
          activation: 'exported',
          kill: { step, moment: 'before' as const },
        };
        const { done } = await children.run(job);
        assert.equal(done, undefined, `not killed at ${step}`);
        // Whether the rows are there yet or not, what is there is a document of whole
        // runs.
        const seen = await readIds();
        assert.deepEqual(seen, allIds().slice(0, seen.length));
        assert.ok(seen.length === last || seen.length === last - 3, step);
        await addRows();
        const { record, error, recovered } = await exporter.run(activation);
        assert.equal(record.state, 'succeeded', String(error));
        finished += recovered.length;
        assert.deepEqual(await readIds(), allIds(), `after ${step}`);
      }
      assert.ok(finished > 0, 'some of them were finished rather than dropped');
    }));
}

test('a run that is killed before any of its steps leaves the file of each partition whole, and each row is there once in the end', () =>
  withExporter(async exporter => {
    await exporter.database.sql('create table t (id int primary key, p int)');
    const settings = {
      runType: 'full_then_delta',
      syncMode: 'insert',
      ifExists: 'append',
      format: { type: 'json' },
      partitionBy: ['p'],
      fileName: 'out-{column.p}',
      maxFileRows: 4,
    };
    const activation = exporter.activation(settings);
    let last = 0;
    const addRows = async (): Promise<void> => {
      await exporter.database.sql(
        `insert into t select i, i % 3 from generate_series(${last + 1}, ${last + 4}) i`,
      );
      last += 4;
    };
    /** Each row in a file of its partition. */
    const readIds = async (): Promise<number[]> => {
      const read = (await exporter.files()).map(async name => {
        const text = (await exporter.container.download(name)).toString();
        const rows = JSON.parse(text) as { id: number }[];
        const [, partition] = /^out-(\d)(?:_part\d{5})?\.json$/.exec(name)!;
        for (const { id } of rows) assert.equal(id % 3, Number(partition), name);
        return rows.map(({ id }) => id);
      });
      return (await Promise.all(read)).flat().sort((a, b) => a - b);
    };
    const allIds = (): number[] => Array.from({ length: last }, (_, index) => index + 1);

    await addRows();
    await exporter.run(activation);
    await addRows();
    const steps: string[] = [];
    await exporter.run(activation, {
      intercept: parts =>
        interceptSteps(parts, (step, moment) => {
          if (moment === 'before') steps.push(step);
        }),
    });
    assert.deepEqual(await readIds(), allIds());

    let finished = 0;
    for (const step of everyNth(6, [...new Set(steps)])) {
      await addRows();
      const { connectionString, container } = exporter.container;
      const config = JSON.stringify({
        version: 1,
        dataDirectory: exporter.dataDirectory,
        sources: { db: { type: 'postgres', url: exporter.database.url } },
        destinations: { lake: { type: 'azure-blob', container, auth: { connectionString } } },
        models: { m: { source: 'db', sql: 'select * from t', primaryKey: ['id'] } },
        activations: { exported: { model: 'm', destination: 'lake', ...settings } },
      });
      await children.run({ config, activation: 'exported', kill: { step, moment: 'before' } });
      const seen = await readIds();
      assert.equal(new Set(seen).size, seen.length, step);
      await addRows();
      const { record, error, recovered } = await exporter.run(activation);
      assert.equal(record.state, 'succeeded', String(error));
      finished += recovered.length;
      assert.deepEqual(await readIds(), allIds(), `after ${step}`);
    }
    assert.ok(finished > 0, 'some of them were finished rather than dropped');
  }));
