import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { checksumsOf } from '../sinks/support/checksums-of.ts';
import { storeWith } from '../support/blob-store-with.ts';
import { withExporter } from '../support/exporter.ts';
import { uncompressed } from '../support/uncompressed.ts';

const TABLE = `create table t (id int primary key, name text); insert into t select i, 'name ' || i from generate_series(1, 1000) i`;
const EMPTY = 'create table t (id int primary key, name text)';

test('a split file keeps its name in part 1, numbers the others, and every part is a complete file', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const { record } = await exporter.run(exporter.activation({ fileName: 'a/b', maxFileRows: 400 }));
    assert.deepEqual(await exporter.files(), ['a/b.csv', 'a/b_part00002.csv', 'a/b_part00003.csv']);
    const parts = await Promise.all(record.files.map(({ name }) => exporter.lines(name)));
    assert.deepEqual(
      parts.map(lines => lines[0]),
      ['id,name', 'id,name', 'id,name'],
    );
    assert.deepEqual(
      parts.map(lines => lines.length - 1),
      [400, 400, 200],
    );
  }));

for (const compression of ['none', 'gzip', 'zstd']) {
  test(`no part exceeds maxFileSize as stored, and together they hold every row once (${compression})`, () =>
    withExporter(async exporter => {
      await exporter.database.sql(
        `create table t as select i as id, md5(i::text) as name from generate_series(1, 3000) i`,
      );
      const { record } = await exporter.run(
        exporter.activation({ maxFileSize: 8000, format: { type: 'csv', compression } }),
      );
      assert.ok(record.files.length > 5, `${record.files.length} parts`);
      const ids: number[] = [];
      for (const file of record.files) {
        const stored = await exporter.container.download(file.name);
        assert.ok(stored.length <= 8000, `${file.name} has ${stored.length} bytes`);
        assert.equal(file.bytes, stored.length);
        const text = uncompressed(stored, compression).toString();
        const rows = text.trimEnd().split('\n').slice(1);
        assert.equal(rows.length, file.rows);
        ids.push(...rows.map(row => Number(row.split(',')[0])));
      }
      assert.deepEqual(
        ids.sort((a, b) => a - b),
        Array.from({ length: 3000 }, (_, index) => index + 1),
      );
    }));
}

test('stale parts that Sluice wrote are deleted when a later run has fewer, parts of others are left', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = exporter.activation({ maxFileRows: 250 });
    await exporter.run(activation);
    await exporter.container.client.getBlockBlobClient('out_part00004.csv').upload('changed by someone', 18);
    await exporter.container.client.getBlockBlobClient('out_part00005.csv').upload('foreign', 7);
    await exporter.database.sql('delete from t where id > 300');
    const { record } = await exporter.run(activation);
    assert.deepEqual(await exporter.files(), [
      'out.csv',
      'out_part00002.csv',
      'out_part00004.csv',
      'out_part00005.csv',
    ]);
    assert.deepEqual(
      record.warnings.map(({ code }) => code),
      ['STALE_PARTS_LEFT'],
    );
    assert.match(record.warnings[0]!.message, /out_part00004.csv .*another writer has changed it/);
  }));

for (const [what, settings] of [
  ['by its manifests', {}],
  ['without manifests', { manifest: false }],
] as const) {
  test(`parts that an earlier run than the previous one left are found stale, ${what}`, () =>
    withExporter(async exporter => {
      await exporter.database.sql(TABLE);
      const activation = exporter.activation({ maxFileRows: 250, onEmpty: 'skip', ...settings });
      await exporter.run(activation);
      await exporter.database.sql('create table kept as select * from t; delete from t');
      assert.deepEqual((await exporter.run(activation)).record.files, []);
      assert.equal((await exporter.files()).length, 4);
      await exporter.database.sql('insert into t select * from kept where id <= 300');
      const { record } = await exporter.run(activation);
      assert.deepEqual(record.warnings, []);
      assert.deepEqual(await exporter.files(), ['out.csv', 'out_part00002.csv']);
    }));
}

test('parts whose deletion comes to an end in between are found by the next run', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = exporter.activation({ maxFileRows: 250 });
    await exporter.run(activation);
    await exporter.database.sql('delete from t where id > 200');
    const { record } = await exporter.run(activation, {
      intercept: parts => ({
        ...parts,
        store: storeWith(parts.store, {
          deleteBlob: async (name, etag) =>
            name === 'out_part00003.csv' ? 'unknown' : parts.store.deleteBlob(name, etag),
        }),
      }),
    });
    assert.deepEqual(
      record.warnings.map(({ message }) => message),
      [
        'out_part00003.csv is left of an earlier run: the delete was not answered',
        'out_part00002.csv is left of an earlier run: a later part could not be deleted',
      ],
    );
    assert.deepEqual((await exporter.run(activation)).record.warnings, []);
    assert.deepEqual(await exporter.files(), ['out.csv']);
  }));

