import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import type { ResolvedActivation } from '../../src/config/activation.ts';
import type { ExportResult } from '../../src/run/export-run.ts';
import { exportTo } from '../../src/run/export-to.ts';
import { previewActivation } from '../../src/run/preview.ts';
import { validateActivation } from '../../src/run/validation/validate.ts';
import { verifyRun } from '../../src/verify/verify-run.ts';
import { everyNth } from '../support/all-cases.ts';
import { type Exporter, withExporter } from '../support/exporter.ts';

const CREATE = `create table t (id int primary key, country text, name text);
  insert into t values (1, 'FR', 'one'), (2, 'DE', 'two'), (3, 'FR', 'three'), (4, null, 'four'), (5, '', 'five')`;

function succeeded({ record, error }: ExportResult): ExportResult['record'] {
  assert.equal(record.state, 'succeeded', String(error));
  return record;
}

/** The message that a run failed with, which published nothing. */
async function refused(exporter: Exporter, settings: Record<string, unknown>, code: string): Promise<string> {
  const before = await exporter.container.list();
  const { record, error } = await exporter.run(exporter.activation(settings));
  assert.equal(record.state, 'failed');
  assert.equal(record.error?.code, code, String(error));
  assert.deepEqual(await exporter.container.list(), before);
  return record.error.message;
}

/** The lines of every file but the manifests, by name. */
async function contents(exporter: Exporter): Promise<Record<string, string[]>> {
  const names = await exporter.files();
  return Object.fromEntries(await Promise.all(names.map(async name => [name, await exporter.lines(name)])));
}

async function upload({ container }: Exporter, name: string): Promise<void> {
  await container.client.getBlockBlobClient(name).upload('x', 1);
}

test('each value of a column has a file in a folder as Hive names it, and the manifest says its values', () =>
  withExporter(async exporter => {
    await exporter.database.sql(CREATE);
    const record = succeeded(
      await exporter.run(exporter.activation({ partitionBy: ['country'], fileName: 'crm/customers' })),
    );
    assert.deepEqual(await contents(exporter), {
      'crm/country=DE/customers.csv': ['id,country,name', '2,DE,two'],
      'crm/country=FR/customers.csv': ['id,country,name', '1,FR,one', '3,FR,three'],
      'crm/country=__EMPTY__/customers.csv': ['id,country,name', '5,"",five'],
      'crm/country=__HIVE_DEFAULT_PARTITION__/customers.csv': ['id,country,name', '4,,four'],
    });
    assert.equal(record.counts.written, 5);
    const { files } = (await exporter.manifest('exported')) as {
      files: { partition: unknown; part: number }[];
    };
    assert.deepEqual(
      files.map(({ partition, part }) => [partition, part]),
      [
        [{ country: '' }, 1],
        [{ country: 'DE' }, 1],
        [{ country: 'FR' }, 1],
        [{ country: null }, 1],
      ],
    );
  }));

test('the values stand where the name has them, and columns may be left out of the rows', () =>
  withExporter(async exporter => {
    await exporter.database.sql(CREATE);
    const activation = exporter.activation({
      partitionBy: ['country', 'id'],
      keepPartitionColumns: false,
      mapping: [{ from: 'name', to: 'label' }],
      fileName: '{column.country}/c-{column.id}',
      where: 'id < 3',
    });
    succeeded(await exporter.run(activation));
    assert.deepEqual(await contents(exporter), {
      'DE/c-2.csv': ['label', 'two'],
      'FR/c-1.csv': ['label', 'one'],
    });
  }));

test('a column that is written under another name partitions by that name', () =>
  withExporter(async exporter => {
    await exporter.database.sql(CREATE);
    const mapping = ['id', { from: 'country', to: 'land=x' }];
    succeeded(await exporter.run(exporter.activation({ partitionBy: ['land=x'], mapping, where: 'id = 1' })));
    assert.deepEqual(await contents(exporter), { 'land%3Dx=FR/out.csv': ['id,land=x', '1,FR'] });
  }));

