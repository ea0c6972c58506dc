import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { appendFile, rename, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { findFault } from '../../../src/sources/json/json-fault.ts';
import { ArrayFramer, LineFramer } from '../../../src/sources/json/row-framer.ts';
import { RowParser } from '../../../src/sources/json/row-parser.ts';
import { kinds, readAll, refusal, sourceOf, withFolder } from './support.ts';

const key = fc.oneof(
  fc.constantFrom('id', '__proto__', 'constructor', 'a b', '"', 'é'),
  fc.string({ unit: 'binary', minLength: 1 }),
);
/** Pairs rather than objects, which put keys that look like numbers in another order. */
const document = fc.object({
  key,
  maxDepth: 3,
  withNullPrototype: false,
  values: [
    fc.string({ unit: 'binary' }),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
  ],
});

/** What a text column says of a value: the model is JSON.stringify. */
const textOf = (value: unknown): string | null =>
  value === null || value === undefined ? null : typeof value === 'string' ? value : JSON.stringify(value);

test('rows of any objects come back, pretty or not, as lines or array, gzipped or not', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(document, { minLength: 1, maxLength: 8 }),
      fc.constantFrom('pretty', 'array', 'lines', 'crlf'),
      fc.boolean(),
      fc.boolean(),
      async (objects, form, gzip, bom) => {
        const rows = JSON.parse(JSON.stringify(objects)) as Record<string, unknown>[];
        const names = [...new Set(rows.flatMap(row => Object.keys(row)))];
        fc.pre(names.length > 0);
        const lines = rows.map(row => JSON.stringify(row));
        const text = {
          pretty: JSON.stringify(rows, null, '\t'),
          array: JSON.stringify(rows),
          lines: lines.join('\n'),
          crlf: `${lines.join('\r\n\r\n')}\r\n`,
        }[form];
        const bytes = Buffer.from(`${bom ? '\ufeff' : ''}${text}`);
        const name = `f.${form === 'lines' || form === 'crlf' ? 'ndjson' : 'json'}${gzip ? '.gz' : ''}`;
        const columns = names.map(column => ({ name: column, type: 'text' as const }));
        const found = await readAll({ [name]: gzip ? gzipSync(bytes) : bytes }, { columns, batchBytes: 64 });
        assert.deepEqual(
          found.rows,
          rows.map(row => names.map(column => textOf(Object.hasOwn(row, column) ? row[column] : null))),
        );
      },
    ),
    { numRuns: 150 },
  );
});

test('columns are found in the first rows, of the type that holds all their values', async () => {
  const content = `[
    {"i": 1, "n": 1, "x": 1.50, "b": true, "s": "2024-01-01T00:00:00Z", "d": {"a" : [1, 1.0e2, "\\u00e9"]}, "m": 1, "z": null},
    {"i": 9223372036854775807, "n": 9223372036854775808, "x": 12345678901234567890.000100, "d": [], "m": "1", "late": {}}
  ]`;
  const found = await readAll({ 'a.json': content });
  const wanted = [
    'i int64',
    'n numeric',
    'x numeric',
    'b boolean',
    's text',
    'd json',
    'm text',
    'z text',
    'late json',
  ];
  assert.deepEqual(kinds(found), wanted);
  assert.deepEqual(found.rows, [
    ['1', '1', '1.50', 't', '2024-01-01T00:00:00Z', '{"a":[1,1.0e2,"é"]}', '1', null, null],
    [
      '9223372036854775807',
      '9223372036854775808',
      '12345678901234567890.000100',
      null,
      null,
      '[]',
      '1',
      null,
      '{}',
    ],
  ]);
});

test('sends the columns that it is asked for, in that order, twice if asked twice', async () => {
  const files = { 'a.ndjson': '{"a":1,"b":"x","c":[1]}\n{"c":2,"a":3}' };
  assert.deepEqual((await readAll(files, { send: ['b', 'a', 'a'] })).rows, [
    ['x', '1', '1'],
    [null, '3', '3'],
  ]);
});

