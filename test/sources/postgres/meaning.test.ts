import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { everyNth } from '../../support/all-cases.ts';
import { getPostgres, type TestDatabase, type TestPostgres } from '../../support/postgres.ts';
import { SENSITIVE_TYPES, SENSITIVE_VALUES } from './sensitive-values.ts';
import { readAll, rejectsWith } from './support.ts';

/** Under which every text is as it is to be. */
const CANONICAL = `set datestyle = 'ISO, YMD'; set timezone = 'UTC'; set intervalstyle = 'postgres';
  set extra_float_digits = 3; set bytea_output = 'hex';`;

const DATABASES = {
  'usual settings': {},
  'a zone far east and German dates': {
    TimeZone: 'Pacific/Kiritimati',
    DateStyle: 'German',
    IntervalStyle: 'sql_standard',
    bytea_output: 'escape',
    extra_float_digits: '-5',
  },
  'a zone west and dates of SQL': {
    TimeZone: 'America/New_York',
    DateStyle: 'SQL, DMY',
    IntervalStyle: 'iso_8601',
    extra_float_digits: '0',
  },
  'verbose intervals and Postgres dates': {
    TimeZone: 'Asia/Kathmandu',
    DateStyle: 'Postgres, MDY',
    IntervalStyle: 'postgres_verbose',
    bytea_output: 'escape',
    extra_float_digits: '-15',
    quote_all_identifiers: 'on',
    xmloption: 'document',
  },
} as const;

let postgres: TestPostgres;
before(async () => {
  postgres = await getPostgres();
});

for (const [what, settings] of everyNth(2, Object.entries(DATABASES))) {
  describe(`in a database with ${what}`, () => {
    let db: TestDatabase;
    before(async () => {
      db = await postgres.createDatabase({ settings });
      await db.sql(`set xmloption = 'content'; ${SENSITIVE_TYPES}`);
    });
    after(() => db.drop());

    test('the text of each value is that of the canonical settings', async () => {
      for (const [type, values] of Object.entries(SENSITIVE_VALUES)) {
        // The oracle converts to text in a session of its own.
        const selected = values.map((value, index) => `${value} as v${index}`).join();
        const client = await db.connect();
        try {
          const texts = `set xmloption = 'content'; ${CANONICAL}
            select ${values.map((_, index) => `v${index}::text as v${index}`).join()} from (select ${selected}) v`;
          const results = (await client.query(texts)) as unknown as { rows: Record<string, string>[] }[];
          const expected = Object.values(results.at(-1)!.rows[0]!);
          const { rows } = await readAll(db.url, `select ${selected}`);
          assert.deepEqual(rows, [expected], type);
        } finally {
          await client.end();
        }
      }
    });

    test('a model means what it means in psql', async () => {
      const expressions = [
        `'2025-04-14 20:30+00'::timestamptz::date::text`,
        `date_trunc('day', '2025-04-14 20:30+00'::timestamptz) = '2025-04-14 00:00+00'`,
        `to_char('2024-12-31 23:30+00'::timestamptz, 'YYYY-MM-DD HH24 TZ')`,
        `extract(epoch from '01/02/2003'::timestamptz)::text`,
        `(x || '')::timestamptz::text`,
        `extract(hour from '2025-04-14 20:30+00'::timestamptz)::text`,
        `current_setting('timezone')`,
        `current_setting('datestyle')`,
        `('1 day 02:00'::interval)::text`,
        `(0.1::float8 + 0.2::float8)::text`,
        `('\\x00ff'::bytea)::text`,
        `quote_ident('plain')`,
        `current_setting('xmloption')`,
        `current_setting('search_path')`,
        `1234.5::numeric::money::text`,
      ];
      const model = `select ${expressions.map((text, index) => `${text} as v${index}`).join()} from (values ('2025-04-14 00:30')) t(x)`;
      const [row] = await db.sql<Record<string, string | boolean>>(model);
      const expected = Object.values(row!).map(value =>
        typeof value === 'boolean' ? String(value)[0] : value,
      );
      assert.deepEqual((await readAll(db.url, model)).rows, [expected]);
    });
  });
}

