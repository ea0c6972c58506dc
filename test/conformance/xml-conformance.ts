/**
 * What every engine of the XML format has to pass, on rows that come from PostgreSQL
 * through the project's own source. Oracles that share no code with the engines: saxes
 * reads what PostgreSQL's COPY wrote and csv-parse read; libxml2, in PostgreSQL or else
 * as xmllint, finds every file well-formed; PostgreSQL's query_to_xml gives the same
 * names and values.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { parse } from 'csv-parse/sync';
import type pg from 'pg';
import type { Encoder } from '../../src/encoders/encoder.ts';
import type { XmlOptions } from '../../src/encoders/xml/xml-options.ts';
import type { Column } from '../../src/row-batch.ts';
import { everyNth } from '../support/all-cases.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { openConformanceDatabase } from './conformance-database.ts';
import { copyModel } from './copy-out.ts';
import { assertFillsParts, encodePart } from './encoding.ts';
import { columnAlone, type ModelRows, readModel } from './read-model.ts';
import { asXmlHolds, decodeName, readXml, type XmlDocument } from './read-xml.ts';
import { ALL_XML_OPTIONS, DEFAULT_XML_OPTIONS, xmlText } from './xml-arbitraries.ts';

export type CreateXmlEncoder = (columns: readonly Column[], options: XmlOptions) => Encoder;

const hasXmllint = spawnSync('xmllint', ['--version']).status === 0;

export function xmlConformance(engine: string, create: CreateXmlEncoder): void {
  describe(`the XML engine ${engine}`, () => {
    let database: TestDatabase;
    let client: pg.Client;
    /** A server may be built without libxml2. */
    let hasLibxml: boolean;

    before(async () => {
      ({ database, client } = await openConformanceDatabase(xmlText()));
      hasLibxml = await client.query(`select xml_is_well_formed('')`).then(
        () => true,
        () => false,
      );
    });
    after(async () => {
      await client.end();
      await database.drop();
    });

    async function assertWellFormed(file: Buffer): Promise<void> {
      if (hasLibxml) {
        const text = 'select xml_is_well_formed_document($1) as ok';
        const { rows } = await client.query<{ ok: boolean }>(text, [file.toString()]);
        assert.equal(rows[0]?.ok, true, 'libxml2 finds the file well-formed');
        return;
      }
      if (!hasXmllint) return;
      const { status, stderr } = spawnSync('xmllint', ['--noout', '--huge', '-'], { input: file });
      assert.equal(status, 0, stderr.toString());
    }

    async function assertReadsBack(
      model: string,
      rooms = [1, 100, 1 << 16, 1 << 22],
      optionSets = everyNth(5, ALL_XML_OPTIONS),
      read?: ModelRows,
    ): Promise<void> {
      const { columns, batches } = read ?? (await readModel(database.url, model));
      const expected = fieldsOf(await copyModel(client, model, columns));
      for (const options of optionSets) {
        let first: Buffer | undefined;
        for (const roomBytes of rooms) {
          const file = encodePart(create(columns, options), batches, { roomBytes });
          if (first !== undefined) {
            assert.ok(file.equals(first), 'the room does not show');
            continue;
          }
          first = file;
          assertHolds(readXml(file), columns, expected, options);
          await assertWellFormed(file);
        }
      }
    }

    test('saxes reads every type at its extremes as COPY writes it, under all options', async () => {
      await assertReadsBack('select * from extremes order by row', [1, 1 << 22]);
    });

    test('saxes reads every type at its extremes, alone in its file, as COPY writes it', async () => {
      const all = await readModel(database.url, 'select * from extremes order by row');
      for (const [index, { name }] of everyNth(3, [...all.columns.entries()])) {
        const model = `select "${name.replaceAll('"', '""')}" from extremes order by row`;
        await assertReadsBack(model, [1, 1 << 20], [DEFAULT_XML_OPTIONS], columnAlone(all, index));
      }
    });

    test('keeps every character that XML 1.0 holds, line ends too, and replaces the others', async () => {
      const codes =
        '(select generate_series(1, 300) union all values (8232), (65279), (65533), (65534), (65535), (1114111))';
      const model = `select code, chr(code) as alone, 'a' || chr(code) || 'b' as inside, chr(code) || chr(code) as twice,
                            chr(13) || chr(code) as behind from ${codes} as codes (code) order by code`;
      await assertReadsBack(model);
      const { columns, batches } = await readModel(database.url, model);
      const encoder = create(columns, DEFAULT_XML_OPTIONS);
      encodePart(encoder, batches, { roomBytes: 100 });
      // U+0001 to U+001F without tab, line feed and carriage return; U+FFFE and U+FFFF.
      const counts = [...(encoder.coerced ?? [])].map(([{ name }, count]) => [name, count]);
      const each = 31 - 3 + 2;
      assert.deepEqual(counts, [
        ['alone', each],
        ['inside', each],
        ['twice', each],
        ['behind', each],
      ]);
    });

    test('saxes reads generated texts as COPY writes them', async () => {
      await assertReadsBack('select * from generated order by id');
      await assertReadsBack('select a from generated order by id');
    });

    test('saxes reads values of a megabyte as COPY writes them', async () => {
      await assertReadsBack(
        `select n, repeat('x', 1 << 20) as plain, repeat('&', 1 << 20) as entities, null::text as "null",
                repeat(E'é,\\r\\n', 1 << 18) as mixed, repeat(chr(1), 1 << 20) as controls
           from generate_series(1, 1) as n`,
        [1 << 20, 1 << 24],
        [DEFAULT_XML_OPTIONS],
      );
    });

    test('saxes reads 1,600 columns as COPY writes them', async () => {
      const fields = ["n || '<' || ", 'n + ', "nullif('', '') || ", "repeat('', n) || ", 'n > '];
      const columns = Array.from({ length: 1600 }, (_, i) => `${fields[i % fields.length]}${i} as c${i}`);
      await assertReadsBack(`select ${columns.join(', ')} from generate_series(1, 3) as n`);
    });

    test('writes no rows as an empty root element', async () => {
      await assertReadsBack('select 1 as a where false');
      const { columns, batches } = await readModel(database.url, 'select 1 as a where false');
      const options = { ...DEFAULT_XML_OPTIONS, nulls: 'omit' } as const;
      const file = encodePart(create(columns, options), batches).toString();
      assert.equal(file, '<?xml version="1.0" encoding="UTF-8"?>\n<rows></rows>\n');
    });

    test('tells NULL from the empty text', async () => {
      const model = `select * from (values (1, null, 'x'), (2, '', null), (3, null, null)) as t (n, a, b)`;
      await assertReadsBack(model);
      const { columns, batches } = await readModel(database.url, model);
      const write = (options: Partial<XmlOptions>): string =>
        encodePart(create(columns, { ...DEFAULT_XML_OPTIONS, ...options }), batches).toString();
      const included = write({ declaration: false });
      assert.equal(
        included,
        `<rows xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<row><n>1</n><a xsi:nil="true"/><b>x</b></row>
<row><n>2</n><a></a><b xsi:nil="true"/></row>
<row><n>3</n><a xsi:nil="true"/><b xsi:nil="true"/></row>
</rows>
`,
      );
      const omitted = write({ nulls: 'omit', indent: true });
      assert.equal(
        omitted,
        `<?xml version="1.0" encoding="UTF-8"?>
<rows>
  <row>
    <n>1</n>
    <b>x</b>
  </row>
  <row>
    <n>2</n>
    <a></a>
  </row>
  <row>
    <n>3</n>
  </row>
</rows>
`,
      );
    });

    test('gives columns the names, and rows the values, that query_to_xml gives them', async t => {
      if (!hasLibxml) return t.skip('this PostgreSQL was built without libxml2');
      const names = [
        ...[
          'a',
          'A',
          'a b',
          'a_b',
          '_',
          '_x',
          '_x0020_',
          'a_x0020_b',
          '_X',
          'x_x',
          '__x',
          'xml',
          'XMLns',
          'Xm',
        ],
        ...[
          '1',
          'a1',
          '-a',
          'a-b.c',
          '.',
          'a:b',
          ':',
          'xml:a',
          '"',
          "'",
          '&',
          '<',
          '\t',
          '\n',
          '\u0001',
          '\u007f',
        ],
        ...[
          'é',
          'e\u0301',
          '\u0301',
          '漢字',
          '\u00d7',
          '\u00b7',
          'a\u00b7',
          '\u2028',
          '\u00a0',
          'a/b',
          'ß=1',
        ],
      ];
      const fields = names.map((name, index) => {
        const value = `case (n + ${index}) % 3 when 0 then null when 1 then '' else E'<${index}> &\\r\\n"' end`;
        return `${value} as "${name.replaceAll('"', '""')}"`;
      });
      const model = `select ${fields.join(', ')} from generate_series(1, 3) as n order by n`;
      const { columns, batches } = await readModel(database.url, model);
      const file = encodePart(create(columns, { ...DEFAULT_XML_OPTIONS, root: 'table' }), batches);
      const text = `select query_to_xml($1, true, false, '')::text as xml`;
      const { rows } = await client.query<{ xml: string }>(text, [model]);
      const expected = readXml(Buffer.from(rows[0]!.xml));
      assert.deepEqual({ ...readXml(file), declaration: undefined }, expected);
      await assertWellFormed(file);
    });

    test('writes names that look alike as different ones', async () => {
      const names = ['a b', 'a_x0020_b', 'a_x005F_x0020_b', 'A B', 'a  b', '😀', '_x01F600_', '_x1F600_'];
      const fields = names.map((name, index) => `${index} as "${name}"`);
      const model = `select ${fields.join(', ')}`;
      await assertReadsBack(model);
      const { columns, batches } = await readModel(database.url, model);
      const [row] = readXml(encodePart(create(columns, DEFAULT_XML_OPTIONS), batches)).rows;
      assert.equal(new Set(row?.fields.map(({ name }) => name)).size, names.length);
    });

    test('fills a part with as many rows as fit, and no byte more, at every count of rows from 0 to 20', async () => {
      const model = `select nullif(n % 3, 0) as n, case n % 4 when 0 then repeat('&', n) when 1 then null else repeat('é>', n) end as a,
                            nullif(n % 2, 0) = 1 as b, case n % 3 when 1 then now() end as c,
                            case n % 3 when 1 then chr(n) end as d
                       from generate_series(1, 20) as n`;
      const { columns, batches } = await readModel(database.url, model);
      const [batch, ...others] = batches;
      assert.ok(batch !== undefined && others.length === 0);
      const rows = Int32Array.from({ length: 20 }, (_, index) => index);
      for (const options of everyNth(5, ALL_XML_OPTIONS)) {
        assertFillsParts(() => create(columns, options), batch);
        const partOf = (selected: Int32Array): XmlDocument['rows'] =>
          readXml(encodePart(create(columns, options), batches, { rows: selected, roomBytes: 1 })).rows;
        const whole = partOf(rows);
        for (let count = 0; count <= 20; count++) {
          assert.deepEqual([...partOf(rows.subarray(0, count)), ...partOf(rows.subarray(count))], whole);
        }
      }
    });
  });
}

/** The fields of PostgreSQL's CSV; null is NULL. */
function fieldsOf(csv: Buffer): (string | null)[][] {
  const [, ...records] = parse(csv, {
    record_delimiter: '\n',
    cast: (text, { quoting }): string | null => (text === '' && !quoting ? null : text),
  }) as unknown as (string | null)[][]; // its types know no cast
  return records;
}

function assertHolds(
  { declaration, root, rows }: XmlDocument,
  columns: readonly Column[],
  expected: readonly (readonly (string | null)[])[],
  options: XmlOptions,
): void {
  assert.deepEqual(declaration, options.declaration ? { version: '1.0', encoding: 'UTF-8' } : undefined);
  assert.equal(root, options.root);
  assert.equal(rows.length, expected.length);
  rows.forEach(({ name: rowName, fields }, row) => {
    assert.equal(rowName, options.row);
    const wanted = columns
      .map(({ name }, index) => ({ name, text: expected[row]![index]! }))
      .filter(({ text }) => text !== null || options.nulls === 'include')
      .map(({ name, text }) => ({ name, text: text === null ? null : asXmlHolds(text) }));
    const held = fields.map(({ name, text }) => ({ name: decodeName(name), text }));
    assert.deepEqual(held, wanted);
  });
}
