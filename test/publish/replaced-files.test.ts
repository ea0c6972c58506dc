/** A run that replaces what somebody may not have read says so, or is refused. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { ResolvedActivation } from '../../src/config/activation.ts';
import type { RunRecord } from '../../src/history/run-record.ts';
import { everyNth } from '../support/all-cases.ts';
import { type Exporter, withExporter } from '../support/exporter.ts';

const DELTA = { runType: 'full_then_delta', syncMode: 'upsert' };
const CODES: readonly string[] = ['DELTA_OVERWRITTEN', 'FOREIGN_BLOB_OVERWRITTEN'];

const replaced = ({ warnings }: RunRecord): string[] =>
  warnings.filter(({ code }) => CODES.includes(code)).map(({ code, message }) => `${code} ${message}`);

async function succeed(
  exporter: Exporter,
  activation: ResolvedActivation,
  request: { readonly full?: boolean } = {},
): Promise<RunRecord> {
  const { record, error } = await exporter.run(activation, request);
  assert.equal(record.state, 'succeeded', String(error));
  return record;
}

const insert = (exporter: Exporter, from: number, to = from): Promise<unknown> =>
  exporter.database.sql(`insert into t select generate_series(${from}::int, ${to}::int)`);

async function withTable(act: (exporter: Exporter) => Promise<void>): Promise<void> {
  await withExporter(async exporter => {
    await exporter.database.sql('create table t (id int primary key)');
    await insert(exporter, 1, 2);
    await act(exporter);
  });
}

for (const syncMode of everyNth(2, ['upsert', 'insert', 'difference'])) {
  test(`a delta that replaces the full export or an earlier delta warns of it: ${syncMode}`, () =>
    withTable(async exporter => {
      const activation = exporter.activation({ ...DELTA, syncMode });
      const first = await succeed(exporter, activation);
      assert.deepEqual(replaced(first), []);
      await insert(exporter, 10);
      const names = syncMode === 'difference' ? 'out_added.csv, out_updated.csv, out_removed.csv' : 'out.csv';
      const second = await succeed(exporter, activation);
      const [warning = '', ...more] = replaced(second);
      assert.ok(
        warning.startsWith(`DELTA_OVERWRITTEN ${names} held what run ${first.run} had exported`),
        warning,
      );
      assert.deepEqual(more, []);
      // Nor is a run without changes nothing.
      const third = await succeed(exporter, activation);
      assert.match(replaced(third).join(), new RegExp(`^DELTA_OVERWRITTEN .* held what run ${second.run}`));
      const full = await succeed(exporter, activation, { full: true });
      assert.match(replaced(full).join(), /^DELTA_OVERWRITTEN /);
      assert.deepEqual(replaced(await succeed(exporter, activation, { full: true })), []);
    }));
}

test('parts of a delta that are deleted as stale are reported, where they are still there', () =>
  withTable(async exporter => {
    const activation = exporter.activation({ ...DELTA, maxFileRows: 2 });
    await succeed(exporter, activation);
    await insert(exporter, 11, 20);
    await succeed(exporter, activation);
    for (const part of [1, 3]) {
      await exporter.container.client.deleteBlob(part === 1 ? 'out.csv' : `out_part0000${part}.csv`);
    }
    await insert(exporter, 21);
    const [warning = ''] = replaced(await succeed(exporter, activation));
    assert.match(
      warning,
      /^DELTA_OVERWRITTEN out_part00002\.csv, out_part00004\.csv, out_part00005\.csv held/,
    );
    assert.deepEqual(await exporter.files(), ['out.csv']);
  }));

test('a snapshot that replaces the one before is the normal use, and so are names that differ', () =>
  withTable(async exporter => {
    const snapshot = exporter.activation({ maxFileRows: 1 });
    await succeed(exporter, snapshot);
    await exporter.database.sql('delete from t where id = 2');
    assert.deepEqual(replaced(await succeed(exporter, snapshot)), []);
    assert.deepEqual(await exporter.files(), ['out.csv']);
    const named = exporter.activation({ ...DELTA, name: 'named', fileName: 'named/{run}' });
    for (let run = 0; run < 2; run++) assert.deepEqual(replaced(await succeed(exporter, named)), []);
  }));

test('a file of another activation is replaced with the warning of foreign ones', () =>
  withTable(async exporter => {
    const other = await succeed(exporter, exporter.activation({ name: 'other' }));
    const [warning = ''] = replaced(await succeed(exporter, exporter.activation(DELTA)));
    const written = `which activation other had written in run ${other.run}`;
    assert.equal(warning, `FOREIGN_BLOB_OVERWRITTEN out.csv was overwritten, ${written}`);
  }));

test('onDeltaOverwrite: fail refuses before the source is read, and a file that was taken away is no reason', () =>
  withTable(async exporter => {
    const activation = exporter.activation({
      ...DELTA,
      onDeltaOverwrite: 'fail',
      sql: 'select id from t where id / (case when id > 5 then 0 else 1 end) > 0',
    });
    await succeed(exporter, activation);
    const before = await exporter.container.download('out.csv');
    // Whoever reads it fails by it.
    await insert(exporter, 10);
    const { record } = await exporter.run(activation);
    assert.equal(record.error?.code, 'DELTA_OVERWRITTEN');
    assert.match(record.error.message, /^out\.csv held what run .*, which this run would replace/);
    for (const way of ['{run}', 'ifExists', 'append']) assert.ok(record.error.hint.includes(way), way);
    assert.equal(record.error.retryable, false);
    assert.deepEqual(await exporter.container.download('out.csv'), before);
    await exporter.database.sql('update t set id = 3 where id = 10');
    await exporter.container.client.deleteBlob('out.csv');
    assert.deepEqual(replaced(await succeed(exporter, activation)), []);
  }));

test('onDeltaOverwrite: fail refuses stale parts, files of other activations, and what it must read to know', () =>
  withTable(async exporter => {
    const fail = { ...DELTA, onDeltaOverwrite: 'fail' };
    const parts = exporter.activation({ ...fail, maxFileRows: 2, onEmpty: 'skip' });
    await insert(exporter, 3, 5);
    await succeed(exporter, parts);
    await exporter.container.client.deleteBlob('out.csv');
    assert.equal((await succeed(exporter, parts)).counts.written, 0);
    await insert(exporter, 10);
    const { record } = await exporter.run(parts);
    assert.equal(record.error?.code, 'DELTA_OVERWRITTEN');
    assert.match(
      record.error.message,
      /^out_part00003\.csv, out_part00002\.csv held|^out_part00002\.csv, out_part00003\.csv held/,
    );
    assert.deepEqual(await exporter.files(), ['out_part00002.csv', 'out_part00003.csv']);

    await succeed(exporter, exporter.activation({ name: 'other', fileName: 'both' }));
    const second = await exporter.run(exporter.activation({ ...fail, name: 'second', fileName: 'both' }));
    assert.equal(second.record.error?.code, 'DESTINATION_EXISTS');
    assert.match(second.record.error.message, /both\.csv was written by activation other/);
  }));

test('a full run of a file that runs append to reports the rows that it replaces', () =>
  withTable(async exporter => {
    const activation = exporter.activation({
      ...DELTA,
      syncMode: 'insert',
      ifExists: 'append',
      maxFileRows: 2,
    });
    await succeed(exporter, activation);
    await insert(exporter, 3, 4);
    assert.deepEqual(replaced(await succeed(exporter, activation)), []);
    const [warning = ''] = replaced(await succeed(exporter, activation, { full: true }));
    assert.match(warning, /^DELTA_OVERWRITTEN out_part00002\.csv held/);
  }));

test('{kind} in a name, the metadata and the manifest tell a full export from a delta', () =>
  withTable(async exporter => {
    const activation = exporter.activation({ ...DELTA, fileName: 't/{kind}/{run}' });
    const kinds: unknown[] = [];
    for (const full of [false, false, true]) {
      const { run, files } = await succeed(exporter, activation, { full });
      const [{ name } = { name: '' }] = files;
      const { metadata } = await exporter.container.client.getBlobClient(name).getProperties();
      const manifest = await exporter.manifest('exported', run);
      kinds.push([name.replace(run, 'RUN'), metadata?.['sluice_kind'], manifest['kind']]);
      await insert(exporter, 100 + kinds.length);
    }
    assert.deepEqual(kinds, [
      ['t/full/RUN.csv', 'full', 'full'],
      ['t/delta/RUN.csv', 'delta', 'delta'],
      ['t/full/RUN.csv', 'full', 'full'],
    ]);
    const only = await succeed(exporter, exporter.activation({ name: 'only', fileName: 'only-{kind}' }));
    assert.deepEqual(
      only.files.map(({ name }) => name),
      ['only-full.csv'],
    );
  }));

test('a run whose name depends on the kind is skipped or refused where its own file is there', () =>
  withTable(async exporter => {
    const settings = { ...DELTA, fileName: 't-{kind}' };
    const skip = exporter.activation({ ...settings, ifExists: 'skip' });
    await succeed(exporter, skip);
    await insert(exporter, 10);
    await succeed(exporter, skip);
    assert.deepEqual(await exporter.lines('t-delta.csv'), ['id', '10']);
    await insert(exporter, 11);
    const { warnings, files, generation } = await succeed(exporter, skip);
    assert.deepEqual([warnings.map(({ code }) => code), files, generation], [['EXISTS_SKIPPED'], [], 0]);
    const { record } = await exporter.run(exporter.activation({ ...settings, ifExists: 'fail' }));
    assert.equal(record.error?.code, 'DESTINATION_EXISTS');
    await exporter.container.client.deleteBlob('t-delta.csv');
    await succeed(exporter, skip);
    assert.deepEqual(await exporter.lines('t-delta.csv'), ['id', '11']);
  }));
