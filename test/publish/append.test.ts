import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { gunzipSync } from 'node:zlib';
import { SaxesParser } from 'saxes';
import { parseConfig } from '../../src/config/load.ts';
import type { RunRecord } from '../../src/history/run-record.ts';
import type { BlobStore } from '../../src/sinks/sink.ts';
import { duckQuery } from '../conformance/parquet-readers.ts';
import { everyNth } from '../support/all-cases.ts';
import { storeWith } from '../support/blob-store-with.ts';
import { type Exporter, withExporter } from '../support/exporter.ts';
import { uncompressed } from '../support/uncompressed.ts';

const APPEND = { runType: 'full_then_delta', syncMode: 'insert', ifExists: 'append' };

/** The store, with something that happens before each commit. */
function beforeCommit(store: BlobStore, act: (name: string) => Promise<void>): BlobStore {
  return storeWith(store, {
    commitBlocks: async (...args) => {
      await act(args[0]);
      return store.commitBlocks(...args);
    },
  });
}

/** Four runs, each after rows were added: 3, then 2, then none, then 1. */
async function runs(
  exporter: Exporter,
  settings: Record<string, unknown>,
  afterEach: (rowCount: number) => Promise<void> = async () => {},
): Promise<RunRecord[]> {
  await exporter.database.sql('create table t (id int primary key, name text)');
  const records: RunRecord[] = [];
  const activation = exporter.activation({ ...APPEND, ...settings });
  for (const [from, to] of [
    [1, 3],
    [4, 5],
    [6, 5],
    [6, 6],
  ]) {
    await exporter.database.sql(
      `insert into t select i, 'n' || i from generate_series(${from}::int, ${to}::int) i`,
    );
    const { record, error } = await exporter.run(activation);
    assert.equal(record.state, 'succeeded', String(error));
    records.push(record);
    await afterEach(to!);
  }
  return records;
}

/** Rows of a document of XML, which has to be well-formed. */
function rowsOfXml(text: string): number {
  const parser = new SaxesParser({ xmlns: true });
  let rows = 0;
  parser.on('error', error => {
    throw error;
  });
  parser.on('opentag', ({ name }) => {
    if (name === 'row') rows++;
  });
  parser.write(text).close();
  return rows;
}

const rowsOfLines = (text: string): number => text.split('\n').length - 1;

const FORMATS: [string, Record<string, unknown>, rowsOf: (text: string) => number][] = [
  ['out.csv', { type: 'csv' }, text => rowsOfLines(text) - 1],
  ['out.ndjson', { type: 'json', layout: 'lines' }, rowsOfLines],
  ['out.json', { type: 'json' }, text => (JSON.parse(text) as unknown[]).length],
  ['out.xml', { type: 'xml' }, rowsOfXml],
];
const CASES = FORMATS.flatMap(([name, format, rowsOf]) =>
  (['fast', 'library'] as const).flatMap(engine =>
    (['none', 'gzip', 'zstd'] as const).map(compression => ({
      name: `${name}${{ none: '', gzip: '.gz', zstd: '.zst' }[compression]}`,
      format: { ...format, engine, compression },
      rowsOf,
    })),
  ),
);
for (const { name, format, rowsOf } of everyNth(3, CASES)) {
  test(`appended rows make the file that one run would have made: ${name}, ${format.engine} engine`, () =>
    withExporter(async exporter => {
      const stored = (blob: string): Promise<Buffer> => exporter.container.download(blob);
      const textOf = async (blob: string): Promise<string> => {
        const bytes = await stored(blob);
        return uncompressed(bytes, format.compression).toString();
      };
      const records = await runs(exporter, { format }, async rowCount => {
        assert.equal(rowsOf(await textOf(name)), rowCount, 'the file is whole after each run');
      });
      const whole = exporter.activation({ ...APPEND, name: 'whole', fileName: 'whole', format });
      await exporter.run(whole);
      assert.equal(await textOf(name), await textOf(name.replace('out', 'whole')));
      assert.deepEqual(
        records.map(({ counts }) => counts.written),
        [3, 2, 0, 1],
      );
      assert.deepEqual(
        records.map(({ files }) => files.length),
        [1, 1, 0, 1],
      );
      const { rows, bytes, appended: place } = records[3]!.files[0]!;
      assert.deepEqual([rows, bytes, place?.fromRow], [6, (await stored(name)).length, 5]);
    }));
}

