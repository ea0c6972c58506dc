import assert from 'node:assert/strict';
import test from 'node:test';
import type { ExportResult } from '../../../src/run/export-request.ts';
import type { RunProgress } from '../../../src/run/run-progress.ts';
import { everyNth } from '../../support/all-cases.ts';
import { type Exporter, withExporter } from '../../support/exporter.ts';

const DELTA = { runType: 'full_then_delta', syncMode: 'upsert', fileName: '{run}' };

async function firstRun(exporter: Exporter, settings: Record<string, unknown> = {}): Promise<void> {
  await exporter.database.sql(`create table t (id int primary key, name text, age int);
    insert into t select i, 'n' || i, i from generate_series(1, 10) i`);
  const { record, error } = await exporter.run(exporter.activation({ ...DELTA, ...settings }));
  assert.equal(record.state, 'succeeded', String(error));
}

const changes: [string, Record<string, unknown>][] = [
  ['the mapping', { mapping: ['id', 'age'] }],
  ['a name in the file', { mapping: ['id', { from: 'name', to: 'n' }, 'age'] }],
  ['the key', { primaryKey: ['name'] }],
  ['the type of a column', { sql: 'select id, name, age::text as age from t' }],
  ['the columns of the model', { sql: 'select id, name, age, 1 as extra from t' }],
];
for (const [what, settings] of everyNth(2, changes)) {
  test(`a change of ${what} makes the next run a full one, with a warning, and a new baseline`, () =>
    withExporter(async exporter => {
      await firstRun(exporter);
      const activation = exporter.activation({ ...DELTA, ...settings });
      const { record } = await exporter.run(activation);
      assert.deepEqual([record.full, record.counts.written, record.generation], [true, 10, 2]);
      assert.deepEqual(
        record.warnings.map(({ code }) => code),
        ['COLUMNS_CHANGED'],
      );
      const next = await exporter.run(activation);
      assert.deepEqual([next.record.full, next.record.counts.written], [false, 0]);
    }));
}

test('onSchemaChange: fail refuses the run instead, and the baseline stays', () =>
  withExporter(async exporter => {
    await firstRun(exporter);
    const { record } = await exporter.run(
      exporter.activation({ ...DELTA, mapping: ['id'], onSchemaChange: 'fail' }),
    );
    assert.equal(record.error?.code, 'SCHEMA_CHANGED');
    const { record: next } = await exporter.run(exporter.activation(DELTA));
    assert.deepEqual([next.full, next.counts.written], [false, 0]);
  }));

test('a change of the filter or of rows only is a delta', () =>
  withExporter(async exporter => {
    await firstRun(exporter);
    const { record } = await exporter.run(exporter.activation({ ...DELTA, where: 'id <= 8' }));
    assert.deepEqual([record.full, record.counts.removed], [false, 2]);
  }));

test('a full run on demand writes every row and starts a new baseline', () =>
  withExporter(async exporter => {
    await firstRun(exporter);
    await exporter.database.sql('delete from t where id > 7');
    const { record } = await exporter.run(exporter.activation(DELTA), { full: true });
    assert.deepEqual([record.full, record.counts.written, record.generation], [true, 7, 2]);
    const { record: next } = await exporter.run(exporter.activation(DELTA));
    assert.deepEqual([next.full, next.counts.written, next.counts.removed], [false, 0, 0]);
  }));

test('a source that returns nothing while the baseline has rows holds the run until removals are allowed', () =>
  withExporter(async exporter => {
    await firstRun(exporter);
    const before = await exporter.container.list();
    await exporter.database.sql('truncate t');
    const { record } = await exporter.run(exporter.activation(DELTA));
    assert.equal(record.state, 'held');
    assert.match(record.warnings[0]!.message, /returned no rows, and the baseline has 10/);
    assert.deepEqual(await exporter.container.list(), before);
    const again = await exporter.run(exporter.activation(DELTA), { allowRemovals: true });
    assert.deepEqual([again.record.state, again.record.counts.removed], ['succeeded', 10]);
  }));

