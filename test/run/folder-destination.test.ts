import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { exportTo } from '../../src/run/export-to.ts';
import { type Exporter, withExporter } from '../support/exporter.ts';

async function inFolder(
  use: (
    exporter: Exporter,
    folder: string,
    settings: { destination: Record<string, unknown> },
  ) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-out-'));
  try {
    await withExporter(async exporter => {
      await exporter.database.sql('create table t (id int primary key, v text)');
      await exporter.database.sql("insert into t values (1, 'a'), (2, 'b')");
      await use(exporter, folder, { destination: { type: 'folder', path: folder } });
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const text = (folder: string, name: string): Promise<string> => readFile(join(folder, name), 'utf8');
const visible = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter(entry => entry.isFile() && !entry.parentPath.includes('.sluice-store'))
    .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();

describe('a folder as the destination', () => {
  test('a folder under the name of a partition is found before any partition is published', () =>
    inFolder(async (exporter, folder, own) => {
      const activation = exporter.activation({ ...own, partitionBy: ['v'] });
      await mkdir(join(folder, 'v=b/out.csv'), { recursive: true });
      const { record } = await exporter.run(activation);
      assert.equal(record.error?.code, 'DESTINATION_REFUSED');
      assert.equal(record.error.message, 'v=b/out.csv is a directory, which no file can replace');
      assert.deepEqual(await visible(folder), []);
      await rm(join(folder, 'v=b/out.csv'), { recursive: true });
      // It has nothing to finish.
      const next = await exporter.run(activation);
      assert.deepEqual([next.record.state, next.recovered], ['succeeded', []]);
    }));

  test('holds full runs and deltas, with manifests that describe them', () =>
    inFolder(async (exporter, folder, own) => {
      const activation = exporter.activation({
        ...own,
        runType: 'full_then_delta',
        syncMode: 'difference',
        fileName: 'crm/{kind}',
      });
      const { record: first } = await exporter.run(activation);
      assert.equal(first.state, 'succeeded', JSON.stringify(first.error));
      assert.equal(await text(folder, 'crm/full_added.csv'), 'id,v\n1,a\n2,b\n');
      await exporter.database.sql("update t set v = 'c' where id = 1");
      await exporter.database.sql('delete from t where id = 2');
      const { record } = await exporter.run(activation);
      assert.equal(await text(folder, 'crm/delta_updated.csv'), 'id,v\n1,c\n');
      assert.equal(await text(folder, 'crm/delta_removed.csv'), 'id,v\n2,b\n');
      const latest = JSON.parse(await text(folder, '_sluice/exported/latest.json'));
      assert.equal(latest.run, record.run);
      for (const { name, bytes, sha256 } of latest.files) {
        const content = await readFile(join(folder, name));
        assert.equal(content.length, bytes);
        assert.equal(createHash('sha256').update(content).digest('hex'), sha256);
      }
    }));

  test('a file is continued by each delta', () =>
    inFolder(async (exporter, folder, own) => {
      const activation = exporter.activation({
        ...own,
        runType: 'full_then_delta',
        syncMode: 'insert',
        ifExists: 'append',
      });
      await exporter.run(activation);
      await exporter.database.sql("insert into t values (3, 'd')");
      const { record } = await exporter.run(activation);
      assert.equal(record.state, 'succeeded', JSON.stringify(record.error));
      assert.equal(await text(folder, 'out.csv'), 'id,v\n1,a\n2,b\n3,d\n');
    }));

  test('a file of somebody else is left alone where that was asked for', () =>
    inFolder(async (exporter, folder, own) => {
      await writeFile(join(folder, 'out.csv'), 'precious');
      const activation = exporter.activation({ ...own, runType: 'full_only', ifExists: 'fail' });
      const { record } = await exporter.run(activation);
      assert.equal(record.error?.code, 'DESTINATION_EXISTS');
      assert.equal(await text(folder, 'out.csv'), 'precious');
    }));

  test('a part that the next run no longer needs is removed', () =>
    inFolder(async (exporter, folder, own) => {
      const settings = { ...own, runType: 'full_only', maxFileRows: 1 };
      await exporter.run(exporter.activation(settings));
      assert.deepEqual(
        (await visible(folder)).filter(name => name.startsWith('out')),
        ['out.csv', 'out_part00002.csv'],
      );
      await exporter.database.sql('delete from t where id = 2');
      await exporter.run(exporter.activation(settings));
      assert.deepEqual(
        (await visible(folder)).filter(name => name.startsWith('out')),
        ['out.csv'],
      );
    }));

  for (const format of ['json', 'xml', 'parquet'])
    test(`holds ${format}`, () =>
      inFolder(async (exporter, folder, own) => {
        const activation = exporter.activation({ ...own, runType: 'full_only', format: { type: format } });
        const { record } = await exporter.run(activation);
        assert.equal(record.state, 'succeeded', JSON.stringify(record.error));
        const content = await readFile(join(folder, record.files[0]!.name));
        assert.equal(content.length, record.files[0]!.bytes);
      }));
});

describe('an export to a folder', () => {
  test('writes every row there, and leaves destination and baseline alone', () =>
    inFolder(async (exporter, folder) => {
      const activation = exporter.activation({ runType: 'full_then_delta', syncMode: 'difference' });
      await exporter.run(activation);
      const [before, blobs] = [
        await readdir(exporter.dataDirectory, { recursive: true }),
        await exporter.container.list(),
      ];
      await exporter.database.sql("insert into t values (3, 'd')");
      const { record } = await exporter.run(exportTo(activation, folder));
      assert.equal(record.state, 'succeeded', JSON.stringify(record.error));
      assert.equal(record.to, folder);
      assert.equal(await text(folder, 'out.csv'), 'id,v\n1,a\n2,b\n3,d\n');
      assert.deepEqual(await readdir(exporter.dataDirectory, { recursive: true }), before);
      assert.deepEqual(await exporter.container.list(), blobs);
      // The next delta has what it would have had.
      const { record: delta } = await exporter.run(activation);
      assert.deepEqual([delta.counts.added, delta.counts.unchanged], [1, 2]);
    }));

  test('takes the place of what it wrote before', () =>
    inFolder(async (exporter, folder) => {
      const activation = exportTo(
        exporter.activation({ runType: 'full_then_delta', ifExists: 'append', syncMode: 'insert' }),
        folder,
      );
      await exporter.run(activation);
      await exporter.database.sql('delete from t where id = 1');
      const { record } = await exporter.run(activation);
      assert.equal(record.state, 'succeeded', JSON.stringify(record.error));
      assert.equal(await text(folder, 'out.csv'), 'id,v\n2,b\n');
      await unlink(join(folder, 'out.csv'));
      assert.equal((await exporter.run(activation)).record.state, 'succeeded');
    }));
});