test('values that are no names become names, each its own', () =>
  withExporter(async exporter => {
    const values = [
      'a/b',
      'a%2Fb',
      '.',
      '..',
      'x.',
      '_sluice',
      '%2E',
      'A',
      'a',
      '\u00e9',
      'e\u0301',
      'q?*"\\',
      'tab\t',
      '{part}',
    ];
    await exporter.database.sql('create table t (id int primary key, v text)');
    for (const [id, value] of values.entries())
      await exporter.database.sql(`insert into t values (${id}, ${`'${value.replaceAll("'", "''")}'`})`);
    const record = succeeded(
      await exporter.run(exporter.activation({ partitionBy: ['v'], fileName: '{column.v}/out' })),
    );
    assert.deepEqual(
      new Map(record.files.map(({ partition, name }) => [partition!['v'], name.split('/')[0]])),
      new Map([
        ['%2E', '%252E'],
        ['.', '%2E'],
        ['..', '%2E%2E'],
        ['A', 'A'],
        ['_sluice', '%5Fsluice'],
        ['a', 'a'],
        ['a%2Fb', 'a%252Fb'],
        ['a/b', 'a%2Fb'],
        ['\u00e9', '\u00e9'],
        ['q?*"\\', 'q%3F%2A%22%5C'],
        ['tab\t', 'tab%09'],
        ['x.', 'x%2E'],
        ['{part}', '%7Bpart}'],
        ['e\u0301', 'e\u0301'],
      ]),
    );
    for (const { name, rows } of record.files) {
      assert.equal(rows, 1);
      assert.equal((await exporter.lines(name)).length, 2, name);
    }
  }));

test('what is written as a value is what other readers expect: booleans, dates and numbers', () =>
  withExporter(async exporter => {
    await exporter.database.sql(`create table t (id int primary key, b bool, d date, n numeric, at timestamptz);
      insert into t values (1, true, '2025-04-14', 1.0, '2025-04-14 10:00:00+02'), (2, true, '2025-04-14', 1.00, '2025-04-14 10:00:00+02'),
        (3, true, '2025-04-14', 1.0, '2025-04-14 10:00:00+02'), (4, false, null, 1, null)`);
    const partitionBy = ['b', 'd', 'n', 'at'];
    const record = succeeded(await exporter.run(exporter.activation({ partitionBy })));
    assert.deepEqual(
      record.files.map(({ name, rows }) => `${name} ${rows}`),
      [
        'b=false/d=__HIVE_DEFAULT_PARTITION__/n=1/at=__HIVE_DEFAULT_PARTITION__/out.csv 1',
        'b=true/d=2025-04-14/n=1.0/at=2025-04-14 08%3A00%3A00+00/out.csv 2',
        'b=true/d=2025-04-14/n=1.00/at=2025-04-14 08%3A00%3A00+00/out.csv 1',
      ],
    );
  }));

for (const [what, insert, fileName, both] of [
  [
    'NULL and its name',
    `(1, null, ''), (2, '__HIVE_DEFAULT_PARTITION__', '')`,
    'out',
    /a "__HIVE_DEFAULT_PARTITION__", b "" and those with a NULL, b ""/,
  ],
  [
    'the empty text and its name',
    `(1, '', 'x'), (2, '__EMPTY__', 'x')`,
    'out',
    /a "", b "x" and those with a "__EMPTY__", b "x"/,
  ],
  [
    'values that run together',
    `(1, 'x-y', 'z'), (2, 'x', 'y-z')`,
    '{column.a}-{column.b}',
    /a "x", b "y-z" and those with a "x-y", b "z"/,
  ],
] as const) {
  test(`two partitions of one name fail the run and publish nothing: ${what}`, () =>
    withExporter(async exporter => {
      await exporter.database.sql(
        `create table t (id int primary key, a text, b text); insert into t values ${insert}`,
      );
      const settings = { partitionBy: ['a', 'b'], fileName };
      assert.match(await refused(exporter, settings, 'PARTITION_NAMES_MEET'), both);
    }));
}

test('a value may look like a part of another one, as long as there is none', () =>
  withExporter(async exporter => {
    await exporter.database.sql(`create table t (id int primary key, v text);
      insert into t select i, case when i < 4 then 'x' else 'x_part00002' end from generate_series(1, 4) i`);
    const settings = { partitionBy: ['v'], fileName: '{column.v}' };
    succeeded(await exporter.run(exporter.activation(settings)));
    assert.deepEqual(await exporter.files(), ['x.csv', 'x_part00002.csv']);
    const message = await refused(exporter, { ...settings, maxFileRows: 2 }, 'PARTITION_NAMES_MEET');
    assert.match(message, /v "x_part00002" and those with v "x" would both be in x_part00002.csv/);
  }));

test('a value that no name has room for fails the run, and says which', () =>
  withExporter(async exporter => {
    await exporter.database.sql(
      `create table t (id int primary key, v text); insert into t values (1, repeat('x', 2000))`,
    );
    assert.match(
      await refused(exporter, { partitionBy: ['v'] }, 'FILE_NAME_INVALID'),
      /^of the rows with v "x{60}…" the file name .* must not be longer than 1024 characters$/,
    );
  }));

test('more partitions than maxPartitions fail the run, and as many do not', () =>
  withExporter(async exporter => {
    await exporter.database.sql('create table t as select i as id from generate_series(1, 3) i');
    const message = await refused(exporter, { partitionBy: ['id'], maxPartitions: 2 }, 'PARTITIONS_EXCEEDED');
    assert.equal(message, 'the values of id make more than 2 partitions');
    succeeded(await exporter.run(exporter.activation({ partitionBy: ['id'], maxPartitions: 3 })));
  }));

test('limits of size and rows hold per partition, and each part is a whole file', () =>
  withExporter(async exporter => {
    await exporter.database.sql(`create table t as select i as id, i % 2 as v from generate_series(1, 10) i`);
    const activation = exporter.activation({ partitionBy: ['v'], maxFileRows: 2 });
    const record = succeeded(await exporter.run(activation));
    assert.deepEqual(
      record.files.map(({ name, rows }) => `${name} ${rows}`),
      ['v=0', 'v=1'].flatMap(folder => [
        `${folder}/out.csv 2`,
        `${folder}/out_part00002.csv 2`,
        `${folder}/out_part00003.csv 1`,
      ]),
    );
    assert.deepEqual((await exporter.lines('v=1/out_part00003.csv'))[0], 'id,v');
  }));

test('files of partitions that are gone go with a later full run of the same name, and parts that are left', () =>
  withExporter(async exporter => {
    await exporter.database.sql(`create table t as select i as id, i % 3 as v from generate_series(1, 9) i`);
    const activation = exporter.activation({ partitionBy: ['v'], maxFileRows: 2 });
    succeeded(await exporter.run(activation));
    await upload(exporter, 'v=9/out.csv');
    await exporter.database.sql('delete from t where v = 2; delete from t where v = 1 and id > 4');
    const record = succeeded(await exporter.run(activation));
    assert.deepEqual(record.warnings, []);
    assert.deepEqual(await exporter.files(), [
      'v=0/out.csv',
      'v=0/out_part00002.csv',
      'v=1/out.csv',
      'v=9/out.csv',
    ]);
  }));

test('a file of a gone partition that somebody has changed stays, and the run says so', () =>
  withExporter(async exporter => {
    await exporter.database.sql(`create table t as select i as id, i as v from generate_series(1, 2) i`);
    const activation = exporter.activation({ partitionBy: ['v'] });
    succeeded(await exporter.run(activation));
    await upload(exporter, 'v=2/out.csv');
    await exporter.database.sql('delete from t where v = 2');
    const record = succeeded(await exporter.run(activation));
    assert.deepEqual(
      record.warnings.map(({ code, message }) => `${code} ${message}`),
      ['STALE_PARTS_LEFT v=2/out.csv is left of an earlier run: another writer has changed it'],
    );
    assert.deepEqual(await exporter.files(), ['v=1/out.csv', 'v=2/out.csv']);
  }));

test('a run without any row writes the manifest alone', () =>
  withExporter(async exporter => {
    await exporter.database.sql(CREATE);
    const activation = exporter.activation({ partitionBy: ['country'] });
    succeeded(await exporter.run(activation));
    await exporter.database.sql('delete from t');
    const record = succeeded(await exporter.run(activation));
    assert.deepEqual(record.files, []);
    assert.deepEqual(await exporter.files(), []);
    assert.deepEqual((await exporter.manifest('exported'))['files'], []);
  }));

test('onEmpty: skip leaves the files of all partitions where there is no row at all', () =>
  withExporter(async exporter => {
    await exporter.database.sql(CREATE);
    const activation = exporter.activation({ partitionBy: ['country'], onEmpty: 'skip' });
    succeeded(await exporter.run(activation));
    const before = await exporter.files();
    await exporter.database.sql('delete from t');
    succeeded(await exporter.run(activation));
    assert.deepEqual(await exporter.files(), before);
  }));

test('thousands of files that have the same fault do not make thousands of warnings', () =>
  withExporter(async exporter => {
    await exporter.database.sql('create table t as select i as id from generate_series(1, 25) i');
    for (let id = 1; id <= 25; id++) await upload(exporter, `id=${id}/out.csv`);
    const { warnings } = succeeded(await exporter.run(exporter.activation({ partitionBy: ['id'] })));
    assert.equal(warnings.length, 21);
    assert.ok(warnings.every(({ code }) => code === 'FOREIGN_BLOB_OVERWRITTEN'));
    assert.match(warnings.at(-1)!.message, /^5 more of the kind, such as: id=9\/out\.csv was overwritten/);
  }));

for (const ifExists of ['fail', 'skip'] as const) {
  test(`ifExists: ${ifExists} looks at the names of all partitions before anything is published`, () =>
    withExporter(async exporter => {
      await exporter.database.sql(CREATE);
      await upload(exporter, 'country=FR/out.csv');
      const activation = exporter.activation({ partitionBy: ['country'], ifExists });
      const { record } = await exporter.run(activation);
      assert.deepEqual(await exporter.container.list(), ['country=FR/out.csv']);
      if (ifExists === 'fail') {
        assert.equal(record.error?.code, 'DESTINATION_EXISTS');
      } else {
        assert.equal(record.state, 'succeeded');
        assert.deepEqual(record.warnings, [
          { code: 'EXISTS_SKIPPED', message: 'country=FR/out.csv exists: nothing was written' },
        ]);
        assert.deepEqual([record.generation, record.files, record.counts.written], [0, [], 0]);
        await exporter.container.client.deleteBlob('country=FR/out.csv');
        assert.equal(succeeded(await exporter.run(activation)).generation, 1);
      }
    }));
}

test('completion files lie above all partitions, whichever of them have files', () =>
  withExporter(async exporter => {
    await exporter.database.sql(CREATE);
    const activation = exporter.activation({
      partitionBy: ['country'],
      fileName: 'crm/out',
      completion: { success: '_SUCCESS', control: { name: '{file}.ctl', content: '{rows}' } },
    });
    succeeded(await exporter.run(activation));
    await exporter.database.sql(`delete from t where country is distinct from 'FR'`);
    succeeded(await exporter.run(activation));
    assert.deepEqual(await exporter.files(), [
      'crm/_SUCCESS',
      'crm/country=FR/out.csv',
      'crm/country=FR/out.csv.ctl',
    ]);
    await exporter.database.sql('delete from t');
    succeeded(await exporter.run(activation));
    assert.deepEqual(await exporter.files(), ['crm/_SUCCESS']);
  }));

const FORMATS = [
  { type: 'csv' },
  { type: 'csv', compression: 'gzip' },
  { type: 'csv', compression: 'zstd' },
  { type: 'json' },
  { type: 'json', layout: 'lines' },
  { type: 'xml' },
  { type: 'parquet' },
].flatMap(format => ['fast', 'library'].map(engine => ({ ...format, engine })));

for (const format of everyNth(3, FORMATS)) {
  test(`${JSON.stringify(format)}: every partition is a whole file, as verify reads it`, () =>
    withExporter(async exporter => {
      await exporter.database.sql(
        `create table t as select i as id, i % 7 as v, 'n' || i as name, i % 2 = 0 as b from generate_series(1, 500) i`,
      );
      const activation = exporter.activation({ format, partitionBy: ['v', 'b'], maxFileRows: 20 });
      const record = succeeded(await exporter.run(activation));
      assert.equal(record.files.length, 28);
      const { signal } = new AbortController();
      const { findings, files } = await verifyRun({ run: record.run, activations: [activation], signal });
      assert.deepEqual([findings, files.flatMap(file => file.findings)], [[], []]);
      assert.equal(files.length, 28);
    }));
}

test('rows of a JSON source are sorted on disk', () =>
  withExporter(async exporter => {
    const path = join(exporter.dataDirectory, 'rows.ndjson');
    const rows = Array.from({ length: 1000 }, (_, id) =>
      JSON.stringify({ id, v: id % 5 === 0 ? null : id % 5 }),
    );
    await writeFile(path, rows.join('\n'));
    const activation = exporter.activation({
      source: { type: 'json', path, url: undefined },
      model: { primaryKey: ['id'] },
      partitionBy: ['v'],
    });
    const record = succeeded(await exporter.run(activation));
    assert.deepEqual(record.files.map(({ name, part, rows }) => `${name} ${part} ${rows}`).sort(), [
      ...[1, 2, 3, 4].map(v => `v=${v}/out.csv 1 200`),
      'v=__HIVE_DEFAULT_PARTITION__/out.csv 1 200',
    ]);
    const checked = await validate(activation);
    assert.match(
      checked,
      /^passed partitions files by v; the rows are sorted on the disk of the data directory$/m,
    );
  }));

test('run --to writes partitions into the folder', () =>
  withExporter(async exporter => {
    await exporter.database.sql(CREATE);
    const folder = join(exporter.dataDirectory, 'to');
    const settings = { runType: 'full_then_delta', syncMode: 'difference', partitionBy: ['country'] };
    const record = succeeded(await exporter.run(exportTo(exporter.activation(settings), folder)));
    assert.deepEqual(
      record.files.map(({ name }) => name),
      ['__EMPTY__', 'DE', 'FR', '__HIVE_DEFAULT_PARTITION__'].map(value => `country=${value}/out.csv`),
    );
    assert.equal(
      await readFile(join(folder, 'country=FR/out.csv'), 'utf8'),
      'id,country,name\n1,FR,one\n3,FR,three\n',
    );
  }));

test('validate says where values stand in the names, and what the sort costs', () =>
  withExporter(async exporter => {
    await exporter.database.sql(CREATE);
    await exporter.database.sql('analyze t');
    const settings = { partitionBy: ['country', 'id'], completion: { success: 'ok' }, fileName: 'crm/all' };
    const shown = await validate(exporter.activation(settings));
    assert.match(shown, /^passed names crm\/country=\{country\}\/id=\{id\}\/all\.csv, crm\/ok$/m);
    assert.match(
      shown,
      /^passed partitions files by country, id; the server sorts about 5 rows of \d+ bytes, 1 MiB in all; past its work_mem of \w+ it does so on its disk$/m,
    );
    assert.match(
      await validate(exporter.activation({ sql: `select 1 as id, 'x' as "a\\b"`, partitionBy: ['a\\b'] })),
      /^passed names a%5Cb=\{a%5Cb\}\/out\.csv$/m,
    );
    assert.match(
      await validate(exporter.activation({ partitionBy: ['land'] })),
      /^failed mapping partitionBy names "land", and the columns that are written of model m are id, country, name$/m,
    );
  }));

test('with parallel one reader reads, and validate says so', () =>
  withExporter(async exporter => {
    await exporter.database.sql(CREATE);
    const activation = exporter.activation({
      model: { table: 'public.t' },
      partitionBy: ['country'],
      parallel: 4,
    });
    assert.equal(succeeded(await exporter.run(activation)).files.length, 4);
    const { signal } = new AbortController();
    const { notes } = await validateActivation({ activation, offline: false, signal });
    assert.match(
      notes.map(({ message }) => message).join('\n'),
      /partitionBy groups the rows of the whole source/,
    );
  }));

test('preview shows what is written, without the columns of the partition where they are left out', () =>
  withExporter(async exporter => {
    await exporter.database.sql(CREATE);
    const activation = exporter.activation({ partitionBy: ['country'], keepPartitionColumns: false });
    const { columns } = await previewActivation({
      activation,
      rows: 5,
      signal: new AbortController().signal,
    });
    assert.deepEqual(
      columns.map(({ name }) => name),
      ['id', 'name'],
    );
  }));

/** Outcome, name and message of each check, one a line. */
async function validate(activation: ResolvedActivation): Promise<string> {
  const { signal } = new AbortController();
  const { checks } = await validateActivation({ activation, offline: false, signal });
  return checks
    .map(
      check =>
        `${check.outcome} ${check.check} ${check.outcome === 'failed' ? check.error.message : check.message}`,
    )
    .join('\n');
}
