/**
 * Every option of every format, as a user sets it in the configuration, by both engines:
 * what lies in the container afterwards, to the byte. For Parquet, what DuckDB says of
 * the file.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { RunRecord } from '../../src/history/run-record.ts';
import { everyNth } from '../support/all-cases.ts';
import { Exporter } from '../support/exporter.ts';
import { uncompressed } from '../support/uncompressed.ts';
import { duckQuery } from './parquet-readers.ts';

type Options = Readonly<Record<string, unknown>>;

const ENGINES = ['fast', 'library'] as const;

/** Two rows that differ under every option of the text formats. */
const SQL = `select 1::int8 as id, 'a "b"'::text as "full name", '=1,2'::text as note, 1.50 as amount, true as active,
                    timestamptz '2025-04-14 07:00:00.5+00' as at
  union all select -9007199254740993, null, '', null, false, null order by id desc`;

const CSV_HEAD = 'id,full name,note,amount,active,at';
const CSV: readonly [Options, string][] = [
  [{}, `${CSV_HEAD}\n1,"a ""b""","=1,2",1.50,true,2025-04-14T07:00:00.5Z\n-9007199254740993,,"",,false,\n`],
  [
    { delimiter: ';' },
    `${CSV_HEAD.replaceAll(',', ';')}\n1;"a ""b""";=1,2;1.50;true;2025-04-14T07:00:00.5Z\n-9007199254740993;;"";;false;\n`,
  ],
  [
    { delimiter: '\t' },
    `${CSV_HEAD.replaceAll(',', '\t')}\n1\t"a ""b"""\t=1,2\t1.50\ttrue\t2025-04-14T07:00:00.5Z\n-9007199254740993\t\t""\t\tfalse\t\n`,
  ],
  [
    { delimiter: '=1' },
    `${CSV_HEAD.replaceAll(',', '=1')}\n1=1"a ""b"""=1"=1,2"=11.50=1true=12025-04-14T07:00:00.5Z\n-9007199254740993=1=1""=1=1false=1\n`,
  ],
  [{ header: false }, '1,"a ""b""","=1,2",1.50,true,2025-04-14T07:00:00.5Z\n-9007199254740993,,"",,false,\n'],
  [
    { quote: 'always' },
    `"${CSV_HEAD.replaceAll(',', '","')}"\n"1","a ""b""","=1,2","1.50","true","2025-04-14T07:00:00.5Z"\n"-9007199254740993",,"",,"false",\n`,
  ],
  [
    { quote: 'nonNumeric' },
    `"${CSV_HEAD.replaceAll(',', '","')}"\n1,"a ""b""","=1,2",1.50,"true","2025-04-14T07:00:00.5Z"\n-9007199254740993,,"",,"false",\n`,
  ],
  [
    { quoteChar: "'", escapeChar: "'" },
    `${CSV_HEAD}\n1,a "b",'=1,2',1.50,true,2025-04-14T07:00:00.5Z\n-9007199254740993,,'',,false,\n`,
  ],
  [
    { escapeChar: '\\' },
    `${CSV_HEAD}\n1,"a \\"b\\"","=1,2",1.50,true,2025-04-14T07:00:00.5Z\n-9007199254740993,,"",,false,\n`,
  ],
  [
    { lineEnding: 'crlf' },
    `${CSV_HEAD}\r\n1,"a ""b""","=1,2",1.50,true,2025-04-14T07:00:00.5Z\r\n-9007199254740993,,"",,false,\r\n`,
  ],
  [
    { nullText: '1' },
    `${CSV_HEAD}\n"1","a ""b""","=1,2",1.50,true,2025-04-14T07:00:00.5Z\n-9007199254740993,1,"",1,false,1\n`,
  ],
  [
    { bom: true },
    `\ufeff${CSV_HEAD}\n1,"a ""b""","=1,2",1.50,true,2025-04-14T07:00:00.5Z\n-9007199254740993,,"",,false,\n`,
  ],
  [
    { escapeFormulas: true },
    `${CSV_HEAD}\n1,"a ""b""","'=1,2",1.50,true,2025-04-14T07:00:00.5Z\n-9007199254740993,,"",,false,\n`,
  ],
  [
    { timestampFormat: 'postgres' },
    `${CSV_HEAD}\n1,"a ""b""","=1,2",1.50,true,2025-04-14 07:00:00.5+00\n-9007199254740993,,"",,false,\n`,
  ],
  [
    { booleans: ['yes', '0'] },
    `${CSV_HEAD}\n1,"a ""b""","=1,2",1.50,yes,2025-04-14T07:00:00.5Z\n-9007199254740993,,"",,0,\n`,
  ],
];

