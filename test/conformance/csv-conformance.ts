/**
 * What every engine of the CSV format has to pass, on rows that come from PostgreSQL
 * through the project's own source. Three oracles that share no code with the engines:
 * PostgreSQL's COPY writes the same file; csv-parse reads the same values; the values
 * themselves are asked of the server.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import type pg from 'pg';
import type { CsvOptions } from '../../src/encoders/csv/csv-options.ts';
import type { Encoder } from '../../src/encoders/encoder.ts';
import type { Column } from '../../src/row-batch.ts';
import { everyNth, someOf } from '../support/all-cases.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { openConformanceDatabase } from './conformance-database.ts';
import { asWritten, copyModel } from './copy-out.ts';
import { csvOptions, DEFAULT_CSV_OPTIONS, textValue } from './csv-arbitraries.ts';
import { assertFillsParts, assertSameBytes, encodePart } from './encoding.ts';
import { columnAlone, type ModelRows, readModel } from './read-model.ts';

export type CreateCsvEncoder = (columns: readonly Column[], options: CsvOptions) => Encoder;

export function csvConformance(engine: string, create: CreateCsvEncoder): void {
  describe(`the CSV engine ${engine}`, () => {
    let database: TestDatabase;
    let client: pg.Client;

    before(async () => {
      ({ database, client } = await openConformanceDatabase(textValue()));
    });
    after(async () => {
      await client.end();
      await database.drop();
    });

    async function assertSameAsCopy(
      model: string,
      rooms = [1, 100, 1 << 16, 1 << 22],
      read?: ModelRows,
    ): Promise<void> {
      const { columns, batches } = read ?? (await readModel(database.url, model));
      const expected = await copyModel(client, model, columns);
      for (const roomBytes of rooms) {
        assertSameBytes(encodePart(create(columns, DEFAULT_CSV_OPTIONS), batches, { roomBytes }), expected);
      }
    }

    test('writes every type at its extremes as COPY does', async () => {
      await assertSameAsCopy('select * from extremes order by row');
    });

    test('writes every type at its extremes, alone in its file, as COPY does', async () => {
      const all = await readModel(database.url, 'select * from extremes order by row');
      for (const [index, { name }] of everyNth(3, [...all.columns.entries()])) {
        const field = `"${name.replaceAll('"', '""')}"`;
        const alone = columnAlone(all, index);
        await assertSameAsCopy(`select ${field} from extremes order by row`, [1, 1 << 20], alone);
      }
    });

    test('writes control characters, quotes, delimiters and line breaks as COPY does', async () => {
      const codes = '(select generate_series(1, 300) union all values (8232), (65279), (65534), (1114111))';
      await assertSameAsCopy(
        `select code, chr(code) as alone, 'a' || chr(code) || 'b' as inside, chr(code) || chr(code) as twice
           from ${codes} as codes (code) order by code`,
      );
    });

    test('writes generated texts as COPY does', async () => {
      await assertSameAsCopy('select * from generated order by id');
      await assertSameAsCopy('select a from generated order by id');
    });

    test('writes values of a megabyte as COPY does', async () => {
      await assertSameAsCopy(
        `select n, repeat('x', 1 << 20) as plain, repeat('"', 1 << 20) as quotes, null::text as "null",
                repeat(E'é,\\r\\n', 1 << 18) as mixed, repeat('x', 1 << 20) || ',' as "last"
           from generate_series(1, 2) as n`,
        [1 << 20, 1 << 24],
      );
    });

    test('writes 1,600 columns as COPY does', async () => {
      const fields = ["n || ',' || ", 'n + ', "nullif('', '') || ", "repeat('', n) || ", 'n > '];
      const columns = Array.from({ length: 1600 }, (_, i) => `${fields[i % fields.length]}${i} as c${i}`);
      await assertSameAsCopy(`select ${columns.join(', ')} from generate_series(1, 3) as n`);
    });

    test('writes no rows as COPY does: the header alone', async () => {
      await assertSameAsCopy('select 1 as "a,b", 2 as "c""d", 3 as "Ünicode", 4 as "NULL" where false');
      const { columns, batches } = await readModel(database.url, 'select 1 as a where false');
      assert.equal(encodePart(create(columns, { ...DEFAULT_CSV_OPTIONS, header: false }), batches).length, 0);
    });

    test('tells NULL from the empty text, alone in a line and among others, as COPY does', async () => {
      const values = `(values (1, null), (2, ''), (3, '\\.'), (4, null), (5, ' '), (6, null)) as t (n, a)`;
      await assertSameAsCopy(`select a from ${values} order by n`);
      await assertSameAsCopy(`select a, a as b, a as c from ${values} order by n`);
      await assertSameAsCopy(`select a as "\\." from ${values} order by n`);
    });

    test('fills a part with as many rows as fit, and no byte more, at every count of rows from 0 to 20', async () => {
      const model = `select n, case n % 4 when 0 then repeat('"', n) when 1 then null else repeat('é,', n) end as a,
                            n % 2 = 0 as b from generate_series(1, 20) as n`;
      const { columns, batches } = await readModel(database.url, model);
      const [batch, ...others] = batches;
      assert.ok(batch !== undefined && others.length === 0);
      assertFillsParts(() => create(columns, { ...DEFAULT_CSV_OPTIONS, header: false }), batch);
    });

    test('csv-parse reads the same texts and NULLs back under all options', async () => {
      const model = 'select * from generated order by id';
      const table = await readModel(database.url, model);
      const expected = await textsOf(client, table);
      const property = fc.property(csvOptions(), options => {
        const file = encodePart(create(table.columns, options), table.batches);
        assertReadsBack(file, table.columns, expected, options);
      });
      fc.assert(property, { numRuns: someOf(200), includeErrorInReport: true });
    });
  });
}

interface Texts {
  readonly iso8601: readonly (readonly (string | null)[])[];
  readonly postgres: readonly (readonly (string | null)[])[];
}

/** The fields as text, from the server's casts. */
async function textsOf(client: pg.Client, { columns }: ModelRows): Promise<Texts> {
  await client.query(
    `set datestyle = 'ISO, YMD'; set timezone = 'UTC'; set bytea_output = 'hex'; set extra_float_digits = 3`,
  );
  const select = (fieldOf: (column: Column) => string) =>
    client.query<(string | null)[]>({
      text: `select ${columns.map(column => `(${fieldOf(column)})::text`).join(', ')} from generated order by generated.id`,
      rowMode: 'array',
    });
  const quoted = ({ name }: Column): string => `"${name.replaceAll('"', '""')}"`;
  return {
    iso8601: (await select(column => asWritten(quoted(column), column.sourceType))).rows,
    postgres: (await select(quoted)).rows,
  };
}

