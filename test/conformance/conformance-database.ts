/** A database whose tables hold what is hard on a format. */
import fc from 'fast-check';
import type pg from 'pg';
import { getPostgres, type TestDatabase } from '../support/postgres.ts';
import { EXTREME_TYPES_SETUP, extremeValuesModel } from './extreme-values.ts';

/** What a session of this database would write is nothing like what is wanted. */
const HOSTILE_SETTINGS = {
  TimeZone: 'Asia/Kathmandu',
  DateStyle: 'SQL, DMY',
  IntervalStyle: 'sql_standard',
  extra_float_digits: '-15',
  bytea_output: 'escape',
};
const GENERATED_ROWS = 150;
const SEED = 20250414;

export interface ConformanceDatabase {
  readonly database: TestDatabase;
  readonly client: pg.Client;
}

/**
 * With the tables `extremes` (a column per type, ordered by `row`) and `generated` (two
 * columns of texts from `text` beside other types, ordered by `id`).
 */
export async function openConformanceDatabase(text: fc.Arbitrary<string>): Promise<ConformanceDatabase> {
  const database = await (await getPostgres()).createDatabase({ settings: HOSTILE_SETTINGS });
  const client = await database.connect();
  await client.query(EXTREME_TYPES_SETUP);
  await client.query(`create table extremes as ${extremeValuesModel()}`);
  await createGeneratedRows(client, text);
  return { database, client };
}

/** Rows of generated texts, beside types that an option or a delimiter may change. */
async function createGeneratedRows(client: pg.Client, text: fc.Arbitrary<string>): Promise<void> {
  // PostgreSQL holds every character but NUL.
  const value = fc.option(
    text.map(characters => characters.replaceAll('\0', '')),
    { freq: 8 },
  );
  const rows = fc.sample(fc.tuple(value, value), { numRuns: GENERATED_ROWS, seed: SEED });
  await client.query(`
    create table generated (
      id int primary key, a text, "b,""|" text, flag boolean, big int8, "float" float8, exact numeric, day date,
      local timestamp, zoned timestamptz, bytes bytea
    )`);
  await client.query(
    `insert into generated
     select n, a, b, nullif(n % 3, 0) = 1, (n - 75) * 100000000000000000::int8,
            (array ['NaN', 'Infinity', '-0', '1e300', '0.1'])[n % 6]::float8, nullif(n % 7, 0) / 8.00,
            (array ['infinity', '0044-03-15 BC', '2020-02-29'])[n % 4]::date,
            (array ['-infinity', '0044-03-15 01:02:03 BC', '2020-02-29 23:59:59'])[n % 4]::timestamp,
            (array ['-infinity', '0044-03-15 01:02:03Z BC', '2020-02-29 23:59:59Z'])[n % 4]::timestamptz,
            decode(md5(n::text), 'hex')
       from unnest($1::text[], $2::text[]) with ordinality as t (a, b, n)`,
    [rows.map(([a]) => a), rows.map(([, b]) => b)],
  );
}