test('gzip goes on with further members, and each run uploads only its own bytes', () =>
  withExporter(async exporter => {
    const records = await runs(exporter, { format: { type: 'csv', compression: 'gzip' } });
    const text = gunzipSync(await exporter.container.download('out.csv.gz')).toString();
    assert.equal(text, 'id,name\n1,n1\n2,n2\n3,n3\n4,n4\n5,n5\n6,n6\n');
    const blocks = await exporter.container.client.getBlockBlobClient('out.csv.gz').getBlockList('committed');
    assert.equal(blocks.committedBlocks?.length, 3);
    assert.ok(records[1]!.counts.bytes < records[1]!.files[0]!.bytes);
  }));

test('other readers take the members of a file that was appended to for one text', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-members-'));
  t.after(() => rm(folder, { recursive: true }));
  await withExporter(async exporter => {
    for (const [name, format] of [
      ['out.json.gz', { type: 'json', compression: 'gzip' }],
      ['out.csv.gz', { type: 'csv', compression: 'gzip' }],
      ['out.json.zst', { type: 'json', compression: 'zstd' }],
      ['out.csv.zst', { type: 'csv', compression: 'zstd' }],
    ] as const) {
      await exporter.database.sql('drop table if exists t');
      await runs(exporter, { name: `${format.type}_${format.compression}`, format });
      const path = join(folder, name);
      const stored = await exporter.container.download(name);
      await writeFile(path, stored);
      const text = uncompressed(stored, format.compression).toString();
      const [[count, sum] = []] = await duckQuery(`select count(*), sum(id) from '${path}'`);
      assert.deepEqual([count, sum], ['6', '21'], `DuckDB, ${name}`);
      const programs = {
        gzip: [
          ['gzip', '-dc', path],
          ['python3', '-c', 'import gzip, sys; sys.stdout.write(gzip.open(sys.argv[1], "rt").read())', path],
        ],
        zstd: [['zstd', '-dc', path]],
      };
      for (const [command = '', ...args] of programs[format.compression]) {
        const { status, stdout, error } = spawnSync(command, args, { encoding: 'utf8' });
        if (error) t.diagnostic(`${command} is not installed`);
        else assert.deepEqual([status, stdout], [0, text], `${command}, ${name}`);
      }
    }
  });
});

test('at a limit the next part begins, and the next run goes on with that one', () =>
  withExporter(async exporter => {
    await runs(exporter, { maxFileRows: 4 });
    assert.deepEqual(await exporter.lines('out.csv'), ['id,name', '1,n1', '2,n2', '3,n3', '4,n4']);
    assert.deepEqual(await exporter.lines('out_part00002.csv'), ['id,name', '5,n5', '6,n6']);
  }));

test('a file that is full to the last row is left as it is', () =>
  withExporter(async exporter => {
    const records = await runs(exporter, { maxFileRows: 3 });
    assert.deepEqual(
      records[1]!.files.map(({ name }) => name),
      ['out_part00002.csv'],
    );
    assert.deepEqual(await exporter.lines('out.csv'), ['id,name', '1,n1', '2,n2', '3,n3']);
    assert.deepEqual(await exporter.lines('out_part00002.csv'), ['id,name', '4,n4', '5,n5', '6,n6']);
  }));

test('a full run begins the file again and leaves none of its later parts', () =>
  withExporter(async exporter => {
    await runs(exporter, { maxFileRows: 2 });
    assert.equal((await exporter.files()).length, 3);
    await exporter.database.sql('delete from t where id > 2');
    const { record } = await exporter.run(exporter.activation({ ...APPEND, maxFileRows: 2 }), { full: true });
    assert.equal(record.state, 'succeeded');
    assert.deepEqual(await exporter.files(), ['out.csv']);
    assert.deepEqual(await exporter.lines('out.csv'), ['id,name', '1,n1', '2,n2']);
  }));

test('a file that was not written to be appended to is refused, and stays', () =>
  withExporter(async exporter => {
    await runs(exporter, {});
    await exporter.container.client.getBlockBlobClient('out.csv').upload('foreign', 7);
    await exporter.database.sql(`insert into t values (7, 'n7')`);
    const { record } = await exporter.run(exporter.activation(APPEND));
    assert.equal(record.error?.code, 'DESTINATION_REFUSED');
    assert.equal((await exporter.container.download('out.csv')).toString(), 'foreign');
  }));

