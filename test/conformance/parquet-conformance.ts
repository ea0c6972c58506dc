/**
 * What every engine of the Parquet format has to pass, on rows that come from PostgreSQL
 * through the project's own source. Four readers that share no code with the engines,
 * DuckDB, hyparquet, parquet-wasm and @dsnp/parquetjs, have to read what the database
 * itself says of each value.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import type pg from 'pg';
import type { BufferingEncoder } from '../../src/encoders/encoder.ts';
import { parquetColumns } from '../../src/encoders/parquet/parquet-column.ts';
import type { ParquetOptions } from '../../src/encoders/parquet/parquet-options.ts';
import { SluiceError } from '../../src/errors.ts';
import type { Column, RowBatch } from '../../src/row-batch.ts';
import { everyNth, someOf } from '../support/all-cases.ts';
import { getPostgres, type TestDatabase } from '../support/postgres.ts';
import { batchOf, column } from './encoding.ts';
import { DEFAULT_PARQUET_OPTIONS, parquetTable } from './parquet-arbitraries.ts';
import { PARQUET_TYPES_SETUP, parquetExtremesModel } from './parquet-extremes.ts';
import { askDatabase, assertSameRows } from './parquet-oracle.ts';
import { chunksOf, firstRows, writeFile, writeParts } from './parquet-parts.ts';
import {
  type CanonicalRow,
  duckQuery,
  readWithDuck,
  readWithHyparquet,
  readWithParquetJs,
  readWithParquetWasm,
} from './parquet-readers.ts';
import { readModel } from './read-model.ts';

export type CreateParquetEncoder = (columns: readonly Column[], options: ParquetOptions) => BufferingEncoder;

const HOSTILE_SETTINGS = {
  TimeZone: 'Asia/Kathmandu',
  DateStyle: 'SQL, DMY',
  IntervalStyle: 'sql_standard',
  extra_float_digits: '-15',
  bytea_output: 'escape',
};
const COMPRESSIONS = ['snappy', 'zstd', 'gzip', 'none'] as const;

export function parquetConformance(engine: string, create: CreateParquetEncoder): void {
  describe(`the Parquet engine ${engine}`, () => {
    let database: TestDatabase;
    let client: pg.Client;
    let folder: string;

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'sluice-parquet-'));
      database = await (await getPostgres()).createDatabase({ settings: HOSTILE_SETTINGS });
      client = await database.connect();
      await client.query(PARQUET_TYPES_SETUP);
      await client.query(`create table extremes as ${parquetExtremesModel()}`);
    });
    after(async () => {
      await client.end();
      await database.drop();
      await rm(folder, { recursive: true });
    });

    const path = (): string => join(folder, 'file.parquet');

    async function assertReadsBack(
      file: Buffer,
      columns: readonly Column[],
      options: ParquetOptions,
      expected: readonly CanonicalRow[],
    ): Promise<void> {
      const parquet = parquetColumns(columns, options);
      assertSameRows('DuckDB', await readWithDuck(file, parquet, path()), expected, columns);
      assertSameRows('hyparquet', await readWithHyparquet(file, parquet), expected, columns);
      assertSameRows('parquet-wasm', readWithParquetWasm(file, parquet), expected, columns);
      // It knows no other compressions, and its dictionaries of booleans and fixed bytes
      // are another matter.
      if (options.compression !== 'zstd') {
        assertSameRows('parquetjs', await readWithParquetJs(file, parquet), expected, columns);
      }
    }

    async function assertSameAsDatabase(
      model: string,
      changed: Partial<ParquetOptions> = {},
    ): Promise<Buffer> {
      const options = { ...DEFAULT_PARQUET_OPTIONS, ...changed };
      const { columns, batches } = await readModel(database.url, model);
      const expected = await askDatabase(client, model, parquetColumns(columns, options));
      const file = await writeFile(() => create(columns, options), batches);
      await assertReadsBack(file, columns, options, expected);
      return file;
    }

    function isSupported(compression: ParquetOptions['compression']): boolean {
      try {
        create([column('a')], { ...DEFAULT_PARQUET_OPTIONS, compression });
        return true;
      } catch (error) {
        assert.match((error as Error).message, /^the library engine cannot write Parquet with zstd$/);
        return false;
      }
    }

    async function refusedWith(model: string, changed: Partial<ParquetOptions> = {}): Promise<SluiceError> {
      const { columns, batches } = await readModel(database.url, model);
      const options = { ...DEFAULT_PARQUET_OPTIONS, ...changed };
      try {
        await writeFile(() => create(columns, options), batches);
      } catch (error) {
        assert.ok(error instanceof SluiceError, String(error));
        return error;
      }
      assert.fail(`${model} was written`);
    }

    test('writes every type at its extremes', async () => {
      await assertSameAsDatabase('select * from extremes order by row');
    });

    test('writes the same under every option', async () => {
      const options = COMPRESSIONS.filter(isSupported).flatMap(compression => [
        { compression, dictionary: true, rowGroupRows: 1 },
        { compression, dictionary: false, rowGroupRows: 3 },
        { compression, dictionary: false, rowGroupRows: 122_880 },
      ]);
      for (const changed of everyNth(5, options)) {
        await assertSameAsDatabase('select * from extremes order by row', changed);
      }
    });

    test('gives every column the type that it has in the database', async () => {
      await assertSameAsDatabase('select * from extremes where false');
      const types = await duckQuery(`select column_name, column_type from (describe from '${path()}')`);
      const typeOf = (name: string): unknown => types.find(([column]) => column === `${name}, a type`)?.[1];
      assert.deepEqual(
        Object.fromEntries(Object.keys(DUCK_TYPES).map(name => [name, typeOf(name)])),
        DUCK_TYPES,
      );
    });

    test('writes a schema without rows', async () => {
      const file = await assertSameAsDatabase(
        'select 1 as "a,b", 2::text as "c""d", 3.5 as "Ünicode.x" where false',
      );
      assert.ok(file.length < 500);
      assert.deepEqual(
        await duckQuery(`select num_rows, num_row_groups from parquet_file_metadata('${path()}')`),
        [['0', '0']],
      );
    });

    test('writes columns whose names are numbers, dots, commas and words of JavaScript', async () => {
      await assertSameAsDatabase(
        `select 'first' as "2", 2 as "1", true as "__proto__", 'x' as "a.b", 4 as "a,b", 5 as "constructor", 6 as "é"`,
      );
    });

    test('tells NULL from the empty text', async () => {
      await assertSameAsDatabase(
        `select a, nullif(n, 2) as n, a::bytea as b from (values (1, null), (2, ''), (3, ' '), (4, null), (5, '')) as t (n, a) order by t.n`,
      );
      await assertSameAsDatabase(
        'select null::text as a, null::int as b, null::bool as c from generate_series(1, 20)',
      );
    });

    test('writes control characters, and every other character of the first 300', async () => {
      // Not U+FEFF alone: DuckDB's package takes it for a byte order mark.
      const codes = '(select generate_series(1, 300) union all values (8232), (65534), (1114111))';
      await assertSameAsDatabase(
        `select code, chr(code) as alone, 'a' || chr(code) || 'b' as inside, array[chr(code), 'x'] as array,
                to_json(chr(code)) as json
           from ${codes} as codes (code) order by code`,
      );
    });

    test('keeps halves of surrogate pairs, which json may escape, though DuckDB refuses to read them as JSON', async () => {
      const documents = String.raw`"\ud800" {"\udc00\ud83d":[1,"\ud83d\ude00"]}`
        .replaceAll('\\\\', '\\')
        .split(' ');
      const model = `select document::json from unnest(array['${documents.join("','")}']) as document`;
      const { columns, batches } = await readModel(database.url, model);
      const file = await writeFile(() => create(columns, DEFAULT_PARQUET_OPTIONS), batches);
      const parquet = parquetColumns(columns, DEFAULT_PARQUET_OPTIONS);
      const expected = documents.map(document => [document]);
      assert.deepEqual(await readWithHyparquet(file, parquet), expected);
      assert.deepEqual(await readWithParquetJs(file, parquet), expected);
    });

    test('writes values of a megabyte', async () => {
      await assertSameAsDatabase(
        `select n, repeat('x', 1 << 20) as plain, null::text as "null", repeat(E'é,\\r\\n', 1 << 18) as mixed,
                decode(repeat(md5(n::text), 1 << 15), 'hex') as bytes, array[repeat('"', 1 << 19), null] as array,
                to_json(repeat('\\', 1 << 19)) as json
           from generate_series(1, 3) as n order by n`,
      );
    });

    test('writes 1,600 columns', async () => {
      const fields = [
        "n || ',' || ",
        'n + ',
        "nullif('', '') || ",
        "repeat('', n) || ",
        'n > ',
        '0.5 * n * ',
      ];
      const columns = Array.from({ length: 1600 }, (_, i) => `${fields[i % fields.length]}${i} as c${i}`);
      await assertSameAsDatabase(`select ${columns.join(', ')} from generate_series(1, 3) as n order by n`);
    });

    test('writes many row groups, with statistics that do not hide rows', async () => {
      await assertSameAsDatabase(
        `select n as id, md5(n::text) as hash, n % 7 as digit, case when n % 3 = 0 then null else n / 8.0::float8 end as ratio,
                (n * 1.5)::numeric(12, 2) as amount, date '2000-01-01' + n as day
           from generate_series(1, 5000) as n order by n`,
        { rowGroupRows: 700 },
      );
      assert.deepEqual(
        await duckQuery(`select count(*) from '${path()}' where id > 4321 and day > date '2000-01-01'`),
        [['679']],
      );
      assert.deepEqual(
        await duckQuery(`select id from '${path()}' where amount = 4500.00 or hash = md5('17') order by 1`),
        [[17], [3000]],
      );
      assert.deepEqual(
        await duckQuery(
          `select distinct row_group_id, row_group_num_rows from parquet_metadata('${path()}') order by 1`,
        ),
        Array.from({ length: 8 }, (_, group) => [String(group), group < 7 ? '700' : '100']),
      );
    });

    test('does not hide NaN behind statistics', async () => {
      await assertSameAsDatabase(
        `select n, (array['1', 'NaN', '-0', '5'])[n]::float8 as a, (array['1', 'NaN', '-0', '5'])[n]::float4 as b,
                n::float8 as c from generate_series(1, 4) as n order by n`,
      );
      const count = async (condition: string): Promise<unknown> =>
        (await duckQuery(`select count(*) from '${path()}' where ${condition}`))[0]![0];
      for (const column of ['a', 'b']) {
        assert.equal(await count(`${column} = 'nan'`), '1');
        assert.equal(await count(`${column} > 5`), '1');
        assert.equal(await count(`${column} = 0`), '1');
        assert.equal(await count(`${column} < 0`), '0');
      }
      const statistics = `select path_in_schema, stats_max from parquet_metadata('${path()}') order by column_id`;
      if (engine === 'fast') {
        assert.deepEqual(await duckQuery(statistics), [
          ['n', '4'],
          ['a', null],
          ['b', null],
          ['c', '4.0'],
        ]);
      }
    });

    test('writes numerics without precision as the decimal that the options name', async () => {
      const numeric = { precision: 20, scale: 3 };
      await assertSameAsDatabase(
        `select * from (values (1.5), (-99999999999999999.999), (0), (1.50000), (null)) as t (a)`,
        {
          numeric,
        },
      );
      await assertSameAsDatabase(`select * from (values (1.5), (-2), (12.34000)) as t (a)`, {
        numeric: { precision: 4, scale: 2 },
      });
      for (const value of [
        '1.0001',
        '1e17::numeric',
        "'NaN'::numeric",
        "'Infinity'::numeric",
        '1e30::numeric',
      ]) {
        const error = await refusedWith(
          `select n, case n when 3 then ${value} else 1 end as a from generate_series(1, 4) as n`,
          {
            numeric,
          },
        );
        assert.equal(error.code, 'VALUE_NOT_EXPRESSIBLE');
        assert.match(
          error.message,
          /^column "a", row 3 of the file: \S+ is not a decimal\(20,3\) without loss$/,
        );
      }
    });

    test('refuses what Parquet has no form for, with column and row', async () => {
      const values: readonly (readonly [string, string])[] = [
        ["'infinity'", 'date'],
        ["'-infinity'", 'date'],
        ["'infinity'", 'timestamp'],
        ["'-infinity'", 'timestamptz'],
        ["'294247-01-10 04:00:54.775808'", 'timestamp'],
        ["'294276-12-31 23:59:59.999999+00'", 'timestamptz'],
        ["'24:00:00'", 'time'],
        ["'NaN'", 'numeric(10, 2)'],
        ["'NaN'", 'numeric(38, 2)'],
      ];
      for (const [value, type] of values) {
        const error = await refusedWith(
          `select (case n when 2 then ${value} end)::${type} as "a b" from generate_series(1, 3) as n`,
        );
        assert.equal(error.code, 'VALUE_NOT_EXPRESSIBLE');
        assert.match(error.message, /^column "a b", row 2 of the file: /);
      }
    });

    test('writes the last timestamp that Parquet has', async () => {
      const { columns, batches } = await readModel(
        database.url,
        `select '294247-01-10 04:00:54.775807'::timestamp as a`,
      );
      const file = await writeFile(() => create(columns, DEFAULT_PARQUET_OPTIONS), batches);
      const rows = await readWithHyparquet(file, parquetColumns(columns, DEFAULT_PARQUET_OPTIONS));
      assert.deepEqual(rows, [['9223372036854775807']]);
    });

    test('refuses what is not UTF-8, also where two values together would be', async () => {
      for (const kind of ['text', 'json'] as const) {
        for (const rows of [[Buffer.of(0xff)], ['a', Buffer.of(0xc3), Buffer.of(0xa9)]]) {
          const batch = batchOf(rows.map(value => [value]));
          const error = await writeFile(
            () => create([column('a', kind)], DEFAULT_PARQUET_OPTIONS),
            [batch],
          ).then(
            () => assert.fail('it was written'),
            (error: unknown) => error,
          );
          assert.ok(error instanceof SluiceError && error.code === 'VALUE_NOT_EXPRESSIBLE');
          assert.match(error.message, new RegExp(`column "a", row ${rows.length === 1 ? 1 : 2} of the file`));
        }
      }
    });

    test('refuses two columns of one name', () => {
      assert.throws(
        () => create([column('a'), column('a')], DEFAULT_PARQUET_OPTIONS),
        (error: unknown) => error instanceof SluiceError && error.code === 'COLUMN_DUPLICATE',
      );
    });

    test('makes complete parts of as many rows as they may have, at every count of rows from 0 to 20', async () => {
      const model = `select n, repeat('é,', n) as a, nullif(n % 3, 0) = 1 as b from generate_series(1, 20) as n order by n`;
      const { columns, batches } = await readModel(database.url, model);
      const parquet = parquetColumns(columns, DEFAULT_PARQUET_OPTIONS);
      const expected = await askDatabase(client, model, parquet);
      for (let count = 0; count <= 20; count++) {
        for (const maxFileRows of [1, 3, count, 20].filter(rows => rows > 0)) {
          const parts = await writeParts(
            () => create(columns, { ...DEFAULT_PARQUET_OPTIONS, rowGroupRows: 4 }),
            firstRows(batches, count),
            { maxFileRows },
          );
          assert.deepEqual(
            parts.map(({ rows }) => rows),
            count === 0 ? [0] : chunksOf(count, maxFileRows),
          );
          const read: CanonicalRow[] = [];
          for (const { bytes } of parts) read.push(...(await readWithHyparquet(bytes, parquet)));
          assertSameRows('hyparquet', read, expected.slice(0, count), columns);
        }
      }
    });

    test('never makes a part larger than its limit, and fills it well where it can', async () => {
      const model = `select n, md5(n::text) as hash, repeat(md5(n::text), n % 5) as a, n % 10 as digit
                       from generate_series(1, 20000) as n order by n`;
      const { columns, batches } = await readModel(database.url, model);
      const parquet = parquetColumns(columns, DEFAULT_PARQUET_OPTIONS);
      const expected = await askDatabase(client, model, parquet);
      for (const maxFileBytes of [20_000, 100_000, 300_000]) {
        const parts = await writeParts(
          () => create(columns, { ...DEFAULT_PARQUET_OPTIONS, rowGroupRows: 5000 }),
          batches,
          { maxFileBytes },
        );
        const read: CanonicalRow[] = [];
        for (const [index, { bytes }] of parts.entries()) {
          assert.ok(bytes.length <= maxFileBytes, `${bytes.length} bytes of ${maxFileBytes}`);
          const share = bytes.length / maxFileBytes;
          if (index < parts.length - 1) assert.ok(share > 0.6, `part ${index + 1} is ${share} full`);
          read.push(...(await readWithHyparquet(bytes, parquet)));
        }
        assertSameRows('hyparquet', read, expected, columns);
      }
    });

    test('refuses a row that does not fit a part of its own, and no row that does', async () => {
      const columns = [column('n', 'int32'), column('a')];
      const rowOf = (n: number, bytes: number): RowBatch => batchOf([[String(n), 'x'.repeat(bytes)]]);
      const createOne = (): BufferingEncoder => create(columns, DEFAULT_PARQUET_OPTIONS);
      // Compressed, it fits; its bound does not.
      const fitting = await writeParts(createOne, [rowOf(1, 10), rowOf(2, 100_000), rowOf(3, 10)], {
        maxFileBytes: 20_000,
      });
      assert.ok(fitting.every(({ bytes }) => bytes.length <= 20_000));
      assert.equal(
        fitting.reduce((sum, { rows }) => sum + rows, 0),
        3,
      );
      const alone = await writeFile(createOne, [rowOf(1, 10)]);
      const exact = await writeParts(createOne, [rowOf(1, 10)], { maxFileBytes: alone.length });
      assert.deepEqual(exact[0]!.bytes, alone);
      for (const maxFileBytes of [alone.length - 1, 10]) {
        await assert.rejects(
          writeParts(createOne, [rowOf(1, 10)], { maxFileBytes }),
          (error: unknown) => error instanceof SluiceError && error.code === 'ROW_TOO_LARGE',
        );
      }
    });

    test('writes generated rows of all kinds so that every reader reads them', async () => {
      const property = fc.asyncProperty(parquetTable(), async ({ columns, rows, expected, options }) => {
        if (!isSupported(options.compression)) return;
        const file = await writeFile(() => create(columns, options), [batchOf(rows)]);
        await assertReadsBack(file, columns, options, expected);
      });
      await fc.assert(property, { numRuns: someOf(120), includeErrorInReport: true });
    });

    test('keeps within every limit on generated rows, and loses none', async () => {
      const limits = fc.record({
        maxFileBytes: fc.integer({ min: 2_000, max: 40_000 }),
        maxFileRows: fc.integer({ min: 1, max: 100 }),
        blockBytes: fc.integer({ min: 100, max: 5_000 }),
      });
      const property = fc.asyncProperty(parquetTable(), limits, async (table, limits) => {
        const { columns, rows, expected, options } = table;
        if (!isSupported(options.compression)) return;
        const batches = rows.map(row => batchOf([row]));
        const parts = await writeParts(() => create(columns, options), batches, limits).catch(
          (error: unknown) => {
            if (error instanceof SluiceError && error.code === 'ROW_TOO_LARGE') return undefined;
            throw error;
          },
        );
        if (parts === undefined) return;
        const parquet = parquetColumns(columns, options);
        const read: CanonicalRow[] = [];
        for (const { bytes, rows: rowsOfPart } of parts) {
          assert.ok(bytes.length <= limits.maxFileBytes && rowsOfPart <= limits.maxFileRows);
          read.push(...(await readWithHyparquet(bytes, parquet)));
        }
        assertSameRows('hyparquet', read, expected, columns);
      });
      await fc.assert(property, { numRuns: someOf(100), includeErrorInReport: true });
    });
  });
}

const DUCK_TYPES: Readonly<Record<string, string>> = {
  boolean: 'BOOLEAN',
  int2: 'SMALLINT',
  int4: 'INTEGER',
  int8: 'BIGINT',
  age: 'INTEGER',
  float4: 'FLOAT',
  float8: 'DOUBLE',
  'numeric(1,0)': 'DECIMAL(1,0)',
  'numeric(9,2)': 'DECIMAL(9,2)',
  'numeric(18,6)': 'DECIMAL(18,6)',
  'numeric(19,0)': 'DECIMAL(19,0)',
  'numeric(38,10)': 'DECIMAL(38,10)',
  'numeric(38,38)': 'DECIMAL(38,38)',
  'numeric(3,-2)': 'DECIMAL(5,0)',
  'numeric(2,5)': 'DECIMAL(5,5)',
  'numeric(50,2)': 'VARCHAR',
  numeric: 'VARCHAR',
  date: 'DATE',
  time: 'TIME',
  timestamp: 'TIMESTAMP',
  timestamptz: 'TIMESTAMP WITH TIME ZONE',
  instant: 'TIMESTAMP WITH TIME ZONE',
  uuid: 'UUID',
  json: 'JSON',
  jsonb: 'JSON',
  bytea: 'BLOB',
  text: 'VARCHAR',
  'text[]': 'VARCHAR',
  'int4[]': 'VARCHAR',
  interval: 'VARCHAR',
};
