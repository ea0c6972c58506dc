/**
 * What every engine of the JSON format has to pass, on rows that come from PostgreSQL
 * through the project's own source. Two oracles that share no code with the engines:
 * PostgreSQL's to_json writes the same names and values; JSON.parse reads the same values
 * as it does from PostgreSQL's row_to_json.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type pg from 'pg';
import type { Encoder } from '../../src/encoders/encoder.ts';
import type { JsonOptions } from '../../src/encoders/json/json-options.ts';
import type { Column } from '../../src/row-batch.ts';
import { everyNth } from '../support/all-cases.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { openConformanceDatabase } from './conformance-database.ts';
import { assertFillsParts, assertSameBytes, encodePart } from './encoding.ts';
import { ALL_JSON_OPTIONS, DEFAULT_JSON_OPTIONS, jsonText } from './json-arbitraries.ts';
import { columnAlone, type ModelRows, readModel } from './read-model.ts';

export type CreateJsonEncoder = (columns: readonly Column[], options: JsonOptions) => Encoder;

export function jsonConformance(engine: string, create: CreateJsonEncoder): void {
  describe(`the JSON engine ${engine}`, () => {
    let database: TestDatabase;
    let client: pg.Client;

    before(async () => {
      ({ database, client } = await openConformanceDatabase(jsonText()));
      await client.query(`
        set datestyle = 'ISO, YMD'; set timezone = 'UTC'; set intervalstyle = 'postgres';
        set extra_float_digits = 3; set bytea_output = 'hex'`);
    });
    after(async () => {
      await client.end();
      await database.drop();
    });

    async function assertAsPostgres(
      model: string,
      rooms = [1, 100, 1 << 16, 1 << 22],
      optionSets = everyNth(5, ALL_JSON_OPTIONS),
      read?: ModelRows,
    ): Promise<void> {
      const { columns, batches } = read ?? (await readModel(database.url, model));
      const table = await tableOf(client, model, columns);
      for (const options of optionSets) {
        const expected = fileOf(table, options);
        for (const roomBytes of rooms) {
          const part = encodePart(create(columns, options), batches, { roomBytes });
          assertSameBytes(part, Buffer.from(expected));
          assert.equal(parseFile(part, options).length, table.rows.length);
        }
      }
    }

    test('writes every type at its extremes as to_json does, under all options', async () => {
      await assertAsPostgres('select * from extremes order by row', [1, 1 << 22]);
    });

    test('writes every type at its extremes, alone in its file, as to_json does', async () => {
      const all = await readModel(database.url, 'select * from extremes order by row');
      for (const [index, { name }] of everyNth(3, [...all.columns.entries()])) {
        const model = `select "${name.replaceAll('"', '""')}" from extremes order by row`;
        await assertAsPostgres(model, [1, 1 << 20], everyNth(5, ALL_JSON_OPTIONS), columnAlone(all, index));
      }
    });

    test('escapes control characters, quotes and backslashes as to_json does, and U+007F to U+009F', async () => {
      const codes = '(select generate_series(1, 300) union all values (8232), (65279), (65534), (1114111))';
      await assertAsPostgres(
        `select code, chr(code) as alone, 'a' || chr(code) || 'b' as inside, chr(code) || chr(code) as twice
           from ${codes} as codes (code) order by code`,
      );
    });

    test('JSON.parse reads from generated rows what it reads from row_to_json', async () => {
      const model = 'select * from generated order by id';
      await assertAsPostgres(model);
      const { columns, batches } = await readModel(database.url, model);
      const { rows } = await client.query<[string]>({
        text: `select row_to_json(model)::text from (${model}) as model`,
        rowMode: 'array',
      });
      const expected = rows.map(([text]) => {
        const row = JSON.parse(text);
        return { ...row, zoned: row.zoned?.replace('+00:00', 'Z') ?? null };
      });
      for (const layout of ['array', 'lines'] as const) {
        const options = { ...DEFAULT_JSON_OPTIONS, layout };
        assert.deepEqual(parseFile(encodePart(create(columns, options), batches), options), expected);
      }
    });

    test('writes values of a megabyte as to_json does', async () => {
      await assertAsPostgres(
        `select n, repeat('x', 1 << 20) as plain, repeat('"', 1 << 20) as quotes, null::text as "null",
                repeat(E'é,\\r\\n', 1 << 18) as mixed, repeat(chr(1), 1 << 20) as longest,
                ('[' || repeat(E'"\\\\" ",\\n', 1 << 17) || '1]')::json as document
           from generate_series(1, 1) as n`,
        [1 << 20, 1 << 24],
        [DEFAULT_JSON_OPTIONS],
      );
    });

    test('writes 1,600 columns as to_json does', async () => {
      const fields = ["n || '\"' || ", 'n + ', "nullif('', '') || ", "repeat('', n) || ", 'n > '];
      const columns = Array.from({ length: 1600 }, (_, i) => `${fields[i % fields.length]}${i} as c${i}`);
      await assertAsPostgres(`select ${columns.join(', ')} from generate_series(1, 3) as n`);
    });

    test('writes no rows as an empty array, or as an empty file', async () => {
      const { columns, batches } = await readModel(database.url, 'select 1 as a where false');
      const write = (layout: 'array' | 'lines'): string =>
        encodePart(create(columns, { ...DEFAULT_JSON_OPTIONS, layout }), batches).toString();
      assert.equal(write('array'), '[]\n');
      assert.equal(write('lines'), '');
    });

    test('tells NULL, the empty text, the text null and the document null apart', async () => {
      const model = `select * from (values (1, null, null::json), (2, '', 'null'), (3, 'null', '""')) as t (n, a, b)`;
      await assertAsPostgres(model);
      const { columns, batches } = await readModel(database.url, model);
      const write = (nulls: 'include' | 'omit'): string =>
        encodePart(create(columns, { layout: 'lines', numbers: 'number', nulls }), batches).toString();
      const others = '{"n":2,"a":"","b":null}\n{"n":3,"a":"null","b":""}\n';
      assert.equal(write('include'), `{"n":1,"a":null,"b":null}\n${others}`);
      assert.equal(write('omit'), `{"n":1}\n${others}`);
    });

    test('writes names of any characters, and names that look alike, as to_json does', async () => {
      const names = [
        ...['a', 'A', 'a ', ' a', 'á', 'a\u0301', '2', '1', '__proto__', 'constructor', 'toJSON', '"', '""'],
        ...[
          '\\',
          '\\n',
          '\n',
          '\t',
          '\u0001',
          '\u007f',
          '\u0085',
          '😀',
          '漢字',
          '\u2028',
          "'",
          '{',
          ':',
          'null',
        ],
      ];
      const fields = names.map((name, index) => `${index} as "${name.replaceAll('"', '""')}"`);
      await assertAsPostgres(`select ${fields.join(', ')} from generate_series(1, 2)`);
    });

    test('keeps the escapes and digits of documents, and their whitespace where it may', async () => {
      const documents = [
        '"\\ud800"',
        '"\\udc00\\ud800"',
        '"\\u0041\\/\\u0000"',
        '{"a":1e400,"a":-0.0,"":1E+2}',
        '[1,\n 2 ,\r\n\t"\\" \\\\" , "x\ty"\r]'.replace('\t"', '"').replace('x\ty', 'x  y'),
        '{ "a" : [ ] }',
        '\n"\\\\"\n',
        ' 123456789012345678901234567890.10 ',
        '"\u0085\u2028"',
      ];
      const values = documents.map((text, n) => `(${n}, '${text.replaceAll("'", "''")}'::json)`);
      const model = `select * from (values ${values.join(', ')}) as t (n, document)`;
      await assertAsPostgres(model);
      const { columns, batches } = await readModel(database.url, model);
      const lines = encodePart(create(columns, { ...DEFAULT_JSON_OPTIONS, layout: 'lines' }), batches);
      const compacted = documents.map(text =>
        /[\r\n]/.test(text) ? JSON.stringify(JSON.parse(text)) : text,
      );
      assert.equal(lines.toString(), compacted.map((text, n) => `{"n":${n},"document":${text}}\n`).join(''));
    });

    test('writes numbers that are none as strings, and counts them', async () => {
      const model = `select n, value::float4 as single, value::float8 as double, value::numeric as exact, 'NaN' as text
                       from (values (1, 'NaN'), (2, 'Infinity'), (3, '-Infinity'), (4, '1')) as t (n, value)`;
      const { columns, batches } = await readModel(database.url, model);
      for (const numbers of ['number', 'string'] as const) {
        const encoder = create(columns, { layout: 'lines', numbers, nulls: 'include' });
        const lines = encodePart(encoder, batches, { roomBytes: 1 }).toString().split('\n');
        const one = numbers === 'number' ? '1' : '"1"';
        assert.equal(
          lines[2],
          '{"n":3,"single":"-Infinity","double":"-Infinity","exact":"-Infinity","text":"NaN"}',
        );
        assert.equal(lines[3], `{"n":4,"single":1,"double":1,"exact":${one},"text":"NaN"}`);
        const counts = [...(encoder.coerced ?? [])].map(([{ name }, count]) => [name, count]);
        // A numeric that is asked for as a string is what it should be.
        const exact = numbers === 'number' ? [['exact', 3]] : [];
        assert.deepEqual(counts, [['single', 3], ['double', 3], ...exact]);
      }
    });

    test('fills a part with as many rows as fit, and no byte more, at every count of rows from 0 to 20', async () => {
      const model = `select n, case n % 4 when 0 then repeat('"', n) when 1 then null else repeat('é,', n) end as a,
                            n % 2 = 0 as b, (array ['NaN', '1.5'])[n % 3]::float8 as c,
                            now() as d, case n % 5 when 0 then E'[ \\n1]'::json else '[ 1]' end as e
                       from generate_series(1, 20) as n`;
      const { columns, batches } = await readModel(database.url, model);
      const [batch, ...others] = batches;
      assert.ok(batch !== undefined && others.length === 0);
      for (const options of everyNth(5, ALL_JSON_OPTIONS)) {
        assertFillsParts(() => create(columns, options), batch);
        const whole = parseFile(encodePart(create(columns, options), batches), options);
        for (let count = 0; count <= 20; count++) {
          const partOf = (rows: Int32Array): unknown[] =>
            parseFile(encodePart(create(columns, options), batches, { rows, roomBytes: 1 }), options);
          const rows = Int32Array.from({ length: 20 }, (_, index) => index);
          assert.deepEqual([...partOf(rows.subarray(0, count)), ...partOf(rows.subarray(count))], whole);
        }
      }
    });
  });
}

interface JsonTexts {
  readonly columns: readonly Column[];
  readonly names: readonly string[];
  /** By row and column, where numbers are numbers; null is NULL. */
  readonly rows: readonly (readonly (string | null)[])[];
}

