import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import type pg from 'pg';
import { modelQuery } from '../../../src/sources/postgres/model-query.ts';
import { getPostgres, type TestDatabase } from '../../support/postgres.ts';
import { readAll } from './support.ts';

let db: TestDatabase;
let client: pg.Client;
before(async () => {
  db = await (await getPostgres()).createDatabase();
  client = await db.connect();
});
after(async () => {
  await client.end();
  await db.drop();
});

/** Whether the server takes the text as one statement that can be prepared. */
async function accepts(text: string): Promise<boolean> {
  try {
    // A name makes the driver prepare it, which does not execute it.
    await client.query(`begin`);
    await client.query({ text, values: [], queryMode: 'extended' } as pg.QueryConfig);
    return true;
  } catch {
    return false;
  } finally {
    await client.query('rollback');
  }
}

const STANDARD = { standardStrings: true };
const wrapped = (text: string, settings = STANDARD): string =>
  `select * from (\n${modelQuery(text, settings).text}\n) as model`;

const statements: readonly string[] = [
  'select 1 as id; /* a /* b */ c */',
  'select $é$ ; -- $é$ as id',
  'select 1 as id /* x /* y */ -- */ ;',
  'select 1 as é$x$, 2 as b; -- $x$',
  'select 1 as id;;; ;',
  "select U&'\\0061;' as id;",
  "select E'\\';' as id;",
  'select 1 as "a;b";',
  'select $_1$;$_1$ as id;',
  "select 'a' -- ; '\n'b;' as id;",
  "select E'a'\n'b\\';' as id -- '",
  "select E'a' -- '\n 'b\\'' as id;",
  'select 1 as id; -- a\rx',
  'select 1 -- comment; \r as id;',
  'select 2 +-- ;\n 3 as id;',
  'select 2*/* ; */3 as id ; ',
  "select 'it''s;' as id;",
  "select n';' as id;",
  "select b'0' as id, x'1f' as b ; --;",
  'select $$a$b$;$$ as id',
  'select 1 as id; /* never ends',
  'select 1 as id; select 2',
  'select 1 as "a""b;";',
];

test('a statement ends where the server says', async () => {
  for (const text of statements) {
    const expected = await accepts(text);
    assert.equal(await accepts(wrapped(text)), expected, JSON.stringify(text));
  }
  assert.deepEqual((await readAll(db.url, 'select $é$ ; -- $é$ as id; /* /* */ ; */')).rows, [[' ; -- ']]);
});

test('whatever a statement is made of, it ends where the server says', async () => {
  const piece = fc.constantFrom(
    ...[
      "'",
      "''",
      "';'",
      "E'",
      "\\'",
      '\\',
      '"',
      '"a;b"',
      '$$',
      '$é$',
      '$a$',
      '/*',
      '*/',
      '--',
      '\n',
      '\r',
      ';',
    ],
    ...[
      ' ',
      'é',
      'a',
      '1',
      ',',
      '+',
      '*',
      '/',
      '-',
      "U&'",
      "n'",
      "'a'\n'b'",
      ' as x',
      '\u00a0',
      '$1',
      '(',
      ')',
    ],
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 9 }), async pieces => {
      const text = `select 1 as id${pieces.join('')}`;
      assert.equal(await accepts(wrapped(text)), await accepts(text), JSON.stringify(text));
    }),
    { numRuns: 400 },
  );
});

test('where backslashes escape in all strings, the session says so', async () => {
  const text = String.raw`select 'a\';' as id; --'`;
  const own = await (await getPostgres()).createDatabase({
    settings: { standard_conforming_strings: 'off', escape_string_warning: 'off' },
  });
  try {
    assert.deepEqual((await readAll(own.url, text)).rows, [["a';"]]);
  } finally {
    await own.drop();
  }
});

test('a byte order mark in front of a model is left out', async () => {
  assert.deepEqual((await readAll(db.url, '\ufeffselect 1 as id\r\n;\r\n')).rows, [['1']]);
});