test('a blob that Sluice did not write is overwritten with a warning, its own without', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    await exporter.container.client.getBlockBlobClient('out.csv').upload('foreign', 7);
    const activation = exporter.activation({});
    const { record } = await exporter.run(activation);
    assert.deepEqual(
      record.warnings.map(({ code }) => code),
      ['FOREIGN_BLOB_OVERWRITTEN'],
    );
    assert.deepEqual((await exporter.run(activation)).record.warnings, []);
  }));

test('ifExists: fail refuses an existing file before reading, skip leaves it and succeeds', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    await exporter.container.client.getBlockBlobClient('out.csv').upload('there', 5);
    const failing = await exporter.run(exporter.activation({ ifExists: 'fail' }));
    assert.equal(failing.record.error?.code, 'DESTINATION_EXISTS');
    assert.match(failing.record.error!.message, /^out.csv exists/);
    const skipped = await exporter.run(exporter.activation({ ifExists: 'skip' }));
    assert.equal(skipped.record.state, 'succeeded');
    assert.deepEqual(
      skipped.record.warnings.map(({ code }) => code),
      ['EXISTS_SKIPPED'],
    );
    assert.equal((await exporter.container.download('out.csv')).toString(), 'there');
  }));

test('nothing to write gives a file with its header, no file, or a failed run, as onEmpty says', () =>
  withExporter(async exporter => {
    await exporter.database.sql(EMPTY);
    const written = await exporter.run(exporter.activation({ onEmpty: 'write' }));
    assert.equal(written.record.counts.written, 0);
    assert.equal((await exporter.container.download('out.csv')).toString(), 'id,name\n');
    const skipped = await exporter.run(exporter.activation({ onEmpty: 'skip', fileName: 'none' }));
    assert.deepEqual([skipped.record.state, skipped.record.files], ['succeeded', []]);
    const failed = await exporter.run(exporter.activation({ onEmpty: 'fail', fileName: 'none' }));
    assert.equal(failed.record.error?.code, 'SOURCE_EMPTY');
    assert.deepEqual(await exporter.files(), ['out.csv']);
  }));

test('with onEmpty: skip a difference leaves out each file without a row, and the manifest lists the others', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = exporter.activation({
      runType: 'full_then_delta',
      syncMode: 'difference',
      onEmpty: 'skip',
      fileName: '{run}',
      manifest: true,
    });
    const published = async (): Promise<string[]> => {
      const { run, files } = (await exporter.run(activation)).record;
      const manifest = await exporter.container.download(`_sluice/exported/${run}.json`);
      const names = files.map(({ name }) => name);
      assert.deepEqual(
        JSON.parse(manifest.toString()).files.map(({ name }: { name: string }) => name),
        names,
      );
      return names.map(name => name.slice(run.length));
    };
    assert.deepEqual(await published(), ['_added.csv']);
    assert.deepEqual(await published(), []);
    await exporter.database.sql("insert into t values (5001, 'new')");
    assert.deepEqual(await published(), ['_added.csv']);
    await exporter.database.sql('delete from t where id = 5001');
    assert.deepEqual(await published(), ['_removed.csv']);
  }));

test('an empty file without a header is a blob without bytes', () =>
  withExporter(async exporter => {
    await exporter.database.sql(EMPTY);
    const { record } = await exporter.run(exporter.activation({ format: { type: 'csv', header: false } }));
    assert.equal(record.state, 'succeeded');
    assert.equal((await exporter.container.download('out.csv')).length, 0);
  }));

test('the file name is resolved once from the start of the run, in UTC, below the folder of the destination', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const instant = new Date('2025-04-14T23:59:59.007Z');
    const clock = { now: () => instant, sleep: async () => {} };
    const activation = exporter.activation({
      fileName: '{YYYY}/{MM}/{DD}/{YY}-{MM}-{DD}_{HH}{mm}{ss}{ms}_{X}_{x}_{activation}_{model}_{mode}_{part}',
      maxFileRows: 600,
      destination: { folder: 'crm/' },
    });
    await exporter.run(activation, { clock });
    const name = `crm/2025/04/14/25-04-14_235959007_${instant.getTime() / 1000 - 0.007}_${instant.getTime()}_exported_m_snapshot`;
    assert.deepEqual(await exporter.files(), [`${name}_00001.csv`, `${name}_00002.csv`]);
  }));

