import assert from 'node:assert/strict';
import test from 'node:test';
import { type Exporter, withExporter } from '../../support/exporter.ts';

const DELTA = { runType: 'full_then_delta', fileName: '{run}' };

/** A table with a column of each kind that is changed below; keys from 1 to 15. */
const TABLE = `create schema other;
  create type mood as enum ('a', 'b');
  create table t (id int primary key, n varchar(50), m mood, d numeric(10,2), at timestamp(3), i int, c char(3));
  insert into t select k, 'n' || k, 'a', k + 0.5, '2025-01-01 00:00:00.125', k, 'c' from generate_series(1, 15) k`;

const HARMLESS: readonly (readonly [what: string, sql: string])[] = [
  ['a wider varchar', 'alter table t alter n type varchar(100)'],
  ['varchar that becomes text', 'alter table t alter n type text'],
  ['a new value of an enum', `alter type mood add value 'c'`],
  ['a type with another name', 'alter type mood rename to feeling'],
  ['a type in another schema', 'alter type feeling set schema other'],
  ['an enum that becomes text', 'alter table t alter m type text'],
  ['a numeric of more digits', 'alter table t alter d type numeric(12,2)'],
  ['a timestamp of more digits', 'alter table t alter at type timestamp(6)'],
  ['an int that becomes bigint', 'alter table t alter i type bigint'],
  ['a key that becomes bigint', 'alter table t alter id type bigint'],
  ['a key that becomes smallint', 'alter table t alter id type smallint'],
];

test('types whose values have the same texts are equal: the run stays a delta, in every sync mode', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = exporter.activation({ ...DELTA, syncMode: 'difference' });
    await exporter.run(activation);
    for (const [index, [what, sql]] of HARMLESS.entries()) {
      await exporter.database.sql(`${sql}; delete from t where id = ${index + 1}`);
      const { record, error } = await exporter.run(activation);
      assert.equal(record.state, 'succeeded', `${what}: ${error}`);
      const { added, updated, removed } = record.counts;
      assert.deepEqual([record.full, added, updated, removed, record.warnings], [false, 0, 0, 1, []], what);
    }
    for (const syncMode of ['upsert', 'insert']) {
      const own = exporter.activation({ ...DELTA, syncMode, name: syncMode });
      await exporter.database.sql('alter table t alter n type varchar(60), alter i type int');
      await exporter.run(own);
      await exporter.database.sql('alter table t alter n type text, alter i type bigint');
      const { record } = await exporter.run(own);
      assert.deepEqual([record.full, record.counts.written, record.warnings], [false, 0, []], syncMode);
    }
  }));

test('a change of scale is an ordinary change of values, which reports just the rows whose texts differ', () =>
  withExporter(async exporter => {
    await exporter.database.sql(`create table t (id int primary key, d numeric(10,2));
      insert into t values (1, 1.5), (2, null)`);
    const activation = exporter.activation({ ...DELTA, syncMode: 'upsert' });
    await exporter.run(activation);
    await exporter.database.sql('alter table t alter d type numeric(10,4)');
    const { record } = await exporter.run(activation);
    assert.deepEqual([record.full, record.counts.updated, record.counts.written], [false, 1, 1]);
    assert.deepEqual(await exporter.lines(`${record.run}.csv`), ['id,d', '1,1.5000']);
  }));

async function withRows(
  settings: Record<string, unknown>,
  act: (exporter: Exporter, activation: ReturnType<Exporter['activation']>) => Promise<void>,
): Promise<void> {
  await withExporter(async exporter => {
    await exporter.database.sql(`create table t (id int primary key, name text, age int);
      insert into t select i, 'n' || i, i from generate_series(1, 1000) i`);
    const activation = exporter.activation({ ...DELTA, ...settings });
    const { record, error } = await exporter.run(activation);
    assert.equal(record.state, 'succeeded', String(error));
    await act(exporter, activation);
  });
}

test('a new column makes a full run, and difference still reports what is gone with its last values', () =>
  withRows({ syncMode: 'difference' }, async (exporter, activation) => {
    await exporter.database.sql(`delete from t where id in (1, 2); update t set age = 0 where id = 3;
      alter table t add extra text default 'x'; alter table t drop age`);
    const { record } = await exporter.run(activation);
    const { added, updated, removed, unchanged, written } = record.counts;
    assert.deepEqual([record.full, added, updated, removed, unchanged], [true, 998, 0, 2, 0]);
    assert.equal(written, 1000);
    assert.match(record.warnings[0]!.message, /column "age" is gone, column "extra" is new/);
    assert.deepEqual(await exporter.lines(`${record.run}_removed.csv`), ['id,name,extra', '1,n1,', '2,n2,']);
    const { record: next } = await exporter.run(activation);
    assert.deepEqual([next.full, next.counts.written, next.counts.removed], [false, 0, 0]);
    await exporter.database.sql('delete from t where id = 4');
    const { record: last } = await exporter.run(activation);
    assert.deepEqual(await exporter.lines(`${last.run}_removed.csv`), ['id,name,extra', '4,n4,x']);
  }));

