import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parquetMetadata } from 'hyparquet';
import { parquetColumn } from '../../../src/encoders/parquet/parquet-column.ts';
import type { RunFile } from '../../../src/history/run-record.ts';
import { verifyRun } from '../../../src/verify/verify-run.ts';
import { DEFAULT_PARQUET_OPTIONS } from '../../conformance/parquet-arbitraries.ts';
import {
  duckQuery,
  readWithDuck,
  readWithHyparquet,
  readWithParquetJs,
  readWithParquetWasm,
} from '../../conformance/parquet-readers.ts';
import { everyNth } from '../../support/all-cases.ts';
import { Verbs } from './support.ts';

const ROWS = 2000;
const SLICES = 4;
const TABLE = `
  create table t (id int primary key, name text, amount numeric(12,2), large numeric(30,4), free numeric, u uuid,
      at timestamptz, day date, flag boolean, doc jsonb, ratio float8, list int[]);
  insert into t select i, case when i % 7 = 0 then null else 'näme ' || i || repeat('y', i % 50) end, i * -1.25, i * 1e20,
      case when i > 1500 then i / 7.0 end, md5(i::text)::uuid, timestamptz '2024-01-01 00:00:00+00' + i * interval '1 second',
      date '1969-12-01' + i, i % 3 = 0, jsonb_build_object('i', i), case when i % 900 = 0 then 'NaN'::float8 else i end, array[i, null]
    from generate_series(1, ${ROWS}) i;
  cluster t using t_pkey; -- rows lie in the order of their keys, which is that of slices
  create table holes (id int primary key, v text); insert into holes select i, 'v' from generate_series(1, 100) i;`;

let verbs: Verbs;
let folder: string;
before(async () => {
  verbs = await Verbs.open();
  await verbs.exporter.database.sql(TABLE);
  folder = await mkdtemp(join(tmpdir(), 'sluice-parquet-slices-'));
});
after(async () => {
  await verbs.close();
  await rm(folder, { recursive: true });
});

function bytesOf([file]: readonly RunFile[]): Promise<Buffer> {
  return verbs.exporter.container.download(file!.name);
}

const FORMATS: readonly Record<string, unknown>[] = [
  { rowGroupRows: 300 },
  { compression: 'gzip', onUnrepresentable: 'null' },
  { compression: 'none', dictionary: false, rowGroupRows: 7 },
  { engine: 'library' },
];
const CASES = FORMATS.flatMap(format => [2, 3, 7].map(slices => ({ format, slices })));
for (const { format, slices } of everyNth(4, CASES)) {
  test(`${slices} slices join to one Parquet file, which every reader reads: ${JSON.stringify(format)}`, async () => {
    const activation = verbs.activation({
      model: { table: 'public.t' },
      format: { type: 'parquet', ...format },
    });
    const one = await verbs.exporter.run(activation);
    const whole = await bytesOf(one.record.files);
    const { record, error, plan } = await verbs.all(activation, slices);
    assert.equal(error, undefined);
    assert.equal(plan.slices.length, slices);
    assert.deepEqual(record.slices?.withoutChecksums, ['sha256']);
    assert.equal(record.files.length, 1);
    const file = await bytesOf(record.files);
    const [metadata, expected] = [file, whole].map(bytes => parquetMetadata(Uint8Array.from(bytes).buffer));
    assert.deepEqual(metadata!.schema, expected!.schema);
    const columns = plan.description.columns.map(column => parquetColumn(column, DEFAULT_PARQUET_OPTIONS));
    const rows = await readWithHyparquet(whole, columns);
    assert.equal(rows.length, ROWS);
    assert.deepEqual(await readWithHyparquet(file, columns), rows);
    assert.deepEqual(await readWithParquetJs(file, columns), rows);
    assert.deepEqual(readWithParquetWasm(file, columns), rows);
    const path = join(folder, 'file.parquet');
    assert.deepEqual(await readWithDuck(file, columns, path), rows);

    // What readers skip row groups by.
    const groups = await duckQuery(
      `select row_group_id, row_group_num_rows, stats_min_value::int, stats_max_value::int, stats_null_count::int
        from parquet_metadata('${path}') where path_in_schema = 'id' order by 1`,
    );
    let first = 1;
    for (const [index, group] of groups.entries()) {
      const count = Number(group[1]);
      const hasStatistics = format['engine'] !== 'library';
      const bounds = hasStatistics ? [first, first + count - 1, 0] : [null, null, null];
      assert.deepEqual(
        group.map(value => (value === null ? null : Number(value))),
        [index, count, ...bounds],
      );
      first += count;
    }
    assert.ok(groups.length >= slices);
    const found = await duckQuery(`select count(*), sum(id) from '${path}' where id between 499 and 1503`);
    assert.deepEqual(found[0]!.map(Number), [1005, (1005 * (499 + 1503)) / 2]);

    const { signal } = new AbortController();
    const { ok, files } = await verifyRun({ run: record.run, activations: [activation], signal });
    assert.ok(ok, JSON.stringify(files));
  });
}

test('a slice without rows adds no row group, and a run without rows is a file without any', async () => {
  const settings = { format: { type: 'parquet' } };
  const activation = verbs.activation({ model: { table: 'public.holes' }, ...settings });
  const files = verbs.files();
  const plan = await verbs.begin(activation, files, SLICES);
  await verbs.exporter.database.sql('delete from holes where id > 20');
  for (const slice of plan.slices.keys()) await verbs.slice(activation, files, slice);
  const { error, record } = await verbs.finalise(activation, files);
  assert.equal(error, undefined);
  const { row_groups, num_rows } = parquetMetadata(Uint8Array.from(await bytesOf(record.files)).buffer);
  assert.deepEqual([row_groups.length, num_rows], [1, 20n]);

  await verbs.exporter.database.sql('delete from holes; insert into holes select generate_series(1, 9)');
  const none = verbs.activation({ model: { table: 'public.holes' }, ...settings });
  const again = verbs.files();
  const planned = await verbs.begin(none, again, SLICES);
  await verbs.exporter.database.sql('delete from holes');
  for (const slice of planned.slices.keys()) await verbs.slice(none, again, slice);
  const emptied = await verbs.finalise(none, again);
  assert.equal(emptied.error, undefined);
  const without = parquetMetadata(Uint8Array.from(await bytesOf(emptied.record.files)).buffer);
  assert.deepEqual([without.row_groups.length, without.num_rows], [0, 0n]);
});
