import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import test from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { ResolvedActivation } from '../../src/config/activation.ts';
import { parquetFormat } from '../../src/config/schema/schema-formats.ts';
import { ParquetEncoder } from '../../src/encoders/parquet/parquet.ts';
import { readParquet } from '../../src/encoders/parquet/parquet-reader.ts';
import type { FileContents } from '../../src/encoders/reading/file-reader.ts';
import type { RunRecord } from '../../src/history/run-record.ts';
import { type Verification, verifyRun } from '../../src/verify/verify-run.ts';
import { batchOf, column } from '../conformance/encoding.ts';
import { writeFile } from '../conformance/parquet-parts.ts';
import { everyNth } from '../support/all-cases.ts';
import { type Exporter, withExporter } from '../support/exporter.ts';

const TABLE = `create table t (id int primary key, "a name" text, doc jsonb, at timestamptz, flag boolean);
  insert into t select i, case i % 5 when 0 then null when 1 then '' when 2 then E'a "quoted", line\\nbreak;é' else 'n' || i end,
    jsonb_build_object('id', i, 'deep', jsonb_build_array(jsonb_build_object('x', null))),
    '2025-04-14 07:00:00.123456Z'::timestamptz, i % 2 = 0
  from generate_series(1, 1000) i`;

async function exported(
  exporter: Exporter,
  settings: Record<string, unknown>,
): Promise<{ activation: ResolvedActivation; record: RunRecord }> {
  await exporter.database.sql(TABLE);
  const activation = exporter.activation(settings);
  const { record, error } = await exporter.run(activation);
  assert.equal(record.state, 'succeeded', String(error));
  return { activation, record };
}

function verify(run: string, ...activations: ResolvedActivation[]): Promise<Verification> {
  return verifyRun({ run, activations, signal: new AbortController().signal });
}

/** Codes of the manifest's findings, then those of each file. */
function codes({ findings, files }: Verification): string[][] {
  return [findings, ...files.map(file => file.findings)].map(list => list.map(({ code }) => code));
}

const FORMATS: Record<string, unknown>[] = [
  { type: 'csv' },
  {
    type: 'csv',
    delimiter: '||',
    quote: 'always',
    lineEnding: 'crlf',
    bom: true,
    quoteChar: "'",
    escapeChar: '\\',
  },
  { type: 'csv', header: false, nullText: 'NULL', escapeFormulas: true },
  { type: 'csv', compression: 'gzip' },
  { type: 'csv', compression: 'zstd' },
  { type: 'json', compression: 'zstd', level: 19 },
  { type: 'json' },
  { type: 'json', nulls: 'omit', compression: 'gzip' },
  { type: 'json', layout: 'lines' },
  { type: 'json', layout: 'lines', numbers: 'string', compression: 'gzip' },
  { type: 'xml' },
  { type: 'xml', nulls: 'omit', indent: true, root: 'all', row: 'one', compression: 'gzip' },
];
for (const [format, engine] of everyNth(
  3,
  FORMATS.flatMap(format => ['fast', 'library'].map(engine => [format, engine] as const)),
)) {
  test(`finds a split export of ${JSON.stringify(format)} by engine ${engine} as it was published`, () =>
    withExporter(async exporter => {
      const { activation, record } = await exported(exporter, {
        format: { ...format, engine },
        maxFileRows: 400,
      });
      const verification = await verify(record.run, activation);
      assert.deepEqual(codes(verification), [[], [], [], []]);
      assert.equal(verification.ok, true);
    }));
}

for (const format of [
  { type: 'csv' },
  { type: 'json' },
  { type: 'json', layout: 'lines' },
  { type: 'xml' },
]) {
  test(`finds the three files of a difference, of which some are empty, good (${JSON.stringify(format)})`, () =>
    withExporter(async exporter => {
      const settings = { format, runType: 'full_then_delta', syncMode: 'difference', fileName: '{run}' };
      const first = await exported(exporter, settings);
      assert.deepEqual(codes(await verify(first.record.run, first.activation)), [[], [], [], []]);
      await exporter.database.sql('delete from t where id = 7; update t set flag = null where id = 8');
      const { record } = await exporter.run(first.activation);
      assert.deepEqual(codes(await verify(record.run, first.activation)), [[], [], [], []]);
      assert.equal((await verify(first.record.run, first.activation)).ok, true);
    }));
}