test('last values follow a column that is renamed in the file, and leave out what its new type cannot hold', () =>
  withRows({ syncMode: 'difference' }, async (exporter, { name: _ }) => {
    await exporter.database.sql(`delete from t where id = 1;
      alter table t alter name type int using id, alter age type bigint`);
    const mapping = [{ from: 'age', to: 'years' }, 'id', 'name'];
    const { record } = await exporter.run(exporter.activation({ ...DELTA, syncMode: 'difference', mapping }));
    assert.deepEqual([record.full, record.counts.removed], [true, 1]);
    assert.deepEqual(await exporter.lines(`${record.run}_removed.csv`), ['years,id,name', '1,1,']);
  }));

test('insert knows every key that it exported, whatever the columns are', () =>
  withRows({ syncMode: 'insert' }, async (exporter, activation) => {
    await exporter.database.sql(
      `delete from t where id = 1; alter table t add extra int; insert into t values (2000, 'new')`,
    );
    const { record } = await exporter.run(activation);
    assert.deepEqual(
      [record.full, record.counts.written, record.warnings.map(({ code }) => code)],
      [false, 1, ['COLUMNS_CHANGED']],
    );
    assert.deepEqual(await exporter.lines(`${record.run}.csv`), ['id,name,age,extra', '2000,new,,']);
    await exporter.database.sql(`insert into t values (1, 'came back')`);
    const { record: next } = await exporter.run(activation);
    assert.deepEqual([next.counts.written, next.warnings], [0, []]);
  }));

test('rows of other columns begin the next part of a file that runs append to', () =>
  withRows({ syncMode: 'insert', ifExists: 'append', fileName: 'all' }, async (exporter, activation) => {
    await exporter.database.sql('alter table t add extra int');
    const { record: empty, error } = await exporter.run(activation);
    assert.deepEqual([empty.state, empty.counts.written], ['succeeded', 0], String(error));
    await exporter.database.sql(`insert into t values (2000, 'new', 1, 2)`);
    await exporter.run(activation);
    await exporter.database.sql(`insert into t values (2001, 'newer', 3, 4)`);
    await exporter.run(activation);
    assert.deepEqual(await exporter.files(), ['all.csv', 'all_part00002.csv']);
    assert.equal((await exporter.lines('all.csv')).length, 1001);
    assert.deepEqual(await exporter.lines('all_part00002.csv'), [
      'id,name,age,extra',
      '2000,new,1,2',
      '2001,newer,3,4',
    ]);
  }));

for (const syncMode of ['upsert', 'difference'])
  test(`with ${syncMode} a change of columns does not hide removals from removedRowsOver`, () =>
    withRows({ syncMode, warnings: { removedRowsOver: '10%' } }, async (exporter, activation) => {
      await exporter.database.sql('delete from t where id > 100; alter table t add extra int');
      const { record } = await exporter.run(activation);
      assert.deepEqual([record.state, record.reason], ['held', 'REMOVALS_OVER']);
      assert.match(record.warnings.at(-1)!.message, /would remove 900 of 1000 rows/);
      assert.match(record.release!, /--allow-removals/);
      const { record: full } = await exporter.run(activation, { full: true });
      assert.equal(full.state, 'held');
      assert.match(full.release!, /--full --allow-removals/);
      const { record: allowed } = await exporter.run(activation, { allowRemovals: true });
      assert.deepEqual(
        [allowed.state, allowed.counts.added, allowed.counts.removed],
        ['succeeded', 100, 900],
      );
      if (syncMode === 'difference')
        assert.equal((await exporter.lines(`${allowed.run}_removed.csv`)).length, 901);
    }));

test('a full run on demand reports what is gone', () =>
  withRows({ syncMode: 'difference' }, async (exporter, activation) => {
    await exporter.database.sql('delete from t where id <= 3');
    const { record } = await exporter.run(activation, { full: true });
    assert.deepEqual([record.full, record.counts.added, record.counts.removed], [true, 997, 3]);
    assert.deepEqual(await exporter.lines(`${record.run}_removed.csv`), [
      'id,name,age',
      '1,n1,1',
      '2,n2,2',
      '3,n3,3',
    ]);
  }));