test('a file of other format options is refused, since its rows would not be of one kind, and stays', () =>
  withExporter(async exporter => {
    await exporter.database.sql('create table t (id int primary key, name text)');
    const changes: [string, Record<string, unknown>, Record<string, unknown>][] = [
      ['a.csv', { type: 'csv' }, { delimiter: ';' }],
      ['b.xml', { type: 'xml' }, { root: 'all' }],
      ['c.json.gz', { type: 'json', compression: 'gzip' }, { numbers: 'string' }],
    ];
    for (const [blob, format, change] of changes) {
      const fileName = blob.slice(0, 1);
      const settings = { ...APPEND, name: `append_${fileName}`, fileName };
      await exporter.database.sql(`truncate t; insert into t values (1, 'n1')`);
      await exporter.run(exporter.activation({ ...settings, format }));
      const before = await exporter.container.download(blob);
      await exporter.database.sql(`insert into t values (2, 'n2')`);
      const changed = exporter.activation({ ...settings, format: { ...format, ...change } });
      const { record } = await exporter.run(changed);
      assert.equal(record.error?.code, 'DESTINATION_REFUSED', blob);
      assert.match(record.error?.message ?? '', new RegExp(`^${blob} was written with other format options`));
      assert.deepEqual(await exporter.container.download(blob), before);
      // Engine and level change no byte of the document, and with --full the file begins
      // again.
      const level = 'compression' in format ? { level: 1 } : {};
      const other = exporter.activation({ ...settings, format: { ...format, ...level, engine: 'library' } });
      assert.equal((await exporter.run(other)).record.state, 'succeeded');
      assert.equal((await exporter.run(changed, { full: true })).record.state, 'succeeded');
      await exporter.database.sql(`insert into t values (3, 'n3')`);
      assert.equal((await exporter.run(changed)).record.counts.written, 1);
    }
  }));

test('a writer that changes the file during the run keeps the rows from being appended, and the next run has them', () =>
  withExporter(async exporter => {
    await runs(exporter, {});
    await exporter.database.sql(`insert into t values (7, 'n7')`);
    const before = await exporter.container.download('out.csv');
    const blob = exporter.container.client.getBlockBlobClient('out.csv');
    const { metadata } = await blob.getProperties();
    const activation = exporter.activation(APPEND);
    const { record } = await exporter.run(activation, {
      intercept: parts => {
        const touch = async (name: string): Promise<void> => {
          if (name === 'out.csv') await blob.setMetadata({ ...metadata, touched: 'yes' });
        };
        return { ...parts, store: beforeCommit(parts.store, touch) };
      },
    });
    assert.equal(record.error?.code, 'DESTINATION_CONFLICT');
    assert.deepEqual(await exporter.container.download('out.csv'), before);
    assert.equal((await exporter.run(activation)).record.state, 'succeeded');
    assert.equal((await exporter.lines('out.csv')).filter(line => line === '7,n7').length, 1);
  }));

test('appending is refused for full_only, where it would add every row again', () => {
  const text = JSON.stringify({
    version: 1,
    sources: { db: { type: 'postgres', url: 'postgres://u@localhost/d' } },
    destinations: {
      lake: {
        type: 'azure-blob',
        container: 'exports',
        auth: { connectionString: 'UseDevelopmentStorage=true' },
      },
    },
    models: { m: { source: 'db', sql: 'select 1 as id', primaryKey: ['id'] } },
    activations: {
      a: {
        model: 'm',
        destination: 'lake',
        fileName: 'f',
        format: { type: 'csv' },
        syncMode: 'insert',
        ifExists: 'append',
      },
    },
  });
  assert.throws(() => parseConfig({ text, environment: {} }), /is append with runType full_only/);
});

test('rows of a run that was withdrawn after one of its files was committed are not there twice', () =>
  withExporter(async exporter => {
    await runs(exporter, { maxFileRows: 7 });
    await exporter.database.sql(`insert into t select i, 'n' || i from generate_series(7, 9) i`);
    const activation = exporter.activation({ ...APPEND, maxFileRows: 7 });
    const foreign = exporter.container.client.getBlockBlobClient('out_part00002.csv');
    // The first part is committed with row 7; then somebody takes the name of the second.
    const { record } = await exporter.run(activation, {
      intercept: parts => ({
        ...parts,
        store: beforeCommit(parts.store, async name => {
          if (name === 'out_part00002.csv') await foreign.upload('foreign', 7);
        }),
      }),
    });
    assert.notEqual(record.state, 'succeeded');
    assert.ok(!(await exporter.lines('out.csv')).includes('7,n7'));
    await foreign.delete();
    assert.equal((await exporter.run(activation)).record.state, 'succeeded');
    const lines = [...(await exporter.lines('out.csv')), ...(await exporter.lines('out_part00002.csv'))];
    assert.deepEqual(
      lines.filter(line => line !== 'id,name').sort(),
      Array.from({ length: 9 }, (_, index) => `${index + 1},n${index + 1}`),
    );
  }));