/** Names and fields as PostgreSQL's to_json writes them. */
async function tableOf(client: pg.Client, model: string, columns: readonly Column[]): Promise<JsonTexts> {
  const names = await client.query<{ name: string }>(
    'select to_json(name)::text as name from unnest($1::text[]) with ordinality as t (name, n) order by n',
    [columns.map(({ name }) => name)],
  );
  const fields = columns.map(column => {
    const quoted = `"${column.name.replaceAll('"', '""')}"`;
    // Arrays and rows are texts here.
    const asText = column.sourceType.endsWith('[]') || column.sourceType === 'pair';
    return `to_json(${quoted}${asText ? '::text' : ''})::text`;
  });
  const { rows } = await client.query<(string | null)[]>({
    text: `select ${fields.join(', ')} from (${model}) as model`,
    rowMode: 'array',
  });
  return { columns, names: names.rows.map(({ name }) => escapeMore(name)), rows };
}

/** The file around PostgreSQL's values. */
function fileOf({ columns, names, rows }: JsonTexts, { layout, numbers, nulls }: JsonOptions): string {
  const objects = rows.map(row => {
    const members = row.flatMap((text, index) => {
      if (text === null) return nulls === 'include' ? [`${names[index]}:null`] : [];
      return [`${names[index]}:${memberOf(text, columns[index]!, { layout, numbers })}`];
    });
    return `{${members.join(',')}}`;
  });
  if (layout === 'lines') return objects.map(object => `${object}\n`).join('');
  return objects.length === 0 ? '[]\n' : `[\n${objects.join(',\n')}\n]\n`;
}

