/**
 * Files that are valid, and files that were valid before something happened to them,
 * against JSON.parse as the model.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { SluiceError } from '../../../src/errors.ts';
import { someOf } from '../../support/all-cases.ts';
import { type Contents, readAll } from './support.ts';

const NAMES = ['id', 'b', 'é', '__proto__'] as const;
const COLUMNS = NAMES.map(name => ({ name, type: 'json' as const }));

const scalar = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(true, false, null, '"', '\\', '\n', '\ud800', '😀', 1e300, 5e-324),
);
const value = fc.oneof(
  scalar,
  fc.array(scalar, { maxLength: 3 }),
  fc.dictionary(fc.string({ maxLength: 2 }), scalar, { maxKeys: 3 }),
);
/** Keys in the order of the text, each at most once. */
const row = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...NAMES), value), { selector: ([name]) => name, maxLength: 4 })
  .map(members => members.map(([name, content]) => `${JSON.stringify(name)}:${JSON.stringify(content)}`));

interface File {
  readonly layout: 'array' | 'lines';
  readonly gzip: boolean;
  readonly text: string;
}

const file: fc.Arbitrary<File> = fc
  .record({
    layout: fc.constantFrom('array' as const, 'lines' as const),
    gzip: fc.boolean(),
    rows: fc.array(row, { maxLength: 5 }),
    space: fc.constantFrom('', ' ', '\t', '\r'),
    lineEnd: fc.constantFrom('\n', '\r\n', '\n\n'),
  })
  .map(({ layout, gzip, rows, space, lineEnd }) => {
    const objects = rows.map(members => `{${space}${members.join(`,${space}`)}}`);
    const text =
      layout === 'lines'
        ? objects.map(object => object + lineEnd).join('')
        : `[${objects.join(`${space},${lineEnd}`)}${space}]`;
    return { layout, gzip, text };
  });

/** Something that happens to the bytes of a file. */
type Mutation = (bytes: Buffer) => Buffer;
const at = (bytes: Buffer, share: number): number => Math.floor(share * bytes.length);
const share = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const splice = (bytes: Buffer, from: number, to: number, put: Buffer): Buffer =>
  Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(to)]);
const fragment = fc.oneof(
  fc
    .constantFrom(
      ...[
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"',
        '\\',
        '\n',
        'null',
        'nul',
        '-',
        '0',
        '1e',
        '.',
        ' ',
        '\ufeff',
        '{}',
        '"id":1,',
      ],
      ...['\\ud800', '\\u12', '/*', "'", 'NaN', '\u0000', '}\n{', '][', '"__proto__":'],
    )
    .map(text => Buffer.from(text)),
  fc.uint8Array({ minLength: 1, maxLength: 3 }).map(bytes => Buffer.from(bytes)),
);
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  share.map(
    (where): Mutation =>
      bytes =>
        bytes.subarray(0, at(bytes, where)),
  ),
  fc.tuple(share, fragment).map(
    ([where, put]): Mutation =>
      bytes =>
        splice(bytes, at(bytes, where), at(bytes, where), put),
  ),
  fc.tuple(share, fragment).map(
    ([where, put]): Mutation =>
      bytes =>
        splice(bytes, at(bytes, where), at(bytes, where) + put.length, put),
  ),
  fc.tuple(share, fc.nat(4)).map(
    ([where, length]): Mutation =>
      bytes =>
        splice(bytes, at(bytes, where), at(bytes, where) + length, Buffer.alloc(0)),
  ),
  fc.tuple(share, share).map(
    ([from, to]): Mutation =>
      bytes => {
        const piece = bytes.subarray(at(bytes, Math.min(from, to)), at(bytes, Math.max(from, to)));
        return splice(bytes, at(bytes, to), at(bytes, to), piece);
      },
  ),
);

/** What JSON.parse makes of a file: its rows, or undefined where it is none. */
function modelOf(bytes: Buffer, layout: File['layout']): Record<string, unknown>[] | undefined {
  const text = bytes.toString().replace(/^\ufeff/, '');
  // Decoding would fix what is not UTF-8.
  const mark = bytes.subarray(0, 3).toString('hex') === 'efbbbf' ? 3 : 0;
  if (!Buffer.from(text).equals(bytes.subarray(mark))) return undefined;
  try {
    const lines = text.split('\n').filter(line => !/^[ \t\r]*$/.test(line));
    const rows: unknown = layout === 'lines' ? lines.map(line => JSON.parse(line)) : JSON.parse(text);
    const isObject = (item: unknown): boolean =>
      typeof item === 'object' && item !== null && !Array.isArray(item);
    return Array.isArray(rows) && rows.every(isObject) ? rows : undefined;
  } catch {
    return undefined;
  }
}