test('removals of a new baseline do not depend on the memory that the comparison may take', () =>
  withRows({ syncMode: 'difference', stateMemory: '1MiB' }, async (exporter, activation) => {
    await exporter.database.sql(`insert into t select i, 'n' || i, i from generate_series(1001, 60000) i`);
    await exporter.run(activation);
    await exporter.database.sql('delete from t where id % 1000 = 0; alter table t add extra int');
    const { record } = await exporter.run(activation);
    assert.deepEqual([record.full, record.counts.added, record.counts.removed], [true, 59_940, 60]);
    const { record: next } = await exporter.run(activation);
    assert.deepEqual([next.full, next.counts.written, next.counts.removed], [false, 0, 0]);
  }));

test('another key cannot be looked up: the run says how many keys are lost sight of, and the gate counts the fewer rows', () =>
  withRows({ syncMode: 'upsert', warnings: { removedRowsOver: '10%' } }, async (exporter, { name: _ }) => {
    const settings = { ...DELTA, syncMode: 'upsert', warnings: { removedRowsOver: '10%' } };
    const activation = exporter.activation({ ...settings, primaryKey: ['name'] });
    await exporter.database.sql('delete from t where id > 100');
    const { record } = await exporter.run(activation);
    assert.deepEqual([record.state, record.reason], ['held', 'REMOVALS_OVER']);
    const { record: allowed } = await exporter.run(activation, { allowRemovals: true });
    assert.deepEqual([allowed.full, allowed.counts.added, allowed.counts.removed], [true, 100, 0]);
    assert.match(allowed.warnings[0]!.message, /its 1000 keys cannot be looked up any more/);
  }));

test('a numeric key of another scale has other texts, and is another key', () =>
  withExporter(async exporter => {
    await exporter.database.sql(
      `create table t (id numeric(10,2) primary key); insert into t values (1), (2)`,
    );
    const activation = exporter.activation({ ...DELTA, syncMode: 'insert' });
    await exporter.run(activation);
    await exporter.database.sql('alter table t alter id type numeric(10,4)');
    const { record } = await exporter.run(activation);
    assert.deepEqual([record.full, record.counts.written], [true, 2]);
    assert.match(
      record.warnings[0]!.message,
      /2 keys cannot be looked up any more, so that every row is exported again/,
    );
  }));

test('a baseline that kept too little of its rows says what the new one cannot report', () =>
  withRows({ syncMode: 'upsert' }, async (exporter, { name: _ }) => {
    await exporter.database.sql('delete from t where id = 1');
    const { record } = await exporter.run(exporter.activation({ ...DELTA, syncMode: 'difference' }));
    assert.deepEqual([record.full, record.counts.added, record.counts.removed], [true, 999, 1]);
    assert.match(record.warnings[0]!.message, /kept neither their key nor their values/);
    assert.deepEqual(await exporter.lines(`${record.run}_removed.csv`), ['id,name,age']);
  }));

test('removed rows of a baseline that kept keys alone are written with their keys', () =>
  withRows({ syncMode: 'difference', removedRows: 'keys' }, async (exporter, { name: _ }) => {
    await exporter.database.sql('delete from t where id = 1');
    const activation = exporter.activation({ ...DELTA, syncMode: 'difference' });
    const { record } = await exporter.run(activation);
    assert.match(record.warnings[0]!.message, /written with their key alone/);
    assert.deepEqual(await exporter.lines(`${record.run}_removed.csv`), ['id,name,age', '1,,']);
    await exporter.database.sql('delete from t where id = 2');
    const { record: next } = await exporter.run(activation);
    assert.deepEqual(await exporter.lines(`${next.run}_removed.csv`), ['id,name,age', '2,n2,2']);
  }));

test('a sync mode that needs no more than was kept goes on from the baseline', () =>
  withRows({ syncMode: 'difference' }, async (exporter, { name: _ }) => {
    for (const [settings, written] of [
      [{ syncMode: 'upsert' }, 0],
      [{ syncMode: 'difference', removedRows: 'keys' }, 1],
      [{ syncMode: 'insert' }, 0],
    ] as const) {
      const rows = await exporter.database.sql(
        'delete from t where id = (select min(id) from t) returning id',
      );
      const { record } = await exporter.run(exporter.activation({ ...DELTA, ...settings }));
      assert.deepEqual([record.full, record.counts.written, record.warnings], [false, written, []]);
      if (written === 1)
        assert.deepEqual(await exporter.lines(`${record.run}_removed.csv`), [
          'id,name,age',
          `${rows[0]!['id']},,`,
        ]);
    }
  }));