test('thousands of values at random have the text of the canonical settings', async () => {
  const db = await postgres.createDatabase({ settings: DATABASES['verbose intervals and Postgres dates'] });
  try {
    const bits = Buffer.alloc(8);
    const floats = Array.from({ length: 4000 }, (_, index) => {
      randomFillSync(bits);
      // Between 2^52 and 2^134 a decimal may lie right between two doubles.
      if (index % 2 === 0) bits.writeUInt16BE(((1075 + (index % 82)) << 4) | (bits[1]! & 15));
      return { double: bits.readDoubleBE(), single: bits.readFloatBE() };
    });
    const listed = (numbers: number[]): string =>
      `'{${numbers.map(number => (Object.is(number, -0) ? '-0' : number)).join()}}'`;
    await db.sql(`create table drawn as select i as id, d, r,
        date '2000-01-01' + (random() * 4000000 - 2000000)::int as day,
        timestamptz '2000-01-01Z' + (random() * 9e12 - 2e11) * interval '1 second' as at,
        make_interval(months => (random() * 1e4 - 5e3)::int, days => (random() * 100 - 50)::int,
          secs => random() * 1e6 - 5e5) as span
      from unnest(${listed(floats.map(({ double }) => double))}::float8[],
        ${listed(floats.map(({ single }) => single))}::float4[]) with ordinality as f (d, r, i)`);
    const columns = ['d', 'r', 'day', 'at', 'span'];
    const client = await db.connect();
    await client.query(CANONICAL);
    const { rows: expected } = await client.query<Record<string, string>>(
      `select ${columns.map(name => `${name}::text as ${name}`).join()} from drawn order by id`,
    );
    await client.end();
    const { rows } = await readAll(db.url, `select ${columns.join()} from drawn order by id`);
    assert.deepEqual(
      rows,
      expected.map(row => Object.values(row)),
    );
  } finally {
    await db.drop();
  }
});

test('a filter of a segment means what it means in psql', async () => {
  const db = await postgres.createDatabase({ settings: { TimeZone: 'Pacific/Kiritimati' } });
  try {
    await db.sql(`create table t as select 1 as id, timestamptz '2025-04-14 09:59Z' as at
      union all select 2, '2025-04-14 10:01Z'`);
    const { rows } = await readAll(db.url, 'select id, at from t', { where: `at >= '2025-04-15 00:00'` });
    assert.deepEqual(rows, [['2', '2025-04-14 10:01:00+00']]);
  } finally {
    await db.drop();
  }
});

test('timezone is the zone in which a model runs, and not the one in which instants are written', async () => {
  const db = await postgres.createDatabase({ settings: { TimeZone: 'Pacific/Kiritimati' } });
  try {
    const model = `select current_setting('timezone') as zone, at::date::text as day, at from (values (timestamptz '2025-04-14 22:30Z')) t(at)`;
    const { rows } = await readAll(db.url, model, { timezone: 'Europe/Paris' });
    assert.deepEqual(rows, [['Europe/Paris', '2025-04-15', '2025-04-14 22:30:00+00']]);
  } finally {
    await db.drop();
  }
});

test('what a model changes itself while it runs is seen, and decides nothing about what is written', async () => {
  const db = await postgres.createDatabase({ settings: { TimeZone: 'UTC' } });
  try {
    const values = `timestamptz '2025-04-14 22:30Z' as at, 0.1::float8 as f`;
    const model = `select set_config('timezone', 'Asia/Tokyo', true) as zone, set_config('extra_float_digits', '-9', true) as digits, ${values}`;
    const { rows } = await readAll(db.url, model);
    assert.deepEqual(rows, [['Asia/Tokyo', '-9', '2025-04-14 22:30:00+00', '0.1']]);

    await db.sql(
      `create function moves() returns text language sql as $$ select set_config('timezone', 'Asia/Tokyo', true) $$`,
    );
    const moved = await rejectsWith(
      readAll(db.url, `select moves() as zone, ${values}`),
      'SOURCE_QUERY_FAILED',
    );
    assert.match(moved.message, /changed TimeZone while it was read/);
    assert.deepEqual((await readAll(db.url, `select moves() as zone, 1 as id`)).rows, [['Asia/Tokyo', '1']]);
  } finally {
    await db.drop();
  }
});
