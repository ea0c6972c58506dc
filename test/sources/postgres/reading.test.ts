import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import pg from 'pg';
import type { RowBatch } from '../../../src/row-batch.ts';
import { BATCH_BYTES, type DataRowStream } from '../../../src/sources/postgres/data-row-stream.ts';
import { getPostgres, type TestDatabase } from '../../support/postgres.ts';
import { fromBatch, type Row } from '../../support/row-batches.ts';
import { backPressured, createSource, ENDLESS, readAll, rejectsWith, startReading } from './support.ts';

let db: TestDatabase;
before(async () => {
  db = await (await getPostgres()).createDatabase();
});
after(() => db.drop());

/**
 * The same rows by the driver's own means: every value as the text that the server sent.
 */
async function readByDriver(sql: string): Promise<Row[]> {
  const client = await db.connect();
  try {
    const types = { getTypeParser: () => (text: string) => text } as unknown as pg.CustomTypesConfig;
    const { rows } = await client.query<(string | null)[]>({ text: sql, rowMode: 'array', types });
    return rows;
  } finally {
    await client.end();
  }
}

describe('row counts around the fetch size', () => {
  for (const fetchSize of [0, 1, 5]) {
    test(`fetchSize ${fetchSize}`, async () => {
      for (const count of [0, 1, 4, 5, 6, 10, 11]) {
        const sql = `select id::text, nullif(id, 3) as other from generate_series(1, ${count}) id`;
        const { rows } = await readAll(db.url, sql, { fetchSize });
        assert.deepEqual(rows, await readByDriver(sql));
        assert.equal(rows.length, count);
      }
    });
  }
});

test('every fetch size gives the same rows, also to a sink that stops', async () => {
  const sql = `select generate_series(1, 20000) as id, repeat('y', 200) as filler`;
  for (const fetchSize of [0, 19_999, 20_000, 20_001, 777]) {
    const reading = await startReading(db.url, { open: false, sql, fetchSize });
    assert.ok(reading.gate.rows < 5_000);
    reading.gate.open();
    assert.deepEqual(await reading.flowing, { rows: 20_000 });
    assert.equal(reading.gate.rows, 20_000);
    await reading.source.close();
  }
});

test('a sink that stops holds the fetches back', async () => {
  for (const fetchSize of [1, 10, 400]) {
    const source = createSource(db.url, ENDLESS, { fetchSize });
    const { columns } = await source.describe();
    const stream = source.read(columns) as DataRowStream;
    for await (const _ of stream) {
      for (let roundTrips = 0; roundTrips < 15; roundTrips += 1) await db.sql('select 1');
      // Two batches of the stream's own, and not a third.
      assert.ok(stream.readableLength <= 2, `${stream.readableLength} batches wait`);
      break;
    }
    await source.close();
  }
});