function memberOf(text: string, { kind }: Column, { layout, numbers }: Omit<JsonOptions, 'nulls'>): string {
  switch (kind) {
    case 'json':
      return layout === 'lines' && /[\r\n]/.test(text) ? withoutWhitespace(text) : text;
    case 'int64':
    case 'numeric':
      return numbers === 'string' && !text.startsWith('"') ? `"${text}"` : text;
    case 'timestamptz':
      return text.replace('+00:00', 'Z');
    default:
      return escapeMore(text);
  }
}

/** PostgreSQL leaves these as they are; stream-json does not. */
function escapeMore(text: string): string {
  return text.replace(/[\u007f-\u009f]/g, character => `\\u00${character.charCodeAt(0).toString(16)}`);
}

function withoutWhitespace(document: string): string {
  return document.replace(/("[^"\\]*(?:\\.[^"\\]*)*")|\s+/g, '$1');
}

/**
 * The rows of a whole file; every line too has to be a document where lines are asked
 * for.
 */
function parseFile(file: Buffer, { layout }: JsonOptions): unknown[] {
  const text = file.toString();
  if (layout === 'array') return JSON.parse(text) as unknown[];
  assert.ok(text === '' || text.endsWith('\n'));
  assert.ok(!text.includes('\r'));
  return text
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line) as unknown);
}