test('reads several files in order of their names', async () => {
  const files = { 'b.ndjson': '{"a":2}', 'a.json': '[{"a":1}]', 'c.jsonl.gz': gzipSync('{"a":3}\n') };
  assert.deepEqual((await readAll(files)).rows, [['1'], ['2'], ['3']]);
});

test('gzip of several members is read whole', async () => {
  const bytes = Buffer.concat([gzipSync('{"a":1}\n{"a"'), gzipSync(':2}\n')]);
  assert.deepEqual((await readAll({ 'a.ndjson': bytes })).rows, [['1'], ['2']]);
});

test('a row that the tokenizer gets in pieces loses nothing at their seams', async () => {
  const part = fc.constantFrom('😀', '\\', '"', '\u0001', 'é', 'a', '\ud800');
  await fc.assert(
    fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 7 }), fc.nat(20), async (parts, shift) => {
      const text = ' '.repeat(shift) + parts.join('').repeat(Math.ceil(40_000 / parts.length));
      const numbers = Array.from({ length: 9000 }, (_, index) => index * 1.5);
      const row = { a: [text, { [text]: numbers, t: true }], b: numbers.join(''), c: null, d: -0.5 };
      const columns = (['a', 'b', 'c', 'd'] as const).map(name => ({ name, type: 'json' as const }));
      const found = await readAll({ 'a.json': JSON.stringify([row, row]) }, { columns });
      const wanted = [JSON.stringify(row.a), JSON.stringify(row.b), null, '-0.5'];
      assert.deepEqual(found.rows, [wanted, wanted]);
    }),
    { numRuns: 5 },
  );
});

test('batches stay near their size, and rows larger than a batch pass', async () => {
  const large = 'é'.repeat(200_000);
  const rows = Array.from({ length: 5000 }, (_, index) => ({ id: index, s: index === 77 ? large : 'x' }));
  const found = await readAll({ 'a.json': JSON.stringify(rows) }, { batchBytes: 1024 });
  assert.deepEqual(
    found.rows,
    rows.map(({ id, s }) => [String(id), s]),
  );
  assert.ok(found.batches > 50);
});

test('an empty file of lines and an empty array are no rows, where columns are declared', async () => {
  const columns = [{ name: 'id', type: 'int64' }] as const;
  for (const files of [{ 'a.ndjson': '' }, { 'a.ndjson': '\ufeff\r\n' }, { 'a.json': ' [ ] ' }]) {
    assert.deepEqual((await readAll(files, { columns })).rows, []);
    assert.equal((await refusal(files)).code, 'SOURCE_EMPTY');
  }
  assert.equal((await refusal({ 'a.json': '' }, { columns })).code, 'SOURCE_INCOMPLETE');
});

