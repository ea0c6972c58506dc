import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { RunFile } from '../../src/history/run-record.ts';
import { Exporter } from '../support/exporter.ts';

/**
 * About 80 MiB, which are nine slices: much of it in a column that nobody reads, so that
 * there is little to export.
 */
const ROWS = 30_000;
const TABLE = `
  create unlogged table t (id int not null, name text, amount numeric(12,2), at timestamptz, flag boolean, doc jsonb,
    filler text not null);
  alter table t alter filler set storage plain;
  insert into t select i, case when i % 7 = 0 then null else 'näme, "' || i || repeat('y', i % 50) end, i * 1.25,
      timestamptz '2024-01-01 00:00:00+00' + i * interval '1 second', i % 3 = 0, jsonb_build_object('i', i, 't', 'a<b'),
      repeat('x', 2300)
    from generate_series(1, ${ROWS}) i;`;
const COLUMNS = ['id', 'name', 'amount', 'at', 'flag', 'doc'];

let exporter: Exporter;
before(async () => {
  exporter = await Exporter.open();
  await exporter.database.sql(TABLE);
});
after(() => exporter.close());

interface Exported {
  readonly files: readonly RunFile[];
  readonly bytes: readonly Buffer[];
  readonly readers: number | undefined;
}

async function exported(settings: Record<string, unknown>): Promise<Exported> {
  const model = { table: 'public.t', columns: COLUMNS };
  const activation = exporter.activation({ model, ...settings });
  const { record, error } = await exporter.run(activation);
  assert.equal(error, undefined);
  assert.equal(record.counts.read, ROWS);
  assert.equal(record.counts.written, ROWS);
  const bytes = await Promise.all(record.files.map(({ name }) => exporter.container.download(name)));
  return { files: record.files, bytes, readers: record.readers?.count };
}

const FORMATS = {
  csv: { type: 'csv' },
  'csv in gzip': { type: 'csv', compression: 'gzip' },
  'csv in another encoding': { type: 'csv', encoding: 'utf-16le' },
  json: { type: 'json' },
  ndjson: { type: 'json', layout: 'lines' },
  'json by its library': { type: 'json', engine: 'library' },
  xml: { type: 'xml' },
  parquet: { type: 'parquet' },
};

for (const [name, format] of Object.entries(FORMATS)) {
  test(`several readers write the ${name} that one writes, byte for byte`, async () => {
    const one = await exported({ format });
    assert.equal(one.readers, undefined);
    for (const parallel of [2, 3, 7]) {
      const several = await exported({ format, parallel });
      assert.equal(several.readers, parallel);
      assert.deepEqual(several.files.map(comparable), one.files.map(comparable));
      assert.ok(several.bytes.every((bytes, index) => bytes.equals(one.bytes[index]!)));
    }
  });
}

function comparable({ etag, ...file }: RunFile): Omit<RunFile, 'etag'> {
  return file;
}