test('finds what a run appended to a file good, and says of the run before that the file went on', () =>
  withExporter(async exporter => {
    for (const [index, format] of [
      { type: 'csv', header: false },
      { type: 'json' },
      { type: 'json', compression: 'gzip' },
      { type: 'xml', compression: 'gzip' },
    ].entries()) {
      const name = `append_${index}`;
      const settings = { runType: 'full_then_delta', syncMode: 'insert', ifExists: 'append', fileName: name };
      await exporter.database.sql('drop table if exists t');
      const first = await exported(exporter, { ...settings, name, format });
      assert.deepEqual(codes(await verify(first.record.run, first.activation)), [[], []]);
      await exporter.database.sql(`insert into t select i, 'later' from generate_series(1001, 1010) i`);
      const { record } = await exporter.run(first.activation);
      assert.deepEqual(codes(await verify(record.run, first.activation)), [[], []]);
      assert.deepEqual(codes(await verify(first.record.run, first.activation)), [[], ['OVERWRITTEN']]);
    }
  }));

/**
 * Uploads other bytes under the name, with the metadata that Sluice had given it, or
 * without.
 */
async function replace(
  exporter: Exporter,
  name: string,
  bytes: Buffer,
  keepMetadata: boolean,
): Promise<void> {
  const client = exporter.container.client.getBlockBlobClient(name);
  const { metadata } = await client.getProperties();
  await client.uploadData(bytes, keepMetadata && metadata ? { metadata } : {});
}