const BROKEN: readonly [name: string, content: string | Uint8Array, code: string, message: RegExp][] = [
  ['a.json', '[{"a":1},]', 'SOURCE_QUERY_FAILED', /line 1, byte 9: expected an object, saw "]"/],
  ['a.json', '[{"a":1}\n\n {"a":2}]', 'SOURCE_QUERY_FAILED', /line 3, byte 11: expected a comma or ]/],
  ['a.json', '[{"a":1}] x', 'SOURCE_QUERY_FAILED', /byte 10: expected the end of the file/],
  ['a.json', '[{"a":1}', 'SOURCE_INCOMPLETE', /the file ends before its array does/],
  ['a.json', '[{"a":1},{"a":', 'SOURCE_INCOMPLETE', /row 2, .* ends within row 2/],
  ['a.json', '[{"a":1},{"a":1,}', 'SOURCE_QUERY_FAILED', /row 2, line 1, byte 16: expected a key/],
  ['a.json', '[{"a":tru}, {"a":1}]', 'SOURCE_QUERY_FAILED', /byte 6: expected a value, saw "t"/],
  ['a.json', '[\n{"é":1,\n"b":01}]', 'SOURCE_QUERY_FAILED', /row 1, line 3, byte 16: expected a comma/],
  ['a.json', '[{"a":[}]', 'SOURCE_QUERY_FAILED', /byte 7: expected a value, saw "}"/],
  ['a.json', '[1]', 'SOURCE_QUERY_FAILED', /expected an object or ]/],
  ['a.json', '{"a":1}\n{"a":2}', 'SOURCE_QUERY_FAILED', /expected the \[ that begins/],
  ['a.ndjson', '{"a":1}\n{"a":2},\n', 'SOURCE_QUERY_FAILED', /row 2, line 2, byte 15: expected nothing/],
  ['a.ndjson', '{"a":1} {"a":2}\n', 'SOURCE_QUERY_FAILED', /byte 8: expected nothing after the object/],
  ['a.ndjson', '[{"a":1}]\n', 'SOURCE_QUERY_FAILED', /expected an object, saw "\["/],
  ['a.ndjson', '{"a":1}nul\n', 'SOURCE_QUERY_FAILED', /byte 7: expected nothing after the object/],
  ['a.ndjson', '{"a":1} "b', 'SOURCE_QUERY_FAILED', /byte 8: expected nothing after the object/],
  ['a.ndjson', '{"a":1},null,"x', 'SOURCE_QUERY_FAILED', /byte 7: expected nothing after/],
  ['a.ndjson', '5\n', 'SOURCE_QUERY_FAILED', /expected an object, saw "5"/],
  ['a.ndjson', '{"a":1}\n{"a":\n', 'SOURCE_QUERY_FAILED', /line 2.*and the row ends/],
  ['a.ndjson', '{"a":1}\n{"a":"x', 'SOURCE_INCOMPLETE', /the file ends within row 2/],
  ['a.ndjson', '{"a":"\t"}', 'SOURCE_QUERY_FAILED', /byte 6: expected a character of a string/],
  ['a.ndjson', '{"a":"\\x"}', 'SOURCE_QUERY_FAILED', /byte 6: expected an escape/],
  ['a.ndjson', '{"a":NaN}', 'SOURCE_QUERY_FAILED', /expected a value, saw "N"/],
  [
    'a.ndjson',
    Buffer.from('{"a":"é\xff"}', 'latin1'),
    'SOURCE_QUERY_FAILED',
    /byte 6: these bytes are not UTF-8/,
  ],
  // What stands for bytes that are no UTF-8 begins with EF and BF itself.
  ['a.ndjson', Buffer.from('\xef', 'latin1'), 'SOURCE_QUERY_FAILED', /byte 0: these bytes are not UTF-8/],
  ['a.ndjson', Buffer.from('{\xef\xbf', 'latin1'), 'SOURCE_QUERY_FAILED', /byte 1: these bytes are not/],
  ['a.ndjson', Buffer.from('{"\xef":1}', 'latin1'), 'SOURCE_QUERY_FAILED', /byte 2: these bytes are not/],
  ['a.ndjson', '{"a":1,"b":2,"a":3}', 'SOURCE_QUERY_FAILED', /line 1: the object has the key "a" twice/],
  ['a.ndjson', '{"a":1,"\\u0061":3}', 'SOURCE_QUERY_FAILED', /the key "a" twice/],
  [
    'a.ndjson',
    '{"a":"\\ud800"}',
    'VALUE_NOT_EXPRESSIBLE',
    /column "a": the text holds half of a surrogate pair/,
  ],
  ['a.json.gz', gzipSync('[{"a":1}]').subarray(0, -9), 'SOURCE_INCOMPLETE', /unexpected end of file/],
  [
    'a.json.gz',
    Buffer.concat([gzipSync('[{"a":1}]'), Buffer.alloc(5)]),
    'SOURCE_QUERY_FAILED',
    /5 bytes after/,
  ],
  [
    'a.json.gz',
    Buffer.concat([gzipSync('[{"a":1}]'), Buffer.from('xyz')]),
    'SOURCE_QUERY_FAILED',
    /incorrect header/,
  ],
  ['a.txt', '[]', 'CONFIG_INVALID', /does not say what it is/],
];

test('what is wrong with a file is said with its place', async () => {
  for (const [name, content, code, message] of BROKEN) {
    const seen = await refusal({ [name]: content });
    assert.equal(seen.code, code, `${content}: ${seen.message}`);
    assert.match(seen.message, message, String(content));
  }
});