/** A JSON text's value without the digits that a double loses. */
const rounded = (text: string | null): unknown => (text === null ? null : JSON.parse(text));

async function outcome(bytes: Buffer, { layout, gzip }: Omit<File, 'text'>): Promise<Contents | SluiceError> {
  const name = (layout === 'lines' ? 'f.ndjson' : 'f.json') + (gzip ? '.gz' : '');
  try {
    return await readAll({ [name]: bytes }, { columns: COLUMNS, batchBytes: 64 });
  } catch (error) {
    assert.ok(error instanceof SluiceError, String(error));
    return error;
  }
}

function assertRows({ rows }: Contents, expected: readonly Record<string, unknown>[]): void {
  assert.deepEqual(
    rows.map(fields => fields.map(rounded)),
    expected.map(object => NAMES.map(name => (Object.hasOwn(object, name) ? (object[name] ?? null) : null))),
  );
}

test('valid files give the rows that JSON.parse gives', async () => {
  const property = fc.asyncProperty(file, async ({ layout, gzip, text }) => {
    const bytes = Buffer.from(text);
    const expected = modelOf(bytes, layout)!;
    const found = await outcome(gzip ? gzipSync(bytes) : bytes, { layout, gzip });
    assert.ok(!(found instanceof SluiceError), String(found));
    assertRows(found, expected);
  });
  await fc.assert(property, { numRuns: someOf(400), includeErrorInReport: true });
});

test('mutated files are refused with their place, or give the rows that JSON.parse gives; nothing else happens', async () => {
  let refused = 0;
  let read = 0;
  const property = fc.asyncProperty(
    file,
    fc.array(mutation, { minLength: 1, maxLength: 3 }),
    async ({ layout, text }, mutations) => {
      const bytes = mutations.reduce<Buffer>((mutated, mutate) => mutate(mutated), Buffer.from(text));
      // Not a test of gzip, whose magic bytes say what a file is.
      fc.pre(bytes[0] !== 0x1f);
      const expected = modelOf(bytes, layout);
      const found = await outcome(bytes, { layout, gzip: false });
      if (!(found instanceof SluiceError)) {
        assert.ok(expected !== undefined, `read, and JSON.parse refuses it: ${bytes}`);
        assertRows(found, expected);
        read++;
        return;
      }
      refused++;
      const { code, message } = found;
      assert.match(message, /f\.(?:nd)?json, (?:row \d+, )?line \d+(?:, byte \d+)?: /);
      if (expected === undefined) {
        assert.ok(
          ['SOURCE_QUERY_FAILED', 'SOURCE_INCOMPLETE', 'VALUE_NOT_EXPRESSIBLE'].includes(code),
          `${found}`,
        );
        return;
      }
      // What JSON.parse takes is refused only for what it loses: keys that are twice
      // there or unknown.
      assert.match(message, /has the key .* twice|the key .* is not among the columns/, `${bytes}`);
    },
  );
  await fc.assert(property, { numRuns: someOf(3000), includeErrorInReport: true });
  assert.ok(refused > someOf(300) && read > someOf(300), `${refused} refused, ${read} read`);
});

test('mutated gzip files are refused, or give what gunzip gives', async () => {
  const property = fc.asyncProperty(file, mutation, async ({ layout, text }, mutate) => {
    const bytes = mutate(gzipSync(text));
    fc.pre(bytes.length > 2 && bytes[0] === 0x1f && bytes[1] === 0x8b);
    let content: Buffer | undefined;
    try {
      content = gunzipSync(bytes);
    } catch {
      content = undefined;
    }
    const found = await outcome(bytes, { layout, gzip: true });
    if (found instanceof SluiceError) {
      assert.notEqual(found.code, 'INTERNAL', `${found}`);
      return;
    }
    assert.ok(content !== undefined, 'read, and gunzip refuses it');
    assertRows(found, modelOf(content, layout)!);
  });
  await fc.assert(property, { numRuns: someOf(1000), includeErrorInReport: true });
});