describe('large rows', () => {
  test('1,600 columns', async () => {
    const list = Array.from({ length: 1600 }, (_, index) => `${index} as c${index}`).join(', ');
    const { columns, rows } = await readAll(db.url, `select ${list} from generate_series(1, 40)`);
    assert.equal(columns.length, 1600);
    const row = Array.from({ length: 1600 }, (_, index) => String(index));
    assert.deepEqual(rows, Array(40).fill(row));
  });

  test('a value of 64 MB, and rows behind it', async () => {
    const sql = `select id, case id when 2 then repeat('z', 64000000) else 'small' end as value
      from generate_series(1, 3) id`;
    const source = createSource(db.url, sql);
    const { columns } = await source.describe();
    const lengths: number[] = [];
    for await (const batch of source.read(columns)) {
      for (const row of fromBatch(batch as RowBatch, 2)) lengths.push(row[1]!.length);
    }
    assert.deepEqual(lengths, [5, 64_000_000, 5]);
    assert.deepEqual(await source.finish(), { rows: 3 });
    await source.close();
  });

  test('a row above the limit is refused by name of column and number of row', async () => {
    const limit = { maxRowBytes: 300_000 };
    const fits = `select 1 as id, repeat('a', 280000) as body, 'x' as tail`;
    assert.equal((await readAll(db.url, fits, limit)).rows[0]![1]!.length, 280_000);
    // Wherever in a buffer the row begins.
    for (const before of [0, 1, 13_105, 13_106, 13_107, 30_000]) {
      const sql = `select id, case when id > ${before} then repeat('b', 400000) else '12' end as body, 'x' as tail
        from generate_series(1, ${before + 2}) id`;
      const error = await rejectsWith(readAll(db.url, sql, limit), 'SOURCE_VALUE_TOO_LARGE');
      const expected = new RegExp(
        `reading model customers: row ${before + 1} has 4000\\d\\d bytes, 400000 of them in column "body"; the limit is 300000 bytes a row`,
      );
      assert.match(error.message, expected);
      assert.equal(error.retryable, false);
    }
  });

  test('any mix of sizes gives what the driver gives', async () => {
    await db.sql('create table mixed (place int, value text, other text)');
    const near = fc.integer({ min: -20, max: 20 }).map(delta => Math.max(0, BATCH_BYTES + delta));
    const size = fc.oneof(
      fc.constant(null),
      fc.integer({ min: 0, max: 50 }),
      fc.integer({ min: 0, max: 100_000 }),
      near,
      fc.integer({ min: 0, max: 3 * BATCH_BYTES }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(size, size), { maxLength: 12 }),
        fc.constantFrom(0, 1, 3),
        async (sizes, fetchSize) => {
          const values = sizes.map(([a, b], place) => `(${place}, repeat('v', ${a}), repeat('ü', ${b} / 2))`);
          await db.sql(`truncate mixed; ${values.length > 0 ? `insert into mixed values ${values}` : ''}`);
          const sql = 'select value, place, other from mixed order by place';
          const { rows } = await readAll(db.url, sql, { fetchSize });
          assert.deepEqual(rows, await readByDriver(sql));
        },
      ),
      { numRuns: 25 },
    );
  });
});

test('NULL, the empty text and zero columns', async () => {
  const sql = `select null as a, '' as b, null::int as c, ''::bytea as d from generate_series(1, 2)`;
  const row = [null, '', null, '\\x'];
  assert.deepEqual((await readAll(db.url, sql)).rows, [row, row]);
  assert.deepEqual((await readAll(db.url, 'select from generate_series(1, 3)')).rows, [[], [], []]);
});

describe('ways to write a model', () => {
  before(() => db.sql(`create table letters as select 'a' as letter union all select 'b'`));

  const models: readonly (readonly [string, string])[] = [
    ['a closing semicolon', 'select letter from letters;'],
    ['semicolons and white space', 'select letter from letters ; \n ;\t\n'],
    ['a comment at the end', 'select letter from letters -- all of them'],
    ['a comment behind the semicolon', 'select letter from letters; -- all; of them\n/* really; */ \n'],
    ['a semicolon in a comment at the end', 'select letter from letters -- all of them;'],
    ['a comment at the beginning', '-- first\nselect letter from letters'],
    ['white space around', '\n\t select letter from letters \r\n '],
    ['table', 'table letters'],
    ['values', `values ('a'), ('b')`],
    ['with', `with l as (select letter from letters) select * from l`],
    [
      'a recursive with',
      `with recursive l(n) as (select 97 union all select n + 1 from l where n < 98) select chr(n) from l`,
    ],
    ['union', `select 'a' union all select 'b'`],
    ['order and limit', 'select letter from letters order by 1 limit 2 offset 0'],
    ['parentheses', '(select letter from letters)'],
    [
      'strings that look like ends',
      `select letter from letters where ';--' <> E'\\';--' and $$;--$$ <> $x$;$x$ and ';' = ';'`,
    ],
    ['a window', 'select chr(96 + row_number() over ()::int) from letters'],
  ];
  for (const [what, sql] of models) {
    test(what, async () => {
      const { rows } = await readAll(db.url, sql);
      assert.deepEqual(rows.map(([letter]) => letter).sort(), ['a', 'b']);
    });
  }

  test('a filter, one that ends with a comment, and one with an or', async () => {
    const sql = 'select letter from letters;';
    assert.deepEqual((await readAll(db.url, sql, { where: `letter = 'b'` })).rows, [['b']]);
    assert.deepEqual((await readAll(db.url, sql, { where: `letter = 'b' -- only` })).rows, [['b']]);
    assert.equal((await readAll(db.url, sql, { where: `letter = 'b' or letter = 'a'` })).rows.length, 2);
  });

  test('a strange string at the end keeps what belongs to it', async () => {
    assert.deepEqual((await readAll(db.url, `select ';' as "a;"`)).rows, [[';']]);
    assert.deepEqual((await readAll(db.url, `select E'\\'; --' as a`)).rows, [["'; --"]]);
    assert.deepEqual((await readAll(db.url, `select 'it''s; -- so' as a;`)).rows, [["it's; -- so"]]);
  });
});