interface ReadField {
  readonly text: string;
  readonly quoted: boolean;
}

const NUMBERS = new Set(['integer', 'bigint', 'double precision', 'numeric']);

function assertReadsBack(file: Buffer, columns: readonly Column[], texts: Texts, options: CsvOptions): void {
  const records = parse(file, {
    delimiter: options.delimiter,
    quote: options.quoteChar,
    escape: options.escapeChar,
    record_delimiter: options.lineEnding === 'crlf' ? '\r\n' : '\n',
    bom: options.bom,
    cast: (text, { quoting }): ReadField => ({ text, quoted: quoting }),
  }) as unknown as ReadField[][]; // its types know no cast
  assert.equal(file.subarray(0, 3).equals(Buffer.from('\ufeff')), options.bom);
  if (options.header) {
    const names = records.shift() ?? [];
    assert.deepEqual(
      names.map(({ text }) => text),
      columns.map(({ name }) => name),
    );
    if (options.quote !== 'needed') assert.ok(names.every(({ quoted }) => quoted));
  }
  const expected = texts[options.timestampFormat];
  assert.equal(records.length, expected.length);
  records.forEach((record, row) => {
    assert.equal(record.length, columns.length);
    record.forEach(({ text, quoted }, index) => {
      const place = `row ${row}, column ${columns[index]!.name}`;
      const value = expected[row]![index]!;
      const isNull = !quoted && text === options.nullText;
      assert.equal(
        isNull ? null : text,
        value === null ? null : written(value, columns[index]!, options),
        place,
      );
      if (value === null || options.quote === 'needed') return;
      if (options.quote === 'always' || !NUMBERS.has(columns[index]!.sourceType)) assert.ok(quoted, place);
    });
  });
}

function written(value: string, { sourceType }: Column, { booleans, escapeFormulas }: CsvOptions): string {
  if (sourceType === 'boolean') return value === 'true' ? booleans[0] : booleans[1];
  const formula =
    escapeFormulas && sourceType === 'text' && '=+-@\t\r\n＝＋－＠'.includes(value.charAt(0) || 'no');
  return formula ? `'${value}` : value;
}