const DAMAGE: { what: string; change: (bytes: Buffer) => Buffer; finds: Record<string, string[]> }[] = [
  {
    what: 'cut off',
    change: bytes => bytes.subarray(0, bytes.length - 30),
    finds: {
      csv: ['CHANGED', 'BYTES', 'UNREADABLE', 'CRC64', 'SHA256'],
      json: ['CHANGED', 'BYTES', 'UNREADABLE', 'CRC64', 'SHA256'],
      lines: ['CHANGED', 'BYTES', 'UNREADABLE', 'CRC64', 'SHA256'],
      xml: ['CHANGED', 'BYTES', 'UNREADABLE', 'CRC64', 'SHA256'],
      gzip: ['CHANGED', 'BYTES', 'UNREADABLE', 'CRC64', 'SHA256'],
    },
  },
  {
    what: 'changed in one byte',
    change: bytes => {
      const changed = Buffer.from(bytes);
      const at = bytes.indexOf('n998');
      changed[at < 0 ? bytes.length >> 1 : at]! ^= at < 0 ? 0xff : 1;
      return changed;
    },
    finds: {
      csv: ['CHANGED', 'CRC64', 'SHA256'],
      json: ['CHANGED', 'CRC64', 'SHA256'],
      lines: ['CHANGED', 'CRC64', 'SHA256'],
      xml: ['CHANGED', 'CRC64', 'SHA256'],
      gzip: ['CHANGED', 'UNREADABLE', 'CRC64', 'SHA256'],
    },
  },
  {
    what: 'robbed of a row',
    change: bytes => {
      if (bytes[0] === 0x1f) return gzipSync(withoutRow(gunzipSync(bytes)));
      return withoutRow(bytes);
    },
    finds: {
      csv: ['CHANGED', 'BYTES', 'CRC64', 'SHA256', 'ROWS'],
      json: ['CHANGED', 'BYTES', 'CRC64', 'SHA256', 'ROWS'],
      lines: ['CHANGED', 'BYTES', 'CRC64', 'SHA256', 'ROWS'],
      xml: ['CHANGED', 'BYTES', 'CRC64', 'SHA256', 'ROWS'],
      gzip: ['CHANGED', 'BYTES', 'CRC64', 'SHA256', 'ROWS'],
    },
  },
  {
    what: 'given another column name',
    change: bytes => {
      const text = (bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString('latin1');
      const renamed = Buffer.from(text.replace('flag', 'flab').replace('/flag', '/flab'), 'latin1');
      return bytes[0] === 0x1f ? gzipSync(renamed) : renamed;
    },
    finds: {
      csv: ['CHANGED', 'CRC64', 'SHA256', 'COLUMNS'],
      json: ['CHANGED', 'CRC64', 'SHA256', 'COLUMNS'],
      lines: ['CHANGED', 'CRC64', 'SHA256', 'COLUMNS'],
      xml: ['CHANGED', 'CRC64', 'SHA256', 'COLUMNS'],
      gzip: ['CHANGED', 'BYTES', 'CRC64', 'SHA256', 'COLUMNS'],
    },
  },
];

/** Row 3, whose values hold no line break. */
function withoutRow(file: Buffer): Buffer {
  const text = file.toString('latin1');
  const [row] =
    /^3,.*\n/m.exec(text) ??
    /^,?\{"id":3,.*\},?\n/m.exec(text) ??
    /^ *<row><id>3<.*<\/row>\n/m.exec(text) ??
    [];
  assert.ok(row !== undefined, text.slice(0, 600));
  return Buffer.from(text.replace(row, ''), 'latin1');
}

const DAMAGED_FORMATS: Record<string, Record<string, unknown>> = {
  csv: { type: 'csv' },
  json: { type: 'json' },
  lines: { type: 'json', layout: 'lines' },
  xml: { type: 'xml' },
  gzip: { type: 'csv', compression: 'gzip' },
};
for (const [{ what, change, finds }, [kind, format]] of everyNth(
  3,
  DAMAGE.flatMap(damage => Object.entries(DAMAGED_FORMATS).map(format => [damage, format] as const)),
)) {
  test(`finds a file (${kind}) that was ${what}`, () =>
    withExporter(async exporter => {
      const { activation, record } = await exported(exporter, { format });
      const { name } = record.files[0]!;
      await replace(exporter, name, change(await exporter.container.download(name)), true);
      const verification = await verify(record.run, activation);
      assert.equal(verification.ok, false);
      const found = codes(verification)[1]!;
      // Compressing again may by chance give as many bytes.
      if (kind === 'gzip') assert.deepEqual(withoutBytes(found), withoutBytes(finds[kind]!));
      else assert.deepEqual(found, finds[kind]);
    }));
}

function withoutBytes(found: readonly string[]): string[] {
  return found.filter(code => code !== 'BYTES');
}

test('tells a foreign writer, a later run, changed properties and a deleted file apart', () =>
  withExporter(async exporter => {
    const { activation, record } = await exported(exporter, { maxFileRows: 300 });
    const [foreign, touched, deleted] = record.files.map(({ name }) => name) as [string, string, string];
    await replace(exporter, foreign, Buffer.from('id\n1\n'), false);
    await exporter.container.client
      .getBlockBlobClient(touched)
      .setHTTPHeaders({ blobContentType: 'text/plain' });
    await exporter.container.client.deleteBlob(deleted);
    const verification = await verify(record.run, activation);
    assert.deepEqual(
      [codes(verification)[1]?.[0], ...codes(verification).slice(2)],
      ['CHANGED', ['CHANGED'], ['FILE_MISSING'], []],
    );
    assert.match(verification.files[0]!.findings[0]!.message, /which is not Sluice, replaced it/);
    await exporter.run(activation);
    const later = codes(await verify(record.run, activation)).slice(1);
    assert.deepEqual(later, [['OVERWRITTEN'], ['OVERWRITTEN'], ['OVERWRITTEN'], ['OVERWRITTEN']]);
  }));

test('finds a missing, a damaged and a forged manifest', () =>
  withExporter(async exporter => {
    const { activation, record } = await exported(exporter, {});
    const name = `_sluice/exported/${record.run}.json`;
    const client = exporter.container.client.getBlockBlobClient(name);
    const manifest = await exporter.manifest('exported', record.run);
    await client.uploadData(Buffer.from(JSON.stringify({ ...manifest, files: [] })));
    assert.deepEqual(codes(await verify(record.run, activation)), [
      ['MANIFEST_DAMAGED', 'MANIFEST_DAMAGED', 'MANIFEST_DIFFERS'],
    ]);
    await client.uploadData(Buffer.from('{'));
    assert.deepEqual(codes(await verify(record.run, activation)), [['MANIFEST_DAMAGED'], []]);
    await client.delete();
    assert.deepEqual(codes(await verify(record.run, activation)), [['MANIFEST_MISSING'], []]);
    // Nothing local: whoever names the activation is told what is missing, others that
    // nobody knows the run.
    await rm(join(exporter.dataDirectory, 'activations'), { recursive: true });
    assert.deepEqual(codes(await verify(record.run, activation)), [['MANIFEST_MISSING']]);
    const other = exporter.activation({ name: 'other' });
    await assert.rejects(verify(record.run, activation, other), { code: 'NAME_UNKNOWN' });
  }));

test('finds the activation of a run by its id alone, with and without a local history', () =>
  withExporter(async exporter => {
    const other = exporter.activation({ name: 'other', fileName: 'other' });
    const { activation, record } = await exported(exporter, { destination: { folder: 'deep/er' } });
    assert.equal((await verify(record.run, other, activation)).activation, 'exported');
    await rm(join(exporter.dataDirectory, 'activations'), { recursive: true });
    const verification = await verify(record.run, other, activation);
    assert.deepEqual([verification.activation, verification.ok], ['exported', true]);
    assert.equal(verification.manifest, `deep/er/_sluice/exported/${record.run}.json`);
  }));

test('checks a run without a manifest against the local history', () =>
  withExporter(async exporter => {
    const { activation, record } = await exported(exporter, { manifest: false });
    assert.deepEqual(codes(await verify(record.run, activation)), [[], []]);
    await exporter.container.client.deleteBlob(record.files[0]!.name);
    assert.deepEqual(codes(await verify(record.run, activation)), [[], ['FILE_MISSING']]);
  }));

test('says of a run that failed that it published nothing', () =>
  withExporter(async exporter => {
    const activation = exporter.activation({ sql: 'select * from nowhere' });
    const { record } = await exporter.run(activation);
    await assert.rejects(verify(record.run, activation), { code: 'USAGE', message: /published nothing/ });
  }));

test('reads a file of many megabytes piece by piece', () =>
  withExporter(async exporter => {
    await exporter.database.sql(
      `create table t as select i as id, repeat(md5(i::text), 300) as name from generate_series(1, 1500) i`,
    );
    const activation = exporter.activation({});
    const { record } = await exporter.run(activation);
    assert.ok(record.files[0]!.bytes > 13_000_000);
    assert.equal((await verify(record.run, activation)).ok, true);
  }));

const PARQUET_COLUMNS = [column('id', 'int32'), column('text'), column('at', 'timestamptz')];
for (const compression of ['snappy', 'zstd', 'gzip', 'none'] as const) {
  test(`reads every value of a Parquet file, and finds what is damaged in it (${compression})`, async () => {
    const format = parquetFormat.parse({ type: 'parquet', compression, rowGroupRows: 300 });
    const rows = Array.from({ length: 1000 }, (_, i) => [
      String(i),
      i % 7 === 0 ? null : `text ${i}`,
      '2025-04-14 07:00:00.123456+00',
    ]);
    const file = await writeFile(() => new ParquetEncoder(PARQUET_COLUMNS, format), [batchOf(rows)]);
    const read = async (bytes: Buffer, columns = ['id', 'text', 'at']): Promise<FileContents> => {
      const pieces = [bytes.subarray(0, 1000), bytes.subarray(1000)];
      return readParquet(Readable.from(pieces), { format, columns });
    };
    assert.deepEqual(await read(file), { rows: 1000, columnProblem: undefined });
    assert.match(
      (await read(file, ['id', 'texts', 'at'])).columnProblem!,
      /"text" where "texts" is expected/,
    );
    assert.match((await read(file, ['id', 'text'])).columnProblem!, /no further column/);
    await assert.rejects(read(file.subarray(0, file.length - 30)));
    await assert.rejects(read(file.subarray(0, file.length - 8)));
    const zeroed = Buffer.from(file);
    zeroed.fill(0xff, 30, 400);
    // Plain values that are wrong are still values: those are the checksums' business.
    if (compression !== 'none') await assert.rejects(read(zeroed));
  });
}

test('reads files by the options that they were written with, whatever the configuration says now', () =>
  withExporter(async exporter => {
    const written = { type: 'csv', delimiter: '||', quoteChar: "'", header: false, lineEnding: 'crlf' };
    const { record } = await exported(exporter, { format: written });
    const now = exporter.activation({ format: { type: 'csv' } });
    assert.deepEqual(codes(await verify(record.run, now)), [[], []]);
    // Where a manifest does not say it, only the configuration does.
    const name = `_sluice/exported/${record.run}.json`;
    const { format, ...older } = (await exporter.manifest('exported', record.run)) as {
      format: { type: string };
    };
    assert.equal(format.type, 'csv');
    const text = JSON.stringify(older);
    await exporter.container.client.getBlockBlobClient(name).upload(text, text.length);
    assert.notDeepEqual(codes(await verify(record.run, now)), [[], []]);
    const wrong = JSON.stringify({ ...older, format: { type: 'csv', delimiter: 7 } });
    await exporter.container.client.getBlockBlobClient(name).upload(wrong, wrong.length);
    assert.deepEqual(codes(await verify(record.run, now))[0], ['MANIFEST_DAMAGED']);
  }));

test('finds a content type of another kind of file, and lets one be that somebody chose', () =>
  withExporter(async exporter => {
    const { activation, record } = await exported(exporter, { format: { type: 'parquet' }, fileName: 't' });
    const { name } = record.files[0]!;
    const client = exporter.container.client.getBlobClient(name);
    for (const [contentType, found] of [
      ['application/gzip', ['CHANGED', 'CONTENT_TYPE']],
      ['text/csv; charset=utf-8', ['CHANGED', 'CONTENT_TYPE']],
      ['text/x-own', ['CHANGED']],
    ] as const) {
      await client.setHTTPHeaders({ blobContentType: contentType });
      assert.deepEqual(codes(await verify(record.run, activation)), [[], found], contentType);
    }
  }));