describe('columns', () => {
  test('names with quotes, case, spaces and letters of any script', async () => {
    const names = [
      'Last Name',
      'a"b',
      "it's",
      'naïve',
      '名前',
      '🙂',
      'select',
      'a;b',
      '--',
      '$1',
      '%',
      '?column?',
    ];
    const list = names.map((name, index) => `${index} as ${pg.escapeIdentifier(name)}`).join(', ');
    const { columns, rows } = await readAll(db.url, `select ${list}`);
    assert.deepEqual(
      columns.map(column => column.name),
      names,
    );
    assert.deepEqual(rows, [names.map((_, index) => String(index))]);
  });

  test('one name for two columns is refused, with the name', async () => {
    for (const where of [undefined, 'true']) {
      const twice = readAll(db.url, 'select 1 as id, 2 as name, 3 as id', { where });
      const error = await rejectsWith(twice, 'COLUMN_DUPLICATE');
      assert.match(error.message, /more than one column named "id"; its columns are id, name, id/);
    }
  });

  test('an error of the filter is not taken for a repeated name', async () => {
    const both = readAll(db.url, 'select 1 as id, 3 as id', { where: 'nothing = 1' });
    await assert.rejects(both, /"nothing" does not exist|more than one column named "id"/);
  });

  test('the asked-for columns only, in the asked-for order, also twice', async () => {
    const source = createSource(db.url, `select 1 as a, 'x'::text as b, 2.5 as c`);
    const { columns } = await source.describe();
    const [a, b, c] = columns;
    const batches = (await source.read([c!, a!, c!, { ...b!, name: 'renamed' }]).toArray()) as RowBatch[];
    assert.deepEqual(fromBatch(batches[0]!, 4), [['2.5', '1', '2.5', 'x']]);
    await source.finish();
    await source.close();
  });

  test('kinds and types of the server, domains by their base type', async () => {
    await db.sql(`create schema other; create domain email as varchar(40) check (value like '%@%');
      create domain amount as numeric(12,2); create type mood as enum ('sad', 'glad');
      create type other.point3 as (x int, y int, z int); create domain emails as email[]`);
    const expected: readonly (readonly [string, string, string, number?, number?])[] = [
      ['true', 'boolean', 'boolean'],
      ['1::int2', 'int16', 'smallint'],
      ['1', 'int32', 'integer'],
      ['1::int8', 'int64', 'bigint'],
      ['1::real', 'float32', 'real'],
      ['1::float8', 'float64', 'double precision'],
      ['1.5', 'numeric', 'numeric'],
      ['1::numeric(12,2)', 'numeric', 'numeric(12,2)', 12, 2],
      ['1::numeric(1000,0)', 'numeric', 'numeric(1000,0)', 1000, 0],
      ['12345::numeric(3,-2)', 'numeric', 'numeric(3,-2)', 3, -2],
      ['0.001::numeric(3,5)', 'numeric', 'numeric(3,5)', 3, 5],
      ['1::amount', 'numeric', 'numeric(12,2)', 12, 2],
      [`date '2025-01-01'`, 'date', 'date'],
      [`time '10:00'`, 'time', 'time without time zone'],
      [`timetz '10:00+02'`, 'text', 'time with time zone'],
      [`timestamp(3) '2025-01-01 10:00'`, 'timestamp', 'timestamp(3) without time zone'],
      [`timestamptz '2025-01-01 10:00Z'`, 'timestamptz', 'timestamp with time zone'],
      [`interval '1 day'`, 'text', 'interval'],
      [`gen_random_uuid()`, 'uuid', 'uuid'],
      [`'{}'::json`, 'json', 'json'],
      [`'{}'::jsonb`, 'json', 'jsonb'],
      [`'x'::bytea`, 'bytes', 'bytea'],
      [`'x'::text`, 'text', 'text'],
      [`'x'::varchar(5)`, 'text', 'character varying(5)'],
      [`'x'::char(5)`, 'text', 'character(5)'],
      [`'x'::"char"`, 'text', '"char"'],
      [`'a@b'::email`, 'text', 'character varying(40)'],
      [`'glad'::mood`, 'text', 'mood'],
      [`row(1,2,3)::other.point3`, 'text', 'other.point3'],
      ['array[1,2]', 'text', 'integer[]'],
      [`'{1.25}'::numeric(5,2)[]`, 'text', 'numeric(5,2)[]'],
      [`'{a@b}'::emails`, 'text', 'email[]'],
      ['int4range(1,2)', 'text', 'int4range'],
      [`'<a/>'::xml`, 'text', 'xml'],
      ['1::money', 'numeric', 'money', 19, 2],
      ['1::oid', 'text', 'oid'],
      [`'pg_class'::regclass`, 'text', 'regclass'],
      [`inet '10.0.0.1'`, 'text', 'inet'],
      [`B'101'::bit(3)`, 'text', 'bit(3)'],
      ['null', 'text', 'text'],
      ['row(1)', 'text', 'record'],
    ];
    const list = expected.map(([value], index) => `(${value}) as c${index}`);
    // `unknown` becomes text and a record has no name only at the top: it is as the
    // export sees it.
    const { columns, rows } = await readAll(db.url, `select ${list.join(', ')}`);
    assert.equal(rows.length, 1);
    const seen = columns.map(({ kind, sourceType, precision, scale }, index) => [
      expected[index]![0],
      kind,
      sourceType,
      ...(precision === undefined ? [] : [precision, scale]),
    ]);
    assert.deepEqual(seen, expected);
  });
});

