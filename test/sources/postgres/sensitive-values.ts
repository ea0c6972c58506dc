/**
 * Values whose text depends on settings of a session, by the name of their type, as SQL
 * expressions.
 */
const FLOATS = ['0', '-0', '0.1', '1e15', '1e-5', '123456789012345680', 'NaN', '-Infinity'];
const FLOAT8 = [...FLOATS, '1.7976931348623157e308', '5e-324', '2.2250738585072014e-308', '9007199254740993'];
const FLOAT4 = [...FLOATS, '3.4028235e38', '1e-45', '1.1754944e-38', '16777216', '1860120.25'];
const DAYS = ['epoch', '2000-02-29', '1999-12-31', '0001-01-01', '4713-01-01 BC', '0044-03-15 BC'];
const INSTANTS = [
  '2025-04-14 20:30:00+00',
  '1969-12-31 23:59:59.999999+00',
  '2000-01-01 00:00:00.000001+00',
  '2024-12-31 23:30:00.5+00',
  '294276-12-31 23:59:59.999999+00',
  '4713-01-01 00:00:00.1+00 BC',
  'infinity',
  '-infinity',
];
const INTERVALS = [
  '0',
  '1 year 2 mons 3 days 04:05:06.7',
  '-1 year +2 mons -3 days +04:05:06.000001',
  '1 day -00:00:01',
  '-1 days +00:00:01',
  '-1 mons',
  '14 mons',
  '-00:00:00.5',
  '178956970 years 7 mons 2147483647 days',
  '-178956970 years -8 mons -2147483648 days -1000:00:00.5',
  '100000 hours',
];

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const of = (type: string, values: readonly string[]): string[] =>
  values.map(value => `${quote(value)}::${type}`);

export const SENSITIVE_VALUES: Readonly<Record<string, readonly string[]>> = {
  date: of('date', [...DAYS, '5874897-12-31', '10000-01-01', 'infinity', '-infinity']),
  time: of('time', ['00:00', '24:00:00', '23:59:59.999999', '07:00:00.5']),
  timetz: of('timetz', ['10:00+02', '24:00:00-15:59:59', '01:02:03.45+05:30', '00:00+00:00:01']),
  timestamp: of(
    'timestamp',
    INSTANTS.map(text => text.replace('+00', '')),
  ),
  timestamptz: of('timestamptz', INSTANTS),
  interval: of('interval', INTERVALS),
  float8: of('float8', FLOAT8),
  float4: of('float4', FLOAT4),
  bytea: [`''::bytea`, `'\\xdeadbeef'::bytea`, `'\\x00'::bytea`, `decode(repeat('5c27ff', 40), 'hex')`],
  point: of('point', ['(0.1,1e300)', '(NaN,-Infinity)']),
  line: of('line', ['{1,-0.1,3}']),
  lseg: of('lseg', ['[(0.1,2),(3,4)]']),
  box: of('box', ['((0.1,2),(3,4))']),
  path: of('path', ['[(0.1,2),(3,4)]', '((0.1,2),(3,4),(5,6))']),
  polygon: of('polygon', ['((0.1,2),(3,4),(5,6))']),
  circle: of('circle', ['<(0.1,2),3.3>']),
  'timestamptz[]': [
    `'{}'::timestamptz[]`,
    `array['2025-04-14 20:30:00+00', null, 'infinity']::timestamptz[]`,
    `'[2:3]={2025-04-14 20:30:00+00,2025-04-15 20:30:00+00}'::timestamptz[]`,
    `'[0:0][-1:0]={{2025-04-14 20:30:00+00,2025-04-15 20:30:00+00}}'::timestamptz[]`,
  ],
  'date[]': [`array['2025-12-31', null]::date[]`],
  'interval[]': [`array['1 day 02:00', '-00:00:01', null]::interval[]`],
  'bytea[]': [`array['\\xdead', null, '']::bytea[]`],
  'float8[]': [`array[0.1, 'NaN', 1e15]::float8[]`],
  'box[]': [`array['((0.1,2),(3,4))', null, '((1,2),(3,4))']::box[]`],
  'time[]': [`array['24:00', null]::time[]`],
  tstzrange: [
    `tstzrange('2025-02-01 00:00+00', null)`,
    `'empty'::tstzrange`,
    `tstzrange('-infinity', '2025-02-01 00:00+00', '[]')`,
  ],
  daterange: [`daterange('2025-02-01', '2025-03-01')`],
  tstzmultirange: [
    `'{}'::tstzmultirange`,
    `tstzmultirange(tstzrange('2025-02-01 00:00+00', '2025-03-01 00:00+00'), tstzrange('2025-04-01 00:00+00', null))`,
  ],
  'tstzrange[]': [`array[tstzrange('2025-02-01 00:00+00', null), null, 'empty']`],
  everything: [EVERYTHING()],
  'everything[]': [`array[null, ${EVERYTHING()}]`],
  record: [
    `row(1, timestamptz '2025-02-01 00:00+00', 'a "b" \\ c', null, '', row('x,y', date '2025-02-01'))`,
  ],
  'record[]': [`array[row(1, date '2025-02-01'), row(2, null)]`],
  'instants (domain)': [`'2025-02-01 00:00+00'::instant`],
  'domains in an array': [`array['2025-02-01 00:00+00', null]::instant[]`],
  'a domain over an array': [`array['2025-02-01 00:00+00']::instants`],
  'domains over arrays in an array': [`array[array['2025-02-01 00:00+00']::instants]`],
  "a user's range": [`spanrange('1 day 02:00', '3 days')`],
};

/**
 * One value of each type that does not depend on settings, in a row with one that does.
 */
function EVERYTHING(): string {
  return `row('2025-02-01 00:00+00', true, -32768, 2147483647, -9223372036854775808, '00012000.3400', 'NaN', 1e-30,
    12345678901234567890, '6ba7b810-9dad-11d1-80b4-00c04fd430c8', '{"a": [1, "x\\\\y"]}', '{"b": 1.50}', 'a b', '', 'ж"\\',
    'abc', 'n', 'happy', B'10110', B'1', '192.168.1.5', '10.0.0.0/8', '2001:db8::1/64', '::ffff:1.2.3.4', '::/0',
    '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '42', '(3,4)', '16/B374D848', '10:20:10,14', $x$'it''s' b:1A,2$x$, '$.a[*]',
    '<a b="c"/>', '{1,2}', array[1, null], array['a', 'NULL', null], int4range(1, 5), '{[1,3),[5,9)}', '1 2 3', 'x', '7', '8')::everything`;
}

export const SENSITIVE_TYPES = `
  create type mood as enum ('sad', 'happy');
  create domain instant as timestamptz;
  create domain instants as instant[];
  create type spanrange as range (subtype = interval);
  create type everything as (a timestamptz, b bool, c int2, d int4, e int8, f numeric, g numeric, h numeric,
    i numeric(30), j uuid, k jsonb, l json, m text, n varchar, o text,
    p bpchar(5), q name, r mood, s bit(5), t varbit, u inet, v cidr, w inet, x inet, y inet,
    z macaddr, aa macaddr8, ab oid, ac tid, ad pg_lsn, ae pg_snapshot, af tsvector, ag jsonpath,
    ah xml, ai int[], aj int[], ak text[], al int4range, am int4multirange, an int2vector, ao "char", ap xid, aq xid8);`;
