/**
 * The table of docs/guide/formats.md, line by line: what it says of a value is what both
 * engines write.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parse } from 'csv-parse/sync';
import { format as formatSchema } from '../../src/config/schema/schema-formats.ts';
import type { Encoder } from '../../src/encoders/encoder.ts';
import { SluiceError } from '../../src/errors.ts';
import { FORMATS, type FormatPart } from '../../src/registry.ts';
import { getPostgres, type TestDatabase } from '../support/postgres.ts';
import { encodePart } from './encoding.ts';
import { writeFile as writeParquet } from './parquet-parts.ts';
import { duckQuery } from './parquet-readers.ts';
import { type ModelRows, readModel } from './read-model.ts';

const GUIDE = new URL('../../docs/guide/formats.md', import.meta.url);
const LINES = readFileSync(GUIDE, 'utf8')
  .split('## What is written')[1]!
  .split('\n## ')[0]!
  .split('\n')
  .filter(line => line.startsWith('| ') && !line.startsWith('| type'))
  .map(line =>
    line
      .slice(2, -2)
      .split(' | ')
      .map(cell => cell.replace(/^`(.*)`$/s, '$1')),
  );

let database: TestDatabase;
let folder: string;
before(async () => {
  database = await (await getPostgres()).createDatabase();
  folder = await mkdtemp(join(tmpdir(), 'sluice-guide-'));
});
after(async () => {
  await database.drop();
  await rm(folder, { recursive: true });
});

/** What both engines write, which has to be the same. */
async function write(type: string, { columns, batches }: ModelRows): Promise<string> {
  const written: string[] = [];
  for (const engine of ['fast', 'library'] as const) {
    const format = formatSchema.parse({ type, engine, ...(type === 'csv' ? { header: false } : {}) });
    const create = await (FORMATS[format.type] as FormatPart<typeof format>)[engine]();
    const encoder = (): Encoder => create(columns, format);
    written.push(
      type === 'parquet'
        ? await duckType(await writeParquet(encoder, batches).catch((error: unknown) => refused(error)))
        : encodePart(encoder(), batches).toString(),
    );
  }
  assert.equal(written[0], written[1], 'the engines agree');
  return written[0]!;
}

function refused(error: unknown): undefined {
  assert.ok(error instanceof SluiceError && error.code === 'VALUE_NOT_EXPRESSIBLE', String(error));
}

async function duckType(file: Buffer | undefined): Promise<string> {
  if (file === undefined) return 'refused';
  const path = join(folder, 'file.parquet');
  writeFileSync(path, file);
  return String((await duckQuery(`select column_type from (describe from '${path}')`))[0]![0]);
}

test('the guide has a line for every kind of value', () => {
  assert.ok(LINES.length >= 20, `${LINES.length} lines`);
  for (const line of LINES) assert.equal(line.length, 6, line.join(' | '));
});

for (const [type, value, csv, json, xml, parquet] of LINES) {
  test(`the guide says what becomes of ${type}`, async () => {
    const model = await readModel(database.url, `select ${value} as a`);
    assert.equal(await write('csv', model), `${csv}\n`);
    assert.equal(await write('json', model), `[\n{"a":${json}}\n]\n`);
    assert.match(await write('xml', model), /<row><a>.*<\/a><\/row>/);
    assert.equal(/<a>(.*)<\/a>/.exec(await write('xml', model))?.[1], xml);
    assert.equal(await write('parquet', model), parquet);
  });
}

test('with escapeChar and nullText, a reader of backslashes that passes over empty lines reads each value', async () => {
  const values = [['C:\\dir\\'], ['a\\"b'], ['l1\nl2'], ['\\N'], ['']];
  const texts = values.map(([value]) => `('${value}')`).join(', ');
  const { columns, batches } = await readModel(database.url, `select v from (values ${texts}, (null)) t (v)`);
  const dialect = { type: 'csv', header: false, escapeChar: '\\', nullText: 'NULL' };
  for (const engine of ['fast', 'library'] as const) {
    const format = formatSchema.parse({ ...dialect, engine });
    const create = await (FORMATS[format.type] as FormatPart<typeof format>)[engine]();
    const file = encodePart(create(columns, format), batches);
    assert.deepEqual(parse(file, { escape: '\\', skip_empty_lines: true }), [...values, ['NULL']]);
  }
});

test('bytes as base64 have no line breaks as the guide says it', async () => {
  const { columns, batches } = await readModel(
    database.url,
    `select translate(encode(decode(repeat('ff', 100), 'hex'), 'base64'), E'\n', '') as b`,
  );
  const format = formatSchema.parse({ type: 'csv', header: false });
  const create = await (FORMATS[format.type] as FormatPart<typeof format>).fast();
  assert.equal(
    encodePart(create(columns, format), batches).toString().trimEnd(),
    Buffer.alloc(100, 0xff).toString('base64'),
  );
});
