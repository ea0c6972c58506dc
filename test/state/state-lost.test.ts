import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { backupState } from '../../src/state/back-up-state.ts';
import { restoreState } from '../../src/state/restore-state.ts';
import { type Exporter, withExporter } from '../support/exporter.ts';

const DELTA = { runType: 'full_then_delta', syncMode: 'upsert', fileName: '{run}' };

type Activation = ReturnType<Exporter['activation']>;

async function withPublished(
  settings: Record<string, unknown>,
  act: (exporter: Exporter, activation: Activation) => Promise<void>,
): Promise<void> {
  await withExporter(async exporter => {
    await exporter.database.sql(`create table t (id int primary key, name text);
      insert into t select i, 'n' || i from generate_series(1, 10) i`);
    const activation = exporter.activation({ ...DELTA, ...settings });
    const { record, error } = await exporter.run(activation);
    assert.equal(record.state, 'succeeded', String(error));
    await act(exporter, activation);
  });
}

const loseState = ({ dataDirectory }: Exporter): Promise<void> =>
  rm(join(dataDirectory, 'activations'), { recursive: true });

test('a run that has lost its state is held, names the ways back, and publishes nothing', () =>
  withPublished({}, async (exporter, activation) => {
    await loseState(exporter);
    const before = await exporter.container.list();
    const { record } = await exporter.run(activation);
    assert.deepEqual([record.state, record.reason, record.generation], ['held', 'STATE_LOST', 0]);
    assert.deepEqual([record.counts.read, record.counts.written, record.counts.bytes], [0, 0, 0]);
    assert.match(record.warnings[0]!.message, /has generation 1 of exported, by run .* no state of it/);
    assert.match(record.release!, /put the data directory back; or `sluice run exported --full`/);
    assert.deepEqual(await exporter.container.list(), before);
    const { record: full } = await exporter.run(activation, { full: true });
    assert.deepEqual([full.state, full.full, full.generation, full.warnings], ['succeeded', true, 2, []]);
  }));

test('with a backup of the state it is named as the way back, and one that is too old is not', () =>
  withPublished({}, async (exporter, activation) => {
    const { signal } = new AbortController();
    await backupState({ activation, force: false, signal });
    await loseState(exporter);
    const { record } = await exporter.run(activation);
    assert.match(record.release!, /^`sluice state restore exported` restores the backup of generation 1; or/);
    await restoreState({ activation, force: false, signal });
    await exporter.database.sql('delete from t where id = 1');
    const { record: delta } = await exporter.run(activation);
    assert.deepEqual([delta.full, delta.counts.removed], [false, 1]);

    await loseState(exporter);
    const { record: late } = await exporter.run(activation);
    assert.match(
      late.release!,
      /backup in the container, of generation 1, is too old; or `sluice run exported --full`/,
    );
    await restoreState({ activation, force: true, signal });
    const { record: stale } = await exporter.run(activation);
    assert.equal(stale.error?.code, 'STATE_STALE');
    assert.match(stale.error!.hint, /is too old; or `sluice run exported --full`/);
  }));

test('onStateLost: full makes a full run with a warning', () =>
  withPublished({}, async (exporter, _) => {
    await loseState(exporter);
    const { record } = await exporter.run(exporter.activation({ ...DELTA, onStateLost: 'full' }));
    assert.deepEqual(
      [record.state, record.full, record.generation, record.warnings.map(({ code }) => code)],
      ['succeeded', true, 2, ['STATE_LOST']],
    );
  }));

test('with the state lost the gates count with what the manifest knows, also after a full_only run', () =>
  withPublished({ warnings: { removedRowsOver: '20%' } }, async (exporter, activation) => {
    assert.deepEqual(((await exporter.manifest('exported')) as { baseline?: object }).baseline, {
      generation: 1,
      run: (await exporter.manifest('exported'))['run'],
      keys: 10,
    });
    await loseState(exporter);
    await exporter.run(exporter.activation({ ...DELTA, runType: 'full_only' }));
    await exporter.database.sql('delete from t where id > 7');
    const { record } = await exporter.run(activation, { full: true });
    assert.deepEqual([record.state, record.reason], ['held', 'REMOVALS_OVER']);
    assert.match(record.warnings[0]!.message, /3 of 10 rows/);
    await exporter.database.sql('truncate t');
    const { record: empty } = await exporter.run(activation, { full: true });
    assert.deepEqual([empty.state, empty.reason], ['held', 'SOURCE_EMPTY']);
    assert.match(empty.warnings[0]!.message, /returned no rows, and the baseline has 10/);
  }));

test('without a manifest nothing tells that the state is lost', () =>
  withPublished({ manifest: false }, async (exporter, activation) => {
    await loseState(exporter);
    const { record } = await exporter.run(activation);
    assert.deepEqual([record.state, record.full], ['succeeded', true]);
  }));

test('a first delta after runs of type full_only has lost nothing', () =>
  withPublished({ runType: 'full_only' }, async (exporter, _) => {
    const { record } = await exporter.run(exporter.activation(DELTA));
    assert.deepEqual([record.state, record.full, record.generation], ['succeeded', true, 2]);
  }));

test('runs of type full_only in between make the next run a full one, which says why, and then deltas go on', () =>
  withPublished({ syncMode: 'difference' }, async (exporter, activation) => {
    for (let run = 0; run < 2; run++) {
      const { record } = await exporter.run(
        exporter.activation({ ...DELTA, runType: 'full_only', syncMode: 'upsert' }),
      );
      assert.equal(record.state, 'succeeded');
    }
    await exporter.database.sql('delete from t where id = 1');
    const { record } = await exporter.run(activation);
    assert.deepEqual(
      [record.full, record.generation, record.counts.removed, record.warnings.map(({ code }) => code)],
      [true, 4, 1, ['STATE_STALE']],
    );
    const { record: next } = await exporter.run(activation);
    assert.deepEqual([next.full, next.counts.written, next.warnings], [false, 0, []]);
  }));

test('a held or failed run made no generation and wrote nothing, and says so', () =>
  withPublished({ warnings: { removedRowsOver: '20%' } }, async (exporter, activation) => {
    await exporter.database.sql(`delete from t where id > 5; update t set name = 'x'`);
    const { record } = await exporter.run(activation);
    assert.equal(record.state, 'held');
    const { read, updated, removed, written, bytes } = record.counts;
    assert.deepEqual([record.generation, read, updated, removed, written, bytes], [0, 5, 5, 5, 0, 0]);
    const failing = exporter.activation({ ...DELTA, sql: 'select 1 / (id - 5) as n, id, name from t' });
    const { record: failed } = await exporter.run(failing);
    assert.deepEqual(
      [failed.state, failed.generation, failed.counts.written, failed.counts.bytes],
      ['failed', 0, 0, 0],
    );
  }));