test('every text that JSON.parse refuses is refused, and every object that it takes is taken', () => {
  const piece = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"a"',
    '1',
    '-',
    '.5',
    'e1',
    'true',
    'nul',
    ' ',
    '"',
    '\\n',
    '0',
  );
  const broken = fc.array(piece, { maxLength: 12 }).map(pieces => `{${pieces.join('')}}`);
  const mutated = fc.tuple(document, fc.nat(), piece).map(([object, at, extra]) => {
    const text = JSON.stringify(object);
    return text.slice(0, at % text.length) + extra + text.slice(at % text.length);
  });
  const listener = { key() {}, scalar() {}, startDocument() {}, documentText() {}, endDocument() {} };
  fc.assert(
    fc.property(fc.oneof(broken, mutated), text => {
      let isObject = true;
      try {
        const value: unknown = JSON.parse(text);
        isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
      } catch {
        isObject = false;
      }
      fc.pre(Buffer.from(text).toString() === text);
      assert.equal(new RowParser(listener).parse(Buffer.from(text)), isObject, text);
      assert.equal(findFault(text) === undefined, isObject, text);
    }),
    { numRuns: 3000 },
  );
});

test('rows are cut alike wherever the chunks end', () => {
  const options = { file: 'f', maxRowBytes: 1e6 };
  fc.assert(
    fc.property(
      fc.array(document, { maxLength: 5 }),
      fc.integer({ min: 1, max: 9 }),
      fc.boolean(),
      (objects, size, bom) => {
        for (const Framer of [ArrayFramer, LineFramer]) {
          const lines = objects.map(object => JSON.stringify(object));
          const joined = Framer === LineFramer ? lines.join('\n') : `[\n${lines.join(',\n')}]`;
          const bytes = Buffer.from(`${bom ? '\ufeff' : ''}${joined}`);
          const framer = new Framer(options);
          const found: { text: string; line: number; offset: number }[] = [];
          const take = (rows: ReturnType<typeof framer.push>): void => {
            for (const { bytes: text, line, offset } of rows)
              found.push({ text: text.toString(), line, offset });
          };
          for (let at = 0; at < bytes.length; at += size) take(framer.push(bytes.subarray(at, at + size)));
          take(framer.end());
          assert.deepEqual(
            found.map(({ text }) => text),
            lines,
          );
          found.forEach(({ text, line, offset }, index) => {
            assert.equal(line, index + (Framer === LineFramer ? 1 : 2));
            assert.equal(bytes.toString('utf8', offset, offset + Buffer.byteLength(text)), text);
          });
        }
      },
    ),
  );
});

test('a key that appears after the first rows fails the run by name of file, row and key', async () => {
  const files = { 'a.ndjson': '{"a":1}\n{"a":2,"b":3}\n' };
  const seen = await refusal(files, { inferRows: 1 });
  assert.equal(seen.code, 'VALUE_NOT_EXPRESSIBLE');
  assert.match(seen.message, /a\.ndjson, row 2, line 2: the key "b" is not in the rows/);
  assert.match(seen.hint, /declare `columns`/);
  assert.deepEqual((await readAll(files, { inferRows: 1, unknownKeys: 'ignore' })).rows, [['1'], ['2']]);
});

test('a key twice in one object is refused after the first rows too, but not twice in two', async () => {
  const files = { 'a.ndjson': '{"a":1}\n{"a":2}\n{"a":3,"a":3}\n' };
  for (const columns of [undefined, [{ name: 'a', type: 'int64' }] as const]) {
    const seen = await refusal(files, { inferRows: 1, ...(columns && { columns }) });
    assert.match(seen.message, /row 3, line 3: the object has the key "a" twice/);
  }
});

