import assert from 'node:assert/strict';
import test from 'node:test';
import { gunzipSync } from 'node:zlib';
import { verifyRun } from '../../src/verify/verify-run.ts';
import { withExporter } from '../support/exporter.ts';

const TABLE = `create table t (id int primary key, name text, price numeric(8,2), data bytea);
  insert into t values (1, E'one\\ntwo', 1.50, '\\x6162'), (2, 'three', null, null)`;

for (const engine of ['fast', 'library']) {
  test(`lineBreaks, decimalSeparator, binary and extension hold from the database to the file (${engine})`, () =>
    withExporter(async exporter => {
      await exporter.database.sql(TABLE);
      const format = {
        type: 'csv',
        engine,
        delimiter: ';',
        lineBreaks: 'space',
        decimalSeparator: ',',
        binary: 'base64',
        extension: 'txt',
      };
      const activation = exporter.activation({ format, maxFileRows: 1 });
      const { record, error } = await exporter.run(activation);
      assert.equal(record.state, 'succeeded', String(error));
      assert.deepEqual(await exporter.files(), ['out.txt', 'out_part00002.txt']);
      assert.deepEqual(await exporter.lines('out.txt'), ['id;name;price;data', '1;one two;1,50;YWI=']);
      assert.deepEqual(await exporter.lines('out_part00002.txt'), ['id;name;price;data', '2;three;;']);
      const [warning, ...others] = record.warnings;
      assert.equal(warning?.code, 'VALUE_COERCED');
      assert.match(warning!.message, /were written as the options say: 1 value in column "name"$/);
      assert.deepEqual(others, []);
      const { run } = record;
      const verified = await verifyRun({
        run,
        activations: [activation],
        signal: new AbortController().signal,
      });
      assert.ok(verified.ok, JSON.stringify(verified));
    }));
}

const EXTENSIONS: [format: Record<string, unknown>, fileName: string, name: string][] = [
  [{ type: 'csv', extension: 'none' }, 'out', 'out'],
  [{ type: 'csv', extension: '.dat', compression: 'gzip' }, 'out', 'out.dat'],
  [{ type: 'csv', extension: 'TXT' }, 'out.txt', 'out.txt'],
  [{ type: 'json', extension: 'jsonl', layout: 'lines' }, 'out', 'out.jsonl'],
  [{ type: 'xml', extension: 'none' }, 'out.feed', 'out.feed'],
  [{ type: 'parquet', extension: 'pq' }, 'out', 'out.pq'],
];

for (const [format, fileName, name] of EXTENSIONS) {
  test(`extension ${format['extension']} of ${format['type']} makes ${fileName} ${name}, which verify reads`, () =>
    withExporter(async exporter => {
      await exporter.database.sql(TABLE);
      const activation = exporter.activation({ format, fileName, sql: 'select id, name from t' });
      const { record, error } = await exporter.run(activation);
      assert.equal(record.state, 'succeeded', String(error));
      assert.deepEqual(await exporter.files(), [name]);
      if (format['compression'] === 'gzip') {
        assert.match(gunzipSync(await exporter.container.download(name)).toString(), /^id,name\n/);
      }
      const { run } = record;
      const verified = await verifyRun({
        run,
        activations: [activation],
        signal: new AbortController().signal,
      });
      assert.ok(verified.ok, JSON.stringify(verified));
    }));
}

for (const encoding of ['utf-16le', 'windows-1252', 'iso-8859-1']) {
  test(`a file in ${encoding} says so in its content type, and verify reads it`, () =>
    withExporter(async exporter => {
      await exporter.database.sql(`create table t (id int, name text); insert into t values (1, 'é ü')`);
      const activation = exporter.activation({ format: { type: 'csv', encoding } });
      const { record, error } = await exporter.run(activation);
      assert.equal(record.state, 'succeeded', String(error));
      const stored = await exporter.container.download('out.csv');
      const name = encoding === 'utf-16le' ? encoding : 'latin1';
      assert.equal(stored.toString(name).replace('\ufeff', ''), 'id,name\n1,é ü\n');
      const { contentType } = await exporter.container.client.getBlobClient('out.csv').getProperties();
      assert.equal(contentType, `text/csv; charset=${encoding}`);
      const { run } = record;
      const verified = await verifyRun({
        run,
        activations: [activation],
        signal: new AbortController().signal,
      });
      assert.ok(verified.ok, JSON.stringify(verified));
    }));
}

test('arrays, and what a format cannot hold, are written as asked from the database to the file', () =>
  withExporter(async exporter => {
    await exporter.database.sql(`create table t (id int primary key, tags text[], at date, n float8);
      insert into t values (1, '{a,"b c"}', 'infinity', 'NaN'), (2, null, '2025-04-14', 1.5)`);
    const run = async (format: object): Promise<string> => {
      const activation = exporter.activation({ format, sql: 'select * from t order by id' });
      const { record, error } = await exporter.run(activation);
      assert.equal(record.state, 'succeeded', String(error));
      const warnings = record.warnings.map(({ code, message }) => `${code} ${message}`);
      const [{ name } = { name: '' }] = record.files ?? [];
      return `${(await exporter.container.download(name)).toString('latin1')}${warnings.join()}`;
    };
    assert.equal(
      await run({ type: 'json', layout: 'lines', arrays: 'json', onUnrepresentable: 'null' }),
      '{"id":1,"tags":["a","b c"],"at":"infinity","n":null}\n{"id":2,"tags":null,"at":"2025-04-14","n":1.5}\n' +
        'VALUE_COERCED JSON has no number for NaN and the infinities, for which NULL was written: 1 value in column "n"',
    );
    assert.match(
      await run({ type: 'parquet', onUnrepresentable: 'null' }),
      /PAR1VALUE_COERCED Parquet cannot hold some values, for which NULL was written: 1 value in column "at"$/,
    );
    const { error } = await exporter.run(exporter.activation({ format: { type: 'parquet' } }));
    assert.match(String(error), /column "at", row 1 of the file: infinity is not a date/);
  }));
