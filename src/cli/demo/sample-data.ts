/** A table of customers with values that other exporters get wrong, and changes to it. */

export const SAMPLE_ROWS = 3_000;

/**
 * Ids beyond 2^53, quotes, commas, line breaks, NULL beside '', formulas, all kinds of
 * script, long numerics.
 */
export const CREATE_SAMPLE = `
create table customers (
  id bigint primary key,
  name text not null,
  note text,
  balance numeric(24,4),
  country char(2),
  is_active boolean,
  updated_at timestamptz not null
);
insert into customers
select
  9007199254740992 + i,
  (array['Ada "The Countess" Lovelace', 'O''Neil, Shaun', 'Zoë Ångström', '山田 太郎', 'Grace Hopper'])[1 + i % 5],
  case i % 6
    when 1 then E'two\\nlines'
    when 2 then ''
    when 3 then null
    when 4 then '=1+1; "quoted", and more'
    when 5 then '👩‍🚀 à la carte'
    else 'customer number ' || i
  end,
  case when i % 10 = 0 then null else 12345678901234567.0001 * i end,
  (array['FR', 'DE', 'JP', 'BR'])[1 + i % 4],
  i % 3 <> 0,
  timestamptz '2025-04-14 07:00:00.123456+00' + i * interval '1 second'
from generate_series(1, ${SAMPLE_ROWS}) as i;
`;

export const CHANGE_SAMPLE = `
insert into customers values
  (9007199254750001, 'Katherine Johnson', 'new', 1, 'US', true, '2025-04-15 07:00:00+00'),
  (9007199254750002, 'Mary "Mae" Jackson', null, 2.5, 'US', true, '2025-04-15 07:00:01.5+00');
update customers set note = '' where id = 9007199254740995;
update customers set balance = balance + 0.0001 where id in (9007199254740996, 9007199254740997);
delete from customers where id in (9007199254740993, 9007199254740994);
`;

export const CHANGE_IN_WORDS = [
  '2 rows inserted',
  '3 rows updated: one note from NULL to the empty text, two balances by 0.0001',
  '2 rows deleted',
] as const;