test('a value that does not fit its column fails the run by name of file, row and column', async () => {
  const seen = await refusal({ 'a.ndjson': '{"a":1}\n{"a":"1"}\n' }, { inferRows: 1 });
  assert.equal(seen.code, 'VALUE_NOT_EXPRESSIBLE');
  assert.match(seen.message, /row 2, line 2: column "a" is int64, and "1" does not fit/);
  const declared = await refusal({ 'a.json': '[{"a":{}}]' }, { columns: [{ name: 'a', type: 'int32' }] });
  assert.match(declared.message, /row 1, line 1: column "a" is int32, and an object or array does not fit/);
});

test('a row beyond the limit is refused before it is held whole', async () => {
  const long = 'x'.repeat(600_000);
  for (const files of [{ 'a.ndjson': `{"a":"${long}"}` }, { 'a.json': `[{"a":"${long}"}]` }]) {
    const seen = await refusal(files, { maxRowBytes: 300_000 });
    assert.equal(seen.code, 'SOURCE_VALUE_TOO_LARGE');
    assert.match(seen.message, /row 1, line 1, byte [01]: the row has more than 300000 bytes/);
  }
});

test('a path that names nothing is no empty result', async () => {
  await withFolder({ 'a.json': '[]' }, async folder => {
    for (const path of ['b.json', '*.ndjson', '.']) {
      await assert.rejects(sourceOf(join(folder, path)).describe(), { code: 'SOURCE_CONNECT_FAILED' });
    }
  });
});

const ROWS = Array.from({ length: 100_000 }, (_, id) => `{"id":${id}}`).join('\n');

test('a file that changes before the run has read its source fails the run', async () => {
  const changes: ((path: string, folder: string) => Promise<void>)[] = [
    path => appendFile(path, '\n{"id":-1}'),
    path => writeFile(path, '{"id":1}'),
    path => utimes(path, 1, 1),
    async (path, folder) => {
      await writeFile(join(folder, 'new'), ROWS);
      await rename(join(folder, 'new'), path);
    },
  ];
  for (const change of changes) {
    for (const moment of ['before', 'during', 'after']) {
      await withFolder({ 'a.ndjson': ROWS }, async folder => {
        const path = join(folder, 'a.ndjson');
        const source = sourceOf(path, { batchBytes: 1000 });
        const { columns } = await source.describe();
        const run = async (): Promise<void> => {
          if (moment === 'before') await change(path, folder);
          let isFirst = true;
          for await (const _ of source.read(columns)) {
            if (isFirst && moment === 'during') await change(path, folder);
            isFirst = false;
          }
          if (moment === 'after') await change(path, folder);
          await source.finish();
        };
        await assert.rejects(run(), { code: 'SOURCE_INCOMPLETE' }, `${change} ${moment}`);
        await source.close();
      });
    }
  }
});

test('a stream that is destroyed and a source that is closed leave no file open', async () => {
  const openFiles = (folder: string): number =>
    readdirSync('/proc/self/fd').filter(fd => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder);
      } catch {
        return false;
      }
    }).length;
  await withFolder({ 'a.ndjson': ROWS, 'b.ndjson.gz': gzipSync(ROWS) }, async folder => {
    for (const name of ['a.ndjson', 'b.ndjson.gz']) {
      const source = sourceOf(join(folder, name), { batchBytes: 1000 });
      const { columns } = await source.describe();
      assert.equal(openFiles(folder), 0);
      for await (const _ of source.read(columns)) {
        assert.equal(openFiles(folder), 1);
        break;
      }
      await source.close();
      await source.close();
      assert.equal(openFiles(folder), 0);

      const closed = sourceOf(join(folder, name), { inferRows: 1_000_000 });
      const describing = closed.describe();
      await Promise.all([assert.rejects(describing, { code: 'CANCELLED' }), closed.close()]);
      assert.equal(openFiles(folder), 0);
    }
  });
});

test('is read no faster than its rows are taken', async () => {
  await withFolder({ 'a.ndjson': ROWS }, async folder => {
    const source = sourceOf(join(folder, 'a.ndjson'), { batchBytes: 1000 });
    const { columns } = await source.describe();
    const stream = source.read(columns);
    let sent = 0;
    for await (const _ of stream) {
      sent++;
      assert.ok(stream.readableLength <= 2);
      if (sent === 20) break;
    }
    await source.close();
  });
});
