import assert from 'node:assert/strict';
import test from 'node:test';
import { planActivation } from '../../src/run/plan/plan-activation.ts';
import { previewActivation } from '../../src/run/preview.ts';
import { validateActivation } from '../../src/run/validation/validate.ts';
import type { Exporter } from '../support/exporter.ts';
import { withExporter } from '../support/exporter.ts';

const { signal } = new AbortController();

const TABLE = `create table t (id int primary key, day date, brand text, at timestamptz);
  insert into t values (1, '2025-04-13', 'it''s', '2025-04-13 10:00+00'), (2, '2025-04-14', 'it''s', '2025-04-14 10:00+00'),
    (3, '2025-04-14', 'b', '2025-04-14 11:00+00'), (4, '2025-04-14', null, '2025-04-14 12:00+00')`;

const BY_DAY = {
  sql: 'select id, brand from t where day = :day order by id;',
  params: { day: { type: 'date', default: '2025-04-13' } },
  primaryKey: ['id'],
};

function byDay(exporter: Exporter, more: Record<string, unknown> = {}) {
  return exporter.activation({ model: { source: 'db', ...BY_DAY }, fileName: 'o-{param.day}', ...more });
}

for (const engine of ['fast', 'library'] as const) {
  test(`a run reads what its values select, into a file of their name (engine ${engine})`, () =>
    withExporter(async exporter => {
      await exporter.database.sql(TABLE);
      const activation = byDay(exporter, { format: { type: 'csv', engine } });
      await exporter.run(activation);
      const { record } = await exporter.run(activation, { params: { day: '2025-04-14' } });
      assert.equal(record.state, 'succeeded', JSON.stringify(record.error));
      assert.deepEqual(await exporter.files(), ['o-2025-04-13.csv', 'o-2025-04-14.csv']);
      assert.deepEqual(await exporter.lines('o-2025-04-13.csv'), ['id,brand', "1,it's"]);
      assert.deepEqual(await exporter.lines('o-2025-04-14.csv'), ['id,brand', "2,it's", '3,b', '4,']);
      assert.deepEqual(record.params, { day: '2025-04-14' });
      assert.deepEqual((await exporter.manifest('exported'))['params'], { day: '2025-04-14' });
    }));
}

test('values are bound as what they are, in the query and in the filter, and never become SQL', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = exporter.activation({
      model: {
        source: 'db',
        sql: `select id, brand, :n as n, :flag as flag, :amount as amount, :moment as moment, ':day' as text
          from t where day >= :day /* :nothing */`,
        primaryKey: ['id'],
        params: {
          day: { type: 'date' },
          brand: { type: 'text' },
          n: { type: 'int' },
          flag: { type: 'boolean' },
          amount: { type: 'number' },
          moment: { type: 'timestamp' },
        },
      },
      where: 'brand = :brand and n > 0',
      fileName: '{run}',
    });
    const params = {
      day: '2025-04-14',
      n: '9223372036854775807',
      flag: 'true',
      amount: '0.10',
      moment: '2025-04-14T09:00:00.123456+02:00',
    };
    const { record } = await exporter.run(activation, { params: { ...params, brand: "it's" } });
    assert.equal(record.state, 'succeeded', JSON.stringify(record.error));
    assert.deepEqual(await exporter.lines(`${record.run}.csv`), [
      'id,brand,n,flag,amount,moment,text',
      "2,it's,9223372036854775807,true,0.10,2025-04-14T07:00:00.123456Z,:day",
    ]);
    const hostile = await exporter.run(activation, {
      params: { ...params, brand: "' or true; drop table t; --" },
    });
    assert.equal(hostile.record.state, 'succeeded', JSON.stringify(hostile.record.error));
    assert.equal(hostile.record.counts.read, 0);
  }));

