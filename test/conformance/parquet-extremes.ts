/** Every type at its extremes, as far as Parquet has a form for the value. */

export const PARQUET_TYPES_SETUP = `
  create type mood as enum ('ok', 'so, so', '"sad"', '');
  create type pair as (a int, b text);
  create domain age as int check (value >= 0);
  create domain instant as timestamptz;
`;

const NINES = '9'.repeat(38);

const EXTREMES: Readonly<Record<string, readonly string[]>> = {
  boolean: ['true', 'false'],
  int2: ['-32768', '32767', '0'],
  int4: ['-2147483648', '2147483647', '0'],
  int8: [
    '-9223372036854775808',
    '9223372036854775807',
    '9007199254740993',
    '-9007199254740993',
    '4294967296',
    '-4294967296',
    '-1',
    '999999999999999',
    '1000000000000000',
    '-1000000000000000',
  ],
  age: ['0', '2147483647'],
  float4: [
    '3.4028235e38',
    '-3.4028235e38',
    '1e-45',
    '1.1754944e-38',
    'NaN',
    'Infinity',
    '-Infinity',
    '-0',
    '0.1',
    '16777216',
    '1e15',
    '8.5899973e9',
  ],
  float8: [
    '1.7976931348623157e308',
    '5e-324',
    '2.2250738585072014e-308',
    'NaN',
    'Infinity',
    '-Infinity',
    '-0',
    '0.30000000000000004',
    '1e15',
    '1e16',
    '1e22',
    '1e23',
    '123456789012345.6',
    '9007199254740993',
  ],
  'numeric(1,0)': ['-9', '9', '0'],
  'numeric(9,2)': ['-9999999.99', '9999999.99', '0', '0.29', '-0.01'],
  'numeric(10,2)': ['-99999999.99', '99999999.99', '0.29', '-0.01'],
  'numeric(18,6)': ['-999999999999.999999', '999999999999.999999', '0.000001', '4294.967296', '-4294.967296'],
  'numeric(19,0)': ['-9999999999999999999', '9999999999999999999', '-1', '18446744073709551616'.slice(1)],
  'numeric(38,0)': [`-${NINES}`, NINES, '0', '-1', '18446744073709551616', '-18446744073709551616'],
  'numeric(38,10)': [
    '-9999999999999999999999999999.9999999999',
    '9999999999999999999999999999.9999999999',
    '-0.0000000001',
  ],
  'numeric(38,38)': [`-0.${NINES}`, `0.${NINES}`, `0.${'0'.repeat(37)}1`],
  'numeric(3,-2)': ['99900', '-100', '0'],
  'numeric(2,5)': ['0.00099', '-0.00001'],
  'numeric(50,2)': [`${'9'.repeat(48)}.99`, 'NaN'],
  numeric: [`${'9'.repeat(131_072)}.${'9'.repeat(16_383)}`, 'NaN', 'Infinity', '-Infinity', '0.00', '1.50'],
  date: [
    '4714-11-24 BC',
    '5874897-12-31',
    '2000-02-29',
    '1900-02-28',
    '1969-12-31',
    '1970-01-01',
    '0001-12-31 BC',
    '0001-01-01',
    '0005-02-28 BC',
    '0005-02-29 BC',
  ],
  time: ['00:00', '23:59:59.999999', '00:00:00.1', '12:34:56.000001'],
  timetz: ['00:00:00+15:59:59', '24:00:00-15:59:59'],
  timestamp: [
    '4714-11-24 00:00:00 BC',
    '294247-01-10 04:00:54.775806',
    '2000-01-01 00:00:00.1',
    '0044-03-15 12:00:00.000001 BC',
    '1969-12-31 23:59:59.999999',
    '2255-06-05 23:47:34.740991',
    '2255-06-05 23:47:34.740993',
    '1684-07-28 00:12:25.259009',
    '1684-07-28 00:12:25.259007',
    '294246-12-31 23:59:59.999999',
  ],
  timestamptz: [
    '4714-11-24 00:00:00+00 BC',
    '294247-01-10 04:00:54.775806+00',
    '2020-06-01 12:00:00.000001+05:45',
    '0044-03-15 12:00:00+00 BC',
    '1900-01-01 00:00:00 Europe/Paris',
  ],
  instant: ['2020-01-01 00:00:00+00'],
  interval: ['178000000 years', '-1 year -2 mons +3 days -04:05:06.000001'],
  bytea: ['\\x', '\\x00ff0a0d222c5c', '\\xdeadbeef'],
  uuid: [
    '00000000-0000-0000-0000-000000000000',
    'ffffffff-ffff-ffff-ffff-ffffffffffff',
    '01234567-89ab-cdef-0123-456789abcdef',
  ],
  json: [
    '{"a": [1, "x,y", "\\"", null], "n": 123456789012345678901234567890.10, "a": 2}',
    ' [ ] ',
    'null',
    '"\\u0000"',
    '-1',
  ],
  jsonb: ['{"b": 1, "a": "x,\\"y\\"\\n"}', '[]', 'null', '""', '1e400', '1.50'],
  'int2[]': ['{}', '{-32768,NULL,32767}'],
  'int4[]': [
    '{}',
    '{1,NULL,-2}',
    '[0:1]={1,2}',
    '{{1,2},{3,4}}',
    '{{{1},{NULL}}}',
    '[2:3][-1:0]={{1,2},{3,4}}',
  ],
  'int8[]': ['{9223372036854775807,-9223372036854775808}'],
  'float4[]': ['{0.1,NaN,Infinity,-Infinity,1e-45,-0}'],
  'float8[]': ['{0.30000000000000004,NaN,Infinity,-Infinity,1e300}'],
  'numeric[]': ['{1.50,NaN,123456789012345678901234567890.10,Infinity}'],
  'numeric(5,2)[]': ['{1.50,-999.99}'],
  'text[]': [
    '{"a,b","c\\"d",NULL,"NULL","",é," ","null","{}","\\\\"}',
    '{}',
    '{"\n","\t\r\b\f",\u0001\u001f}',
    '{{"a"},{NULL}}',
    '{😀,"漢 字"}',
  ],
  'varchar(3)[]': ['{abc,"a\\"b",NULL}'],
  'char(3)[]': ['{a,"\\"",NULL}'],
  'boolean[]': ['{t,f,NULL}'],
  'uuid[]': ['{01234567-89ab-cdef-0123-456789abcdef,NULL}'],
  'json[]': ['{"{\\"a\\": [1, 2]}",NULL,"\\"x,\\\\\\"y\\"","null","1.50"}'],
  'jsonb[]': ['{"{\\"a\\": [1, 2]}",NULL,"\\"x\\"",1.50}'],
  'date[]': ['{2020-02-29,NULL}'],
  'mood[]': ['{ok,"so, so","\\"sad\\"",""}'],
  'box[]': ['{(1,2),(-1,-2);(0,0),(-3,-3)}'],
  'inet[]': ['{10.0.0.0/8,::1}'],
  'int4range[]': ['{"[1,10)",empty}'],
  pair: ['(1,"a,b")', '(,"")'],
  mood: ['ok', 'so, so', '"sad"', ''],
  inet: ['255.255.255.255', '10.0.0.0/8'],
  'bit(3)': ['000', '111'],
  tsvector: ["'a':1A 'b,c':2,3B 'it''s'", ''],
  int4range: ['empty', '[1,10)'],
  int2vector: ['1 2 3'],
  'char(5)': ['ab', ''],
  'varchar(3)': ['', 'é,"', '   '],
  '"char"': ['a', ''],
  name: ['a b'],
  text: ['', ' ', 'NULL', '\\N', '"', ',', '\n', '\r', 'a\r\nb', '漢字', '😀', 'x'.repeat(300)],
  point: ['(1,-2.5)', '(Infinity,NaN)'],
};

/**
 * A model with a column per type; values that a type lacks are NULL, and the last row is
 * nothing else.
 */
export function parquetExtremesModel(): string {
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