const JSON_ROWS = [
  '{"id":1,"full name":"a \\"b\\"","note":"=1,2","amount":1.50,"active":true,"at":"2025-04-14T07:00:00.5Z"}',
  '{"id":-9007199254740993,"full name":null,"note":"","amount":null,"active":false,"at":null}',
] as const;
const JSON_FILES: readonly [Options, string][] = [
  [{}, `[\n${JSON_ROWS.join(',\n')}\n]\n`],
  [{ layout: 'lines' }, `${JSON_ROWS.join('\n')}\n`],
  [
    { layout: 'lines', numbers: 'string' },
    `${JSON_ROWS.join('\n')}\n`
      .replace(/"(id|amount)":(-?[\d.]+)/g, '"$1":"$2"')
      .replace(/"(id)":(-?\d+)/g, '"$1":"$2"'),
  ],
  [
    { layout: 'lines', nulls: 'omit' },
    `${JSON_ROWS[0]}\n{"id":-9007199254740993,"note":"","active":false}\n`,
  ],
];

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';
const XSI = ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"';
const xmlRows = (row = 'row'): string =>
  `<${row}><id>1</id><full_x0020_name>a "b"</full_x0020_name><note>=1,2</note><amount>1.50</amount><active>true</active><at>2025-04-14T07:00:00.5Z</at></${row}>
<${row}><id>-9007199254740993</id><full_x0020_name xsi:nil="true"/><note></note><amount xsi:nil="true"/><active>false</active><at xsi:nil="true"/></${row}>`;
const XML: readonly [Options, string][] = [
  [{}, `${DECLARATION}<rows${XSI}>\n${xmlRows()}\n</rows>\n`],
  [{ root: 'all' }, `${DECLARATION}<all${XSI}>\n${xmlRows()}\n</all>\n`],
  [{ row: 'é' }, `${DECLARATION}<rows${XSI}>\n${xmlRows('é')}\n</rows>\n`],
  [{ declaration: false }, `<rows${XSI}>\n${xmlRows()}\n</rows>\n`],
  [
    { nulls: 'omit' },
    `${DECLARATION}<rows>\n${xmlRows().replaceAll(/<\w+ xsi:nil="true"\/>/g, '')}\n</rows>\n`,
  ],
  [
    { indent: true },
    `${DECLARATION}<rows${XSI}>\n${xmlRows()
      .replaceAll(/<(\w+)( xsi:nil="true"\/>|>[^<]*<\/\1>)/g, '\n    $&')
      .replaceAll(/<\/?row>/g, tag => (tag === '<row>' ? '  <row>' : '\n  </row>'))}\n</rows>\n`,
  ],
];