test('a run that would remove more than removedRowsOver is held, one that removes less is not', () =>
  withExporter(async exporter => {
    const settings = { ...DELTA, warnings: { removedRowsOver: '20%' } };
    await firstRun(exporter, settings);
    await exporter.database.sql('delete from t where id > 8');
    assert.equal((await exporter.run(exporter.activation(settings))).record.state, 'succeeded');
    await exporter.database.sql('delete from t where id > 6');
    const { record } = await exporter.run(exporter.activation(settings));
    assert.equal(record.state, 'held');
    assert.match(record.warnings[0]!.message, /would remove 2 of 8 rows \(25.0 %\)/);
  }));

test('null and repeated keys fail the run by default and publish nothing', () =>
  withExporter(async exporter => {
    await exporter.database.sql(
      `create table t (id int, name text); insert into t values (1, 'a'), (1, 'b'), (null, 'c'), (2, 'd')`,
    );
    const { record } = await exporter.run(exporter.activation(DELTA));
    assert.equal(record.error?.code, 'KEY_NULL');
    const skipping = await exporter.run(exporter.activation({ ...DELTA, onNullKey: 'skip' }));
    assert.equal(skipping.record.error?.code, 'KEY_DUPLICATE');
    assert.deepEqual(await exporter.container.list(), []);
    const { record: lenient } = await exporter.run(
      exporter.activation({ ...DELTA, onNullKey: 'skip', onDuplicateKey: 'first' }),
    );
    assert.deepEqual([lenient.counts.written, lenient.counts.skipped], [2, 2]);
    assert.deepEqual(await exporter.lines(`${lenient.run}.csv`), ['id,name', '1,a', '2,d']);
    assert.deepEqual(
      lenient.warnings.map(({ message }) => message),
      ['1 row has a null key: (NULL)', '1 row repeats a key: (1)'],
    );
  }));

test('a local state that is older than the destination stops the run', () =>
  withExporter(async exporter => {
    await firstRun(exporter);
    const second = exporter.activation({ ...DELTA, manifest: true });
    await exporter.container.client
      .getBlockBlobClient('_sluice/exported/latest.json')
      .uploadData(Buffer.from(JSON.stringify({ ...(await exporter.manifest('exported')), generation: 9 })));
    const { record: stale } = await exporter.run(second);
    assert.equal(stale.error?.code, 'STATE_STALE');
    assert.match(stale.error!.message, /generation 9/);
  }));

test('a destination that was emptied fails the run, or makes it a full one with onDestinationReset: full', () =>
  withExporter(async exporter => {
    await firstRun(exporter);
    for (const name of await exporter.container.list()) await exporter.container.client.deleteBlob(name);
    const { record } = await exporter.run(exporter.activation(DELTA));
    assert.equal(record.error?.code, 'DESTINATION_RESET');
    const { record: reset } = await exporter.run(
      exporter.activation({ ...DELTA, onDestinationReset: 'full' }),
    );
    assert.deepEqual([reset.state, reset.full, reset.counts.written], ['succeeded', true, 10]);
    assert.deepEqual(
      reset.warnings.map(({ code }) => code),
      ['DESTINATION_RESET'],
    );
  }));

test('two runs of one activation at once: the second is refused as locked, and may be repeated', () =>
  withExporter(async exporter => {
    await firstRun(exporter);
    const sql = 'select id, name, age from t, pg_advisory_lock(1)';
    const activation = exporter.activation({ ...DELTA, sql });
    const blocker = await exporter.database.connect();
    await blocker.query('select pg_advisory_lock(1)');
    let first: Promise<ExportResult> | undefined;
    await new Promise<void>(resolve => {
      const observe = (progress: () => RunProgress): void => {
        if (progress().connectingTo === undefined) resolve();
      };
      first = exporter.run(activation, { observe });
    });
    const { record } = await exporter.run(activation);
    await blocker.end();
    assert.deepEqual([record.error?.code, record.error?.retryable], ['STATE_LOCKED', true]);
    assert.equal((await first)?.record.state, 'succeeded');
  }));
