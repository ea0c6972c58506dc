/**
 * What a database without an encoding may hold: every format takes it as documented, or
 * says what helps.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { SluiceError } from '../../src/errors.ts';
import { Exporter } from '../support/exporter.ts';

let exporter: Exporter;
let source: { url: string };
before(async () => {
  exporter = await Exporter.open();
  const name = `${exporter.database.name}_ascii`;
  await exporter.database.sql(
    `create database ${name} encoding 'SQL_ASCII' template template0 lc_collate 'C' lc_ctype 'C'`,
  );
  const url = new URL(exporter.database.url);
  url.pathname = `/${name}`;
  source = { url: url.href };
});
after(async () => {
  await exporter.database.sql(`drop database ${exporter.database.name}_ascii with (force)`);
  await exporter.close();
});

const MODEL = `select 1 as id, 'plain' as v union all select 2, E'caf\\xe9' order by id`;
const TYPES = ['csv', 'json', 'xml', 'parquet'];

for (const type of TYPES) {
  for (const engine of ['fast', 'library']) {
    const given = { fileName: `${type}-${engine}`, primaryKey: [], format: { type, engine } };

    if (type === 'csv' && engine === 'fast') {
      test('csv writes bytes that are not UTF-8 as they are, engine fast', async () => {
        const { record, error } = await exporter.run(exporter.activation({ ...given, source, sql: MODEL }));
        assert.equal(record.state, 'succeeded', String(error));
        const bytes = await exporter.container.download('csv-fast.csv');
        assert.equal(bytes.toString('latin1'), 'id,v\n1,plain\n2,café\n');
      });
      continue;
    }

    test(`${type} refuses bytes that are not UTF-8, engine ${engine}, and the hint helps`, async () => {
      const refused = await exporter.run(exporter.activation({ ...given, source, sql: MODEL }));
      const error = refused.error as SluiceError;
      assert.equal(error.code, 'VALUE_NOT_EXPRESSIBLE');
      assert.match(error.message, /column "v"/);
      assert.match(error.message, /row 2/);
      assert.equal(/engine: fast/.test(error.hint), type === 'csv', error.hint);
      assert.deepEqual(await exporter.container.list(given.fileName), []);

      const [expression] = /convert_from\(.*'UTF8'\)/.exec(error.hint) ?? [];
      const sql = `select id, ${expression} as v from (${MODEL}) m order by id`;
      const { record, error: again } = await exporter.run(exporter.activation({ ...given, source, sql }));
      assert.equal(record.state, 'succeeded', String(again));
      const bytes = await exporter.container.download(record.files[0]!.name);
      assert.ok(bytes.includes('café'));
    });
  }
}