describe('options', () => {
  let exporter: Exporter;
  let folder: string;
  before(async () => {
    exporter = await Exporter.open();
    folder = await mkdtemp(join(tmpdir(), 'sluice-options-'));
  });
  after(async () => {
    await exporter.close();
    await rm(folder, { recursive: true });
  });

  async function write(
    sql: string,
    format: Options,
    settings: Options = {},
  ): Promise<{ record: RunRecord; bytes: Buffer }> {
    const { record, error } = await exporter.run(
      exporter.activation({ sql, primaryKey: [], format, ...settings }),
    );
    assert.equal(record.state, 'succeeded', String(error));
    return { record, bytes: await exporter.container.download(record.files[0]!.name) };
  }

  /** The code and message of a run that has to fail, and which leaves nothing. */
  async function refuse(sql: string, format: Options): Promise<string> {
    const settings = { fileName: 'refused', sql, primaryKey: [], format };
    const { record } = await exporter.run(exporter.activation(settings));
    assert.equal(record.state, 'failed');
    assert.ok(!(await exporter.files()).some(name => name.startsWith('refused')));
    return `${record.error?.code}: ${record.error?.message}`;
  }

  /** As a query that gives a table of a file of Parquet; the path is `file`. */
  async function ask(bytes: Buffer, query: (file: string) => string): Promise<unknown[][]> {
    const file = join(folder, 'file.parquet');
    await writeFile(file, bytes);
    return duckQuery(query(`'${file}'`));
  }

  const WAYS: { type: string; engine: string; compression: string; options: Options; expected: string }[] =
    [];
  for (const [type, files] of Object.entries({ csv: CSV, json: JSON_FILES, xml: XML })) {
    for (const [options, expected] of files) {
      for (const engine of ENGINES) {
        for (const compression of ['none', 'gzip', 'zstd'])
          WAYS.push({ type, engine, compression, options, expected });
      }
    }
  }
  for (const { type, engine, compression, options, expected } of everyNth(3, WAYS)) {
    test(`${type} ${JSON.stringify(options)}, ${engine} engine, compression ${compression}`, async () => {
      const { bytes, record } = await write(SQL, { type, engine, compression, ...options });
      const text = uncompressed(bytes, compression);
      assert.equal(text.toString(), expected);
      assert.deepEqual(record.warnings, []);
      assert.equal(record.files[0]!.name.endsWith('.gz'), compression === 'gzip');
      assert.equal(record.files[0]!.name.endsWith('.zst'), compression === 'zstd');
    });
  }

  test('level', async () => {
    const sql = `select n, md5((n % 500)::text) as hash from generate_series(1, 5000) as n`;
    for (const type of ['csv', 'json', 'xml']) {
      for (const engine of ENGINES) {
        const sizes: number[] = [];
        let text: string | undefined;
        for (const level of [1, 6, 9, undefined]) {
          const { bytes } = await write(sql, {
            type,
            engine,
            compression: 'gzip',
            ...(level === undefined ? {} : { level }),
          });
          sizes.push(bytes.length);
          text ??= gunzipSync(bytes).toString();
          assert.equal(gunzipSync(bytes).toString(), text);
        }
        const [fastest, middle, smallest, byDefault] = sizes;
        assert.ok(smallest! < fastest!, `${type}: ${sizes}`);
        assert.equal(middle, byDefault);
      }
    }
  });

  test('names: strict refuses a column name that is no XML name, before anything is written', async () => {
    for (const engine of ENGINES) {
      assert.equal(
        await refuse(SQL, { type: 'xml', engine, names: 'strict' }),
        'CONFIG_INVALID: column "full name" is no XML name',
      );
      const { bytes } = await write('select 1 as "é.x-1"', { type: 'xml', engine, names: 'strict' });
      assert.match(bytes.toString(), /<row><é\.x-1>1<\/é\.x-1><\/row>/);
    }
  });

  test('compression of Parquet', async () => {
    const sql = `select n, n % 7 as digit, 'text ' || n % 100 as text from generate_series(1, 5000) as n order by n`;
    const codecs = { snappy: 'SNAPPY', zstd: 'ZSTD', gzip: 'GZIP', none: 'UNCOMPRESSED' };
    for (const engine of ENGINES) {
      for (const [compression, codec] of Object.entries(codecs)) {
        const format = { type: 'parquet', engine, compression };
        if (engine === 'library' && compression === 'zstd') continue; // refused where the configuration is checked
        const { bytes } = await write(sql, format);
        const used = await ask(bytes, file => `select distinct compression from parquet_metadata(${file})`);
        assert.deepEqual(used, [[codec]], engine);
        const read = await ask(bytes, file => `select count(*), sum(n), sum(digit) from ${file}`);
        assert.deepEqual(read, [['5000', '12502500', '14997']]);
      }
      const { bytes } = await write(sql, { type: 'parquet', engine });
      const used = await ask(bytes, file => `select distinct compression from parquet_metadata(${file})`);
      assert.deepEqual(used, [['SNAPPY']], 'the default');
    }
  });

  test('rowGroupRows', async () => {
    const sql = 'select n from generate_series(1, 1000) as n order by n';
    for (const engine of ENGINES) {
      for (const [rowGroupRows, wanted] of [
        [300, ['300', '300', '300', '100']],
        [1000, ['1000']],
        [undefined, ['1000']],
      ] as const) {
        const more = rowGroupRows === undefined ? {} : { rowGroupRows };
        const { bytes } = await write(sql, { type: 'parquet', engine, ...more });
        const groups = await ask(
          bytes,
          file =>
            `select row_group_num_rows from parquet_metadata(${file}) where column_id = 0 order by row_group_id`,
        );
        assert.deepEqual(groups.flat(), wanted, engine);
      }
    }
  });

  test('dictionary', async () => {
    const sql = `select 'a text that repeats ' || n % 3 as repeats, n::int8 as once from generate_series(1, 5000) as n`;
    const encodings = async (options: Options): Promise<Record<string, boolean>> => {
      const { bytes } = await write(sql, { type: 'parquet', ...options });
      const rows = await ask(
        bytes,
        file => `select path_in_schema, encodings from parquet_metadata(${file})`,
      );
      return Object.fromEntries(rows.map(([name, used]) => [name, /DICTIONARY/.test(String(used))]));
    };
    assert.deepEqual(await encodings({}), { repeats: true, once: false }, 'where it makes the file smaller');
    assert.deepEqual(await encodings({ dictionary: false }), { repeats: false, once: false });
    // @dsnp/parquetjs writes none.
    assert.deepEqual(await encodings({ engine: 'library' }), { repeats: false, once: false });
  });

  test('numeric', async () => {
    for (const engine of ENGINES) {
      const typeOf = async (numeric: string | undefined): Promise<unknown[][]> => {
        const more = numeric === undefined ? {} : { numeric };
        const { bytes } = await write(SQL, { type: 'parquet', engine, ...more });
        return ask(bytes, file => `select typeof(amount), amount::varchar from ${file} where id = 1`);
      };
      assert.deepEqual(await typeOf(undefined), [['VARCHAR', '1.50']]);
      assert.deepEqual(await typeOf('text'), [['VARCHAR', '1.50']]);
      assert.deepEqual(await typeOf('decimal(10,3)'), [['DECIMAL(10,3)', '1.500']]);
      assert.deepEqual(await typeOf('decimal(38, 2)'), [['DECIMAL(38,2)', '1.50']]);
      for (const [value, decimal] of [
        ['100::numeric', 'decimal(2,0)'],
        ['0.001', 'decimal(5,2)'],
        ["'NaN'::numeric", 'decimal(5,2)'],
      ] as const) {
        assert.match(
          await refuse(`select ${value} as amount`, { type: 'parquet', engine, numeric: decimal }),
          /^VALUE_NOT_EXPRESSIBLE: column "amount", row 1 of the file: \S+ is not a decimal\(\d,\d\) without loss$/,
        );
      }
    }
  });

  test('uuid and time', async () => {
    const sql = `select '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid as u, time '24:00' as t, null::uuid as n,
                        timestamp '2025-04-14 07:00' as local, timestamptz '2025-04-14 07:00+00' as at`;
    const text = { uuid: 'text', time: 'text' };
    const values = ['6ba7b810-9dad-11d1-80b4-00c04fd430c8', '24:00:00'];
    for (const engine of ENGINES) {
      const format = { type: 'parquet', engine };
      const { bytes } = await write(sql, { ...format, ...text });
      const query = (file: string): string => `select typeof(u), typeof(t), typeof(n), u, t, n from ${file}`;
      assert.deepEqual(await ask(bytes, query), [['VARCHAR', 'VARCHAR', 'VARCHAR', ...values, null]], engine);
      assert.match(await refuse(sql, { ...format, uuid: 'text' }), /column "t", row 1/, 'time is native');
      const native = await write(sql.replace('24:00', '23:00'), {
        ...format,
        uuid: 'native',
        time: 'native',
      });
      const types = await ask(
        native.bytes,
        file => `select name, converted_type from parquet_schema(${file}) where name <> 'schema'`,
      );
      // As readers that know no logical types have to be told.
      assert.deepEqual(types, [
        ['u', null],
        ['t', 'TIME_MICROS'],
        ['n', null],
        ['local', 'TIMESTAMP_MICROS'],
        ['at', 'TIMESTAMP_MICROS'],
      ]);
      const read = await ask(
        native.bytes,
        file => `select typeof(u), typeof(t), typeof(local), typeof("at") from ${file}`,
      );
      assert.deepEqual(read, [['UUID', 'TIME', 'TIMESTAMP', 'TIMESTAMP WITH TIME ZONE']]);
    }
  });

  test('values that a format cannot hold are written as it can, and warned of in words', async () => {
    const sql = `select n, (array['NaN', 'Infinity', '1'])[n]::float8 as ratio, 'a' || chr(n) as note from generate_series(1, 3) as n`;
    const warnings: Record<string, string> = {
      csv: '',
      json: 'JSON has no number for NaN and the infinities, which were written as strings: 2 values in column "ratio"',
      xml: 'XML cannot hold some characters, which were replaced by U+FFFD: 3 values in column "note"',
      parquet: '',
    };
    for (const [type, wanted] of Object.entries(warnings)) {
      for (const engine of ENGINES) {
        const { record } = await write(sql, { type, engine }, { maxFileRows: 2 });
        const said = record.warnings.map(({ code, message }) => `${code} ${message}`);
        assert.deepEqual(said, wanted === '' ? [] : [`VALUE_COERCED ${wanted}`], `${type}, ${engine}`);
      }
    }
  });
});
