import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import type { ResolvedActivation } from '../../src/config/activation.ts';
import { SluiceError } from '../../src/errors.ts';
import type { ExportResult } from '../../src/run/export-run.ts';
import type { BlobStore } from '../../src/sinks/sink.ts';
import { everyNth } from '../support/all-cases.ts';
import { storeWith } from '../support/blob-store-with.ts';
import { type Exporter, withExporter } from '../support/exporter.ts';

/**
 * Runs that append, are decided, and can never be published whole, since somebody else
 * takes the name of their second part. What they had appended to the first must be gone,
 * whatever the next run is.
 */

/** Far enough for no run to warn of it. */
const IN_A_MONTH = new Date(Date.now() + 30 * 86_400_000);

const APPEND = { runType: 'full_then_delta', syncMode: 'insert', ifExists: 'append', maxFileRows: 7 };

/**
 * The rows 1 to 6 are published; a run that adds 7 to 9 is withdrawn after it has
 * committed 7 to the first part.
 */
async function withWithdrawn(
  settings: Record<string, unknown>,
  act: (subject: {
    readonly exporter: Exporter;
    readonly activation: ResolvedActivation;
    readonly run: (activation?: ResolvedActivation, full?: boolean) => Promise<ExportResult>;
  }) => Promise<void>,
  own: (store: BlobStore) => Partial<BlobStore> = () => ({}),
): Promise<void> {
  await withExporter(async exporter => {
    const activation = exporter.activation({ ...APPEND, ...settings });
    await exporter.database.sql(
      `create table t (id int primary key, name text); insert into t select i, 'n' || i from generate_series(1, 6) i`,
    );
    const run = async (which = activation, full = false): Promise<ExportResult> => {
      const result = await exporter.run(which, { full });
      assert.equal(result.record.state, 'succeeded', String(result.error));
      return result;
    };
    await run();
    await exporter.database.sql(`insert into t select i, 'n' || i from generate_series(7, 9) i`);
    const extension = (settings['format'] as { type: string } | undefined)?.type ?? 'csv';
    const foreign = exporter.container.client.getBlockBlobClient(`out_part00002.${extension}`);
    const { record } = await exporter.run(activation, {
      intercept: parts => ({
        ...parts,
        store: storeWith(parts.store, {
          ...own(parts.store),
          commitBlocks: async (name, ...rest) => {
            if (name === foreign.name) await foreign.upload('foreign', 7);
            return parts.store.commitBlocks(name, ...rest);
          },
        }),
      }),
    });
    assert.equal(record.error?.code, 'DESTINATION_EXISTS');
    await foreign.delete();
    await act({ exporter, activation, run });
  });
}

const ids = async (exporter: Exporter, name: string): Promise<number[]> =>
  (await exporter.lines(name)).slice(1).map(line => Number(line.split(',')[0]));

test('a run that is withdrawn takes back at once what it had appended', () =>
  withWithdrawn({}, async ({ exporter }) => {
    assert.deepEqual(await exporter.files(), ['out.csv']);
    assert.deepEqual(await ids(exporter, 'out.csv'), [1, 2, 3, 4, 5, 6]);
  }));

for (const type of everyNth(2, ['json', 'xml'])) {
  test(`the end of the document is there again: ${type}`, () =>
    withWithdrawn({ format: { type } }, async ({ exporter, run }) => {
      const taken = (await exporter.container.download(`out.${type}`)).toString();
      assert.doesNotMatch(taken, /n7/);
      if (type === 'json') assert.equal((JSON.parse(taken) as unknown[]).length, 6);
      else assert.match(taken, /n6<\/name><\/row>\n<\/rows>\n$/);
      await run();
      const gone = (await exporter.container.download(`out.${type}`)).toString();
      if (type === 'json') assert.equal((JSON.parse(gone) as unknown[]).length, 7);
      else assert.match(gone, /n6<\/name><\/row>\n.*n7.*\n<\/rows>\n$/);
    }));
}

test('nor are its rows there when the next run has nothing to write', () =>
  withWithdrawn({}, async ({ exporter, run }) => {
    await exporter.database.sql('delete from t where id > 6');
    await run();
    assert.deepEqual(await ids(exporter, 'out.csv'), [1, 2, 3, 4, 5, 6]);
    await exporter.database.sql(`insert into t values (7, 'later')`);
    await run();
    assert.deepEqual(await ids(exporter, 'out.csv'), [1, 2, 3, 4, 5, 6, 7]);
  }));