test('a value stands in names without making folders of its own', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = exporter.activation({
      model: {
        source: 'db',
        sql: 'select id from t where brand = :brand',
        primaryKey: ['id'],
        params: { brand: { type: 'text' } },
      },
      fileName: 'brands/{param.brand}/rows',
      completion: { control: { name: '{file}.ctl', content: '{param.brand};{rows}' } },
    });
    for (const brand of ['b', '../../other', '', 'a b'])
      await exporter.run(activation, { params: { brand } });
    assert.deepEqual(await exporter.files(), [
      'brands/..%2F..%2Fother/rows.csv',
      'brands/..%2F..%2Fother/rows.csv.ctl',
      'brands/__EMPTY__/rows.csv',
      'brands/__EMPTY__/rows.csv.ctl',
      'brands/a b/rows.csv',
      'brands/a b/rows.csv.ctl',
      'brands/b/rows.csv',
      'brands/b/rows.csv.ctl',
    ]);
    assert.equal((await exporter.container.download('brands/b/rows.csv.ctl')).toString(), 'b;1');
  }));

const SINCE = {
  source: 'db',
  sql: `select id, at from t where at > coalesce(:last_success, '-infinity') and at <= :run_time and brand is not distinct from coalesce(:brand, brand)`,
  primaryKey: ['id'],
  params: { brand: { type: 'text', default: 'b' } },
};

test('the last success counts by its values, null before the first, and neither a failed run nor a plan is one', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = exporter.activation({ model: SINCE, fileName: '{run}' });
    const run = async (params?: Record<string, string>) => {
      const { record, error } = await exporter.run(activation, params ? { params } : {});
      assert.equal(record.state, 'succeeded', String(error));
      return record;
    };
    const first = await run();
    assert.equal(first.params?.['last_success'], null);
    assert.equal(first.counts.read, 1);
    await planActivation({ activation, rows: 1, signal });
    await exporter.run(
      exporter.activation({ model: SINCE, fileName: '{run}', maxFileSize: '1KiB', mapping: ['absent'] }),
    );
    const second = await run();
    assert.equal(second.params?.['last_success'], first.snapshotTime);
    assert.equal(second.counts.read, 0);
    const other = await run({ brand: "it's" });
    assert.equal(other.params?.['last_success'], null);
    assert.equal(other.counts.read, 2);
    assert.equal((await run()).params?.['last_success'], second.snapshotTime);
  }));

test('where the local history is gone, the last success is that of the manifest', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const settings = { model: SINCE, fileName: '{run}' };
    const { record } = await exporter.run(exporter.activation(settings));
    const elsewhere = { ...exporter.activation(settings), dataDirectory: `${exporter.dataDirectory}/other` };
    const next = await exporter.run(elsewhere);
    assert.equal(next.record.params?.['last_success'], record.snapshotTime);
    const other = await exporter.run(
      { ...elsewhere, dataDirectory: `${exporter.dataDirectory}/third` },
      { params: { brand: 'other' } },
    );
    assert.equal(other.record.params?.['last_success'], null);
  }));

test('insert with parameters writes new keys of all values once, and a value without rows holds nothing', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = byDay(exporter, {
      runType: 'full_then_delta',
      syncMode: 'insert',
      fileName: '{run}',
    });
    const linesOf = async (params: Record<string, string>): Promise<string[]> => {
      const { record, error } = await exporter.run(activation, { params });
      assert.equal(record.state, 'succeeded', String(error));
      return (await exporter.lines(`${record.run}.csv`)).slice(1);
    };
    assert.deepEqual(await linesOf({ day: '2025-04-14' }), ["2,it's", '3,b', '4,']);
    assert.deepEqual(await linesOf({ day: '2025-04-13' }), ["1,it's"]);
    assert.deepEqual(await linesOf({ day: '2025-04-14' }), []);
    assert.deepEqual(await linesOf({ day: '1999-01-01' }), []);
  }));

test('wrong values fail before the source is asked, with what there is', () =>
  withExporter(async exporter => {
    const activation = byDay(exporter);
    for (const [params, message] of [
      [{ day: '14.4.2025' }, /parameter day of exported is "14\.4\.2025"; expected a date/],
      [{ month: '4' }, /exported takes no parameter "month"; there are day/],
    ] as const) {
      const { record } = await exporter.run(activation, { params });
      assert.equal(record.error?.code, 'PARAMETER_INVALID');
      assert.match(record.error!.message, message);
    }
  }));