describe('one consistent snapshot', () => {
  test('changes of others are seen neither after describe nor while reading', async () => {
    await db.sql(`create table changing as select id, repeat('w', 500) as filler, 0 as version
      from generate_series(1, 40000) id`);
    const applicationName = 'sluice in the middle';
    const slow = createSource(db.url, 'select id, filler, version from changing', { applicationName });
    const description = await slow.describe();
    const versions = new Set<string | null>();
    let changed = false;
    for await (const batch of slow.read(description.columns)) {
      for (const row of fromBatch(batch as RowBatch, 3)) versions.add(row[2]!);
      if (changed) continue;
      await backPressured(db, { applicationName });
      await db.sql(`update changing set version = 1; delete from changing where id > 39000;
        insert into changing select 100000 + id, '', 2 from generate_series(1, 10) id`);
      changed = true;
    }
    assert.deepEqual(await slow.finish(), { rows: 40_000 });
    assert.deepEqual([...versions], ['0']);
    await slow.close();

    const source = createSource(db.url, 'select count(*) from changing');
    const { columns } = await source.describe();
    await db.sql('delete from changing');
    const batches = (await source.read(columns).toArray()) as RowBatch[];
    assert.deepEqual(fromBatch(batches[0]!, 1), [['39010']]);
    await source.finish();
    await source.close();
  });

  test('snapshotTime: all that was committed before it is there, to the millisecond', async () => {
    await db.sql('create table stamped (at timestamptz)');
    for (let round = 0; round < 5; round += 1) {
      const [before] = await db.sql<{ at: string }>(
        `insert into stamped values (clock_timestamp()) returning (extract(epoch from at) * 1000)::text as at`,
      );
      const source = createSource(db.url, 'select count(*) from stamped');
      const { columns, snapshotTime } = await source.describe();
      const [after] = await db.sql<{ at: string }>(
        `insert into stamped values (clock_timestamp()) returning (extract(epoch from at) * 1000)::text as at`,
      );
      assert.ok(Math.floor(Number(before!.at)) <= snapshotTime.getTime());
      assert.ok(snapshotTime.getTime() <= Number(after!.at));
      const [batch] = (await source.read(columns).toArray()) as RowBatch[];
      assert.deepEqual(fromBatch(batch!, 1), [[String(2 * round + 1)]]);
      await source.finish();
      await source.close();
    }
  });

  test('dialect: the major version of the server and the version of the pinned settings', async () => {
    const [row] = await db.sql<{ version: string }>(
      `select current_setting('server_version_num') as version`,
    );
    const source = createSource(db.url, 'select 1');
    const { dialect } = await source.describe();
    await source.close();
    assert.equal(dialect, `postgres ${Math.floor(Number(row!.version) / 10_000)}, settings 1`);
  });
});
