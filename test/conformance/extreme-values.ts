/** Every kind of type that PostgreSQL has, at its extremes, as literals. */

export const EXTREME_TYPES_SETUP = `
  create type mood as enum ('ok', 'so, so', '"sad"', '');
  create type pair as (a int, b text);
  create domain yes as boolean check (value);
  create domain instant as timestamptz;
  create domain age as int check (value >= 0);
`;

const LONGEST_NUMERIC = `${'9'.repeat(131_072)}.${'9'.repeat(16_383)}`;
const SMALLEST_NUMERIC = `0.${'0'.repeat(16_382)}1`;

const EXTREMES: Readonly<Record<string, readonly string[]>> = {
  boolean: ['true', 'false'],
  yes: ['true'],
  int2: ['-32768', '32767', '0'],
  int4: ['-2147483648', '2147483647'],
  int8: ['-9223372036854775808', '9223372036854775807', '9007199254740993'],
  age: ['0', '2147483647'],
  oid: ['0', '4294967295'],
  xid8: ['18446744073709551615'],
  pg_lsn: ['FFFFFFFF/FFFFFFFF'],
  regclass: ['pg_class'],
  numeric: [
    LONGEST_NUMERIC,
    `-${LONGEST_NUMERIC}`,
    SMALLEST_NUMERIC,
    'NaN',
    'Infinity',
    '-Infinity',
    '0.00',
    '1.50',
  ],
  'numeric(12,2)': ['-9999999999.99', '0', 'NaN'],
  'numeric(3,-2)': ['99900', '-100'],
  float4: [
    '3.4028235e38',
    '-3.4028235e38',
    '1e-45',
    'NaN',
    'Infinity',
    '-Infinity',
    '-0',
    '0.1',
    '16777216',
    '1e15',
  ],
  float8: [
    '1.7976931348623157e308',
    '5e-324',
    'NaN',
    'Infinity',
    '-Infinity',
    '-0',
    '0.30000000000000004',
    '1e15',
    '1e16',
  ],
  date: ['4714-11-24 BC', '5874897-12-31', 'infinity', '-infinity', '2000-02-29', '0001-12-31 BC'],
  time: ['00:00', '24:00:00', '23:59:59.999999'],
  timetz: ['00:00:00+15:59:59', '24:00:00-15:59:59', '12:00:00.000001+05:30'],
  timestamp: [
    '4714-11-24 00:00:00 BC',
    '294276-12-31 23:59:59.999999',
    'infinity',
    '-infinity',
    '2000-01-01 00:00:00.1',
    '0044-03-15 12:00:00.000001 BC',
  ],
  timestamptz: [
    '4714-11-24 00:00:00+00 BC',
    '294276-12-31 23:59:59.999999+00',
    'infinity',
    '-infinity',
    '2020-06-01 12:00:00.000001+05:45',
    '0044-03-15 12:00:00+00 BC',
    '1900-01-01 00:00:00 Europe/Paris',
  ],
  instant: ['2020-01-01 00:00:00+00', 'infinity'],
  interval: [
    '178000000 years',
    '-178000000 years',
    '-1 year -2 mons +3 days -04:05:06.000001',
    '0',
    '1 day ago',
    '2147483647 days 23:59:59.999999',
  ],
  bytea: ['\\x', '\\x00ff0a0d222c5c', '\\xdeadbeef'],
  uuid: ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
  json: [
    '{"a": [1, "x,y", "\\"", null], "n": 123456789012345678901234567890.10, "a": 2}',
    ' [ ] ',
    '{\n"a":\t1}',
    'null',
    '"\\u0000"',
    '"\\ud800"',
    '{"\\udc00\\ud83d": "\\ud83d\\ude00"}',
    '-1',
  ],
  jsonb: ['{"b": 1, "a": "x,\\"y\\"\\n"}', '[]', 'null', '""', '1e400', '1.50'],
  jsonpath: ['$."a,b"[*] ? (@ > 1)'],
  'int4[]': ['{}', '{1,NULL,-2}', '[0:1]={1,2}', '{{1,2},{3,4}}'],
  'text[]': ['{"a,b","c\\"d",NULL,"NULL","",é," "}', '{}', '{"\\\\"}', '{"\n"}'],
  'timestamptz[]': ['{"2020-01-01 00:00:00+00",infinity}'],
  'boolean[]': ['{t,f,NULL}'],
  pair: ['(1,"a,b")', '(,)', '(,"")', '(-1,"""")'],
  'pair[]': ['{"(1,\\"a,b\\")",NULL}'],
  mood: ['ok', 'so, so', '"sad"', ''],
  inet: ['::ffff:1.2.3.4/96', '255.255.255.255', '10.0.0.0/8'],
  cidr: ['10.0.0.0/8', '::/0'],
  macaddr: ['08:00:2b:01:02:03'],
  macaddr8: ['08:00:2b:ff:fe:01:02:03'],
  'bit(3)': ['000', '111'],
  varbit: ['', '1'.repeat(100)],
  tsvector: ["'a':1A 'b,c':2,3B 'it''s'", ''],
  tsquery: ["'a' & !'b,c'", ''],
  int4range: ['empty', '[1,10)', '(,)', '[-2147483648,2147483647)'],
  numrange: ['[1.50,Infinity]', '(,-1]'],
  daterange: ['[-infinity,2020-01-01)'],
  tstzrange: ['["2020-01-01 00:00:00+00",infinity]'],
  int4multirange: ['{}', '{[1,2),[5,7)}'],
  'char(5)': ['ab', '', '"'],
  'varchar(3)': ['', 'é,"', '   '],
  '"char"': ['a', '', ','],
  name: ['a b', 'pg_class'],
  text: [
    '',
    ' ',
    'NULL',
    '\\N',
    '\\.',
    "'",
    '"',
    ',',
    '\n',
    '\r',
    '\t',
    'a\r\nb',
    '=1+1',
    '-1',
    '漢字',
    '😀',
  ],
  point: ['(1,-2.5)', '(Infinity,NaN)'],
  box: ['(1,2),(-1,-2)'],
  polygon: ['((0,0),(1,1),(1,0))'],
  path: ['[(0,0),(1,1)]'],
  circle: ['<(0,0),1e300>'],
};

/**
 * A model with a column per type; values that a type lacks are NULL, and the last row is
 * nothing else.
 */
export function extremeValuesModel(): string {
  const entries = Object.entries(EXTREMES);
  const rowCount = Math.max(...entries.map(([, values]) => values.length)) + 1;
  const rows = Array.from({ length: rowCount }, (_, row) => {
    const fields = entries.map(([type, values]) => {
      const value = values[row];
      return `${value === undefined ? 'null' : `'${value.replaceAll("'", "''")}'`}::${type} as "${type.replaceAll('"', '')}, a type"`;
    });
    return `select ${row} as row, ${fields.join(', ')}`;
  });
  return `select * from (${rows.join('\nunion all\n')}) as extremes order by row`;
}