test('an error of the query has its place in the text with parameters', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const model = { ...BY_DAY, source: 'db', sql: 'select id from t where day = :day and\n  wrong = 1' };
    const activation = exporter.activation({ model, fileName: '{run}' });
    const { record } = await exporter.run(activation);
    assert.match(record.error!.message, /"wrong" does not exist.*line 2, column 3/);
  }));

test('preview, plan and validate take defaults, and values where they are given; validate needs none', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = byDay(exporter);
    const rows = async (params?: Record<string, string>) =>
      (await previewActivation({ activation, rows: 10, signal, ...(params && { params }) })).rows.length;
    assert.deepEqual([await rows(), await rows({ day: '2025-04-14' })], [1, 3]);
    const planned = await planActivation({ activation, rows: 10, signal, params: { day: '2025-04-14' } });
    assert.deepEqual([planned.counts.read, planned.files[0]?.name], [3, 'o-2025-04-14.csv']);
    assert.deepEqual(planned.params, { day: '2025-04-14' });
    const without = byDay(exporter, {
      model: { source: 'db', ...BY_DAY, params: { day: { type: 'date' } } },
    });
    for (const validated of [activation, without]) {
      const { checks, names } = await validateActivation({ activation: validated, offline: false, signal });
      assert.deepEqual(
        checks.filter(({ outcome }) => outcome !== 'passed'),
        [],
      );
      assert.deepEqual(names, [validated === without ? 'o-{param.day}.csv' : 'o-2025-04-13.csv']);
    }
  }));

test('a table with a filter takes parameters', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = exporter.activation({
      model: { source: 'db', table: 'public.t', where: 'day = :day', params: BY_DAY.params },
      fileName: '{run}',
    });
    const { record } = await exporter.run(activation, { params: { day: '2025-04-14' } });
    assert.equal(record.counts.read, 3, JSON.stringify(record.error));
  }));

test('the sort of partitions is planned with parameters of the types that they were declared with', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = exporter.activation({
      model: {
        source: 'db',
        // A value of unknown type before the operator would be taken for an interval too.
        sql: `select id, brand from t where at >= :since - interval '1 hour'`,
        params: { since: { type: 'timestamp', default: '2025-04-14T12:00:00Z' } },
        primaryKey: ['id'],
      },
      partitionBy: ['brand'],
      fileName: '{run}',
    });
    const { checks } = await validateActivation({ activation, offline: false, signal });
    const found = checks.find(({ check }) => check === 'partitions')!;
    assert.equal(found.outcome, 'passed', JSON.stringify(found));
    assert.equal((await exporter.run(activation)).record.counts.written, 2);
  }));

test('files by partition take parameters too, and validate reports what the sort costs', () =>
  withExporter(async exporter => {
    await exporter.database.sql(TABLE);
    const activation = byDay(exporter, { partitionBy: ['brand'], fileName: '{param.day}/rows' });
    const { record } = await exporter.run(activation, { params: { day: '2025-04-14' } });
    assert.equal(record.state, 'succeeded', JSON.stringify(record.error));
    assert.deepEqual(await exporter.files(), [
      '2025-04-14/brand=__HIVE_DEFAULT_PARTITION__/rows.csv',
      '2025-04-14/brand=b/rows.csv',
      '2025-04-14/brand=it%27s/rows.csv',
    ]);
    const { checks } = await validateActivation({ activation, offline: false, signal });
    assert.deepEqual(
      checks.filter(({ outcome }) => outcome === 'failed'),
      [],
    );
    const planned = await planActivation({ activation, rows: 5, signal, params: { day: '2025-04-14' } });
    assert.deepEqual(
      planned.files.map(({ name, rows }) => [name, rows]),
      record.files.map(({ name, rows }) => [name, rows]),
    );
  }));