test('where it could not take them back, the next run does, though it has nothing to write', () => {
  let looked = 0;
  const own = (store: BlobStore): Partial<BlobStore> => ({
    // Looked at when the run is planned, and not to be seen any more when it is
    // withdrawn.
    head: async name => (name === 'out.csv' && ++looked > 1 ? undefined : store.head(name)),
  });
  return withWithdrawn(
    {},
    async ({ exporter, run }) => {
      assert.deepEqual(await ids(exporter, 'out.csv'), [1, 2, 3, 4, 5, 6, 7]);
      await exporter.database.sql('delete from t where id > 6');
      const { record } = await run();
      assert.deepEqual(
        record.files.map(({ name, rows, appended }) => [name, rows, appended?.fromRow]),
        [['out.csv', 6, 6]],
      );
      assert.deepEqual(await ids(exporter, 'out.csv'), [1, 2, 3, 4, 5, 6]);
      // Once it is published there is nothing to take back any more.
      assert.deepEqual((await run()).record.files, []);
    },
    own,
  );
});

test('a part that may not be deleted is emptied, and written by the next run', () =>
  withExporter(async exporter => {
    const { accountUrl, container } = exporter.container;
    const destination = {
      accountUrl,
      container,
      auth: { sasToken: exporter.container.sas('rwl', IN_A_MONTH) },
    };
    const activation = exporter.activation({ ...APPEND, maxFileRows: 3, destination });
    await exporter.database.sql(
      `create table t (id int primary key, name text); insert into t select i, 'n' || i from generate_series(1, 3) i`,
    );
    assert.equal((await exporter.run(activation)).record.state, 'succeeded');
    await exporter.database.sql(`insert into t select i, 'n' || i from generate_series(4, 8) i`);
    const foreign = exporter.container.client.getBlockBlobClient('out_part00003.csv');
    const { record } = await exporter.run(activation, {
      intercept: parts => ({
        ...parts,
        store: storeWith(parts.store, {
          commitBlocks: async (name, ...rest) => {
            if (name === foreign.name) await foreign.upload('foreign', 7);
            return parts.store.commitBlocks(name, ...rest);
          },
        }),
      }),
    });
    assert.equal(record.error?.code, 'DESTINATION_EXISTS');
    await foreign.delete();
    assert.deepEqual(await exporter.files(), ['out.csv', 'out_part00002.csv']);
    assert.equal((await exporter.container.download('out_part00002.csv')).length, 0);
    await exporter.database.sql('delete from t where id > 4');
    assert.equal((await exporter.run(activation)).record.state, 'succeeded');
    assert.deepEqual(await ids(exporter, 'out.csv'), [1, 2, 3]);
    assert.deepEqual(await exporter.lines('out_part00002.csv'), ['id,name', '4,n4']);
  }));

test('a full run that could not be finished leaves no file that a delta would go on with', () =>
  withExporter(async exporter => {
    const activation = exporter.activation({ ...APPEND, maxFileRows: 3 });
    await exporter.database.sql(
      `create table t (id int primary key, name text); insert into t select i, 'n' || i from generate_series(1, 5) i`,
    );
    assert.equal((await exporter.run(activation)).record.state, 'succeeded');
    const part = exporter.container.client.getBlockBlobClient('out_part00002.csv');
    const { record } = await exporter.run(activation, {
      full: true,
      intercept: parts => ({
        ...parts,
        store: storeWith(parts.store, {
          commitBlocks: async (name, ...rest) => {
            if (name === part.name) await part.upload('foreign', 7);
            return parts.store.commitBlocks(name, ...rest);
          },
        }),
      }),
    });
    assert.equal(record.error?.code, 'DESTINATION_CONFLICT');
    await part.delete();
    await exporter.database.sql(`insert into t values (6, 'n6')`);
    const { record: delta } = await exporter.run(activation);
    assert.equal(delta.error?.code, 'DESTINATION_REFUSED');
    assert.match(delta.error.hint, /--full/);
    assert.equal((await exporter.run(activation, { full: true })).record.state, 'succeeded');
    assert.deepEqual(await ids(exporter, 'out.csv'), [1, 2, 3]);
    assert.deepEqual(await ids(exporter, 'out_part00002.csv'), [4, 5, 6]);
  }));

