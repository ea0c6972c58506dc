import pg from 'pg';

/**
 * The table that all figures are about, and two variants of it that differ in a share of
 * their rows. A delta case reads a view that is switched between variants, so that each
 * of its runs sees just that share changed and nothing is rewritten.
 */
const COLUMNS = `i as id,
  'user' || i || '@example' || (i % 97) || '.com' as email,
  (array['Anna','Bob','Chloé','Dmitri','Eve','Farid','Grace','Hugo'])[1 + i % 8] as first_name,
  (array['Martin','O''Brien','Smith, Jr','Dupont','Nguyen','García'])[1 + i % 6] as last_name,
  '+33' || (600000000 + (i * 7919) % 99999999) as phone,
  18 + (i * 31) % 70 as age,
  (i % 3 = 0) as is_active,
  round((((i * 104729) % 1000000) / 100.0)::numeric, 2) as lifetime_value,
  timestamptz '2020-01-01' + (((i * 6007) % 150000000) || ' seconds')::interval as last_seen,
  (date '1950-01-01' + ((i * 13) % 20000)::int) as birthday,
  (array['FR','DE','US','GB','ES','IT','NL'])[1 + i % 7] as country,
  case when i % 5 = 0 then null else 'segment note "' || md5(i::text) || '"' end as note`;

/** The same rows without a table, made as they are read. */
export const generatedRows = (rows: number): string =>
  `select ${COLUMNS} from generate_series(1::bigint, ${rows}::bigint) i`;

export type Variant = 'customers' | 'customers_1' | 'customers_20';

const DIFFERS: Readonly<Record<Variant, string>> = {
  customers: 'false',
  customers_1: 'id % 100 = 0',
  customers_20: 'id % 5 = 0',
};

/** Makes the tables that are not there with this many rows. */
export async function makeTables(url: string, rows: number): Promise<void> {
  for (const [table, differs] of Object.entries(DIFFERS)) {
    const from =
      table === 'customers'
        ? generatedRows(rows)
        : `select id, email, first_name, last_name, phone, case when ${differs} then age + 100 else age end as age,
             is_active, lifetime_value, last_seen, birthday, country, note from customers`;
    await makeTable(url, table, from, rows);
  }
}

/** Makes the table of what a query gives, unless it is there with so many rows. */
export async function makeTable(url: string, table: string, from: string, rows: number): Promise<void> {
  await query(url, async client => {
    const { rows: found } = await client.query(`select to_regclass($1) is not null as there`, [table]);
    if (found[0].there) {
      const { rows: counted } = await client.query(`select count(*)::int as count from ${table}`);
      if (counted[0].count === rows) return;
      await client.query(`drop table ${table} cascade`);
    }
    await client.query(`create table ${table} as ${from}`);
    await client.query(`alter table ${table} add primary key (id)`);
    await client.query(`vacuum analyze ${table}`);
  });
}

/** Points the view at one of the tables. */
export async function showVariant(url: string, view: string, variant: Variant): Promise<void> {
  await query(url, client => client.query(`create or replace view ${view} as select * from ${variant}`));
}

async function query(url: string, act: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await act(client);
  } finally {
    await client.end();
  }
}