test('the content type is that of the format; gzip makes another one of text files only', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const types: [Record<string, unknown>, string][] = [
      [{ type: 'csv' }, 'text/csv; charset=utf-8'],
      [{ type: 'csv', compression: 'gzip' }, 'application/gzip'],
      [{ type: 'csv', compression: 'zstd' }, 'application/zstd'],
      [{ type: 'json', layout: 'lines' }, 'application/x-ndjson'],
      [{ type: 'xml', compression: 'gzip' }, 'application/gzip'],
      ...['snappy', 'gzip', 'none'].map((compression): [Record<string, unknown>, string] => [
        { type: 'parquet', compression },
        'application/vnd.apache.parquet',
      ]),
    ];
    for (const [format, expected] of types) {
      const { record } = await exporter.run(exporter.activation({ format, fileName: '{run}' }));
      const client = exporter.container.client.getBlobClient(record.files[0]!.name);
      assert.equal((await client.getProperties()).contentType, expected, JSON.stringify(format));
    }
  }));

test('properties, metadata and tags go onto every file, with what Sluice notes of the run', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const blob = {
      contentType: 'text/x-own',
      cacheControl: 'no-store',
      metadata: { team: 'crm' },
      tags: { kind: 'export' },
      accessTier: 'Cool',
    };
    const { record } = await exporter.run(
      exporter.activation({ blob, maxFileRows: 500, format: { type: 'csv', checksums: ['md5', 'crc64'] } }),
    );
    for (const file of record.files) {
      const client = exporter.container.client.getBlobClient(file.name);
      const { contentType, cacheControl, metadata, contentMD5, accessTier, etag } =
        await client.getProperties();
      assert.deepEqual(
        [contentType, cacheControl, accessTier, etag],
        ['text/x-own', 'no-store', 'Cool', file.etag],
      );
      assert.deepEqual(metadata, {
        team: 'crm',
        sluice: 'exported',
        run: record.run,
        generation: '1',
        part: String(file.part),
        sluice_kind: 'full',
      });
      assert.deepEqual((await client.getTags()).tags, { kind: 'export' });
      const stored = await exporter.container.download(file.name);
      assert.equal(createHash('md5').update(stored).digest('hex'), file.md5);
      assert.equal(Buffer.from(contentMD5!).toString('hex'), file.md5);
      assert.equal(checksumsOf(stored).crc64, file.crc64);
      assert.equal(file.sha256, undefined);
    }
  }));

test('the manifest names run, generations, columns and files, and latest.json is the same', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const mapping = ['id', { from: 'name', to: 'full name' }];
    const { record } = await exporter.run(exporter.activation({ maxFileRows: 600, mapping }));
    const manifest = await exporter.manifest('exported', record.run);
    assert.deepEqual(await exporter.manifest('exported'), manifest);
    const {
      run,
      activation,
      generation,
      previousGeneration,
      runType,
      syncMode,
      trigger,
      full,
      counts,
      files,
      columns,
    } = manifest;
    assert.deepEqual(
      { run, activation, generation, previousGeneration, runType, syncMode, trigger, full, counts, files },
      {
        run: record.run,
        activation: 'exported',
        generation: 1,
        previousGeneration: 0,
        runType: 'full_only',
        syncMode: 'snapshot',
        trigger: 'command',
        full: true,
        counts: record.counts,
        files: record.files,
      },
    );
    assert.deepEqual(columns, [
      { name: 'id', source: 'id', sourceType: 'integer', kind: 'int32' },
      { name: 'full name', source: 'name', sourceType: 'text', kind: 'text' },
    ]);
    assert.ok(record.files.every(({ etag }) => etag !== undefined));
  }));

test('manifest: false writes no manifest', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    await exporter.run(exporter.activation({ manifest: false }));
    assert.deepEqual(await exporter.container.list(), ['out.csv']);
  }));

test('a row that does not fit a file of maxFileSize is refused by file, row and size', () =>
  withExporter(async exporter => {
    await exporter.database.sql(`create table t as select 1 as id, repeat('x', 5000) as name`);
    const { record } = await exporter.run(exporter.activation({ maxFileSize: 2000 }));
    assert.equal(record.error?.code, 'ROW_TOO_LARGE');
    assert.match(record.error!.message, /out.csv.*row 1/s);
    assert.deepEqual(await exporter.container.list(), []);
  }));

test('values that a format cannot hold are counted by column and warned of', () =>
  withExporter(async exporter => {
    const sql = `select i as id, case when i % 2 = 0 then 'NaN' else '1.5' end::float8 as ratio, E'a\\x01b' as note from generate_series(1, 10) i`;
    const json = await exporter.run(exporter.activation({ sql, format: { type: 'json' }, maxFileRows: 4 }));
    const [warning] = json.record.warnings;
    assert.equal(warning?.code, 'VALUE_COERCED');
    assert.match(warning!.message, /: 5 values in column "ratio"$/);
    const xml = await exporter.run(exporter.activation({ sql, format: { type: 'xml' } }));
    assert.match(xml.record.warnings[0]!.message, /: 10 values in column "note"$/);
  }));