test('a full run without a row leaves none of the old ones, also where onEmpty is skip', () =>
  withExporter(async exporter => {
    const activation = exporter.activation({ ...APPEND, onEmpty: 'skip', maxFileRows: 3 });
    await exporter.database.sql(
      `create table t (id int primary key, name text); insert into t select i, 'n' || i from generate_series(1, 5) i`,
    );
    await exporter.run(activation);
    await exporter.database.sql('delete from t');
    const { record } = await exporter.run(activation, { full: true, allowRemovals: true });
    assert.equal(record.state, 'succeeded');
    assert.deepEqual(await exporter.files(), ['out.csv']);
    assert.deepEqual(await exporter.lines('out.csv'), ['id,name']);
    await exporter.database.sql(`insert into t values (1, 'again')`);
    assert.equal((await exporter.run(activation)).record.state, 'succeeded');
    assert.deepEqual(await exporter.lines('out.csv'), ['id,name', '1,again']);
  }));

test('parts of an older file of the name that could not be deleted are not continued', () =>
  withExporter(async exporter => {
    const { accountUrl, container } = exporter.container;
    const destination = {
      accountUrl,
      container,
      auth: { sasToken: exporter.container.sas('rwl', IN_A_MONTH) },
    };
    const activation = exporter.activation({ ...APPEND, maxFileRows: 3, destination });
    await exporter.database.sql(
      `create table t (id int primary key, name text); insert into t select i, 'n' || i from generate_series(1, 8) i`,
    );
    await exporter.run(activation);
    await exporter.database.sql('delete from t where id > 3');
    const { record } = await exporter.run(activation, { full: true });
    assert.deepEqual(
      record.warnings.map(({ code }) => code),
      ['STALE_PARTS_LEFT', 'STALE_PARTS_LEFT'],
    );
    await exporter.database.sql(`insert into t values (9, 'n9')`);
    assert.equal((await exporter.run(activation)).record.state, 'succeeded');
    assert.deepEqual(await exporter.lines('out_part00002.csv'), ['id,name', '9,n9']);
    await exporter.database.sql(`insert into t values (10, 'n10')`);
    assert.equal((await exporter.run(activation)).record.state, 'succeeded');
    assert.deepEqual(await exporter.lines('out_part00002.csv'), ['id,name', '10,n10', '9,n9']);
    assert.deepEqual(await ids(exporter, 'out_part00003.csv'), [7, 8]);
  }));

test('parts whose rows were never published go where an old disk has forgotten their run, and no run goes on behind them', () =>
  withExporter(async exporter => {
    const activation = exporter.activation({ ...APPEND, maxFileRows: 3 });
    await exporter.database.sql(
      'create table t (id int primary key); insert into t select generate_series(1, 3)',
    );
    assert.equal((await exporter.run(activation)).record.state, 'succeeded');
    await exporter.database.sql('insert into t select generate_series(4, 9)');
    const { record } = await exporter.run(activation, {
      intercept: parts => ({
        ...parts,
        store: storeWith(parts.store, {
          putBlob: () =>
            Promise.reject(new SluiceError('DESTINATION_TIMEOUT', 'the manifest is not answered')),
        }),
      }),
    });
    assert.equal(record.error?.code, 'DESTINATION_TIMEOUT');
    assert.deepEqual(await ids(exporter, 'out_part00003.csv'), [7, 8, 9]);
    await rm(join(exporter.dataDirectory, 'activations', 'exported', 'runs', record.run), {
      recursive: true,
    });
    await exporter.database.sql('delete from t where id > 5');
    for (const there of [
      [4, 5],
      [4, 5, 6],
    ]) {
      await exporter.database.sql(`insert into t values (${there.at(-1)}) on conflict do nothing`);
      assert.equal((await exporter.run(activation)).record.state, 'succeeded');
      assert.deepEqual(await exporter.files(), ['out.csv', 'out_part00002.csv']);
      assert.deepEqual(await ids(exporter, 'out_part00002.csv'), there);
    }
  }));
