import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { expandBraces, findFiles, matchesSegment } from '../../../src/sources/json/glob.ts';

test('a segment matches as the regular expression of the same meaning', () => {
  const character = fc.constantFrom('a', 'b', '.', '*', '?', '😀', '[');
  const text = fc.array(character, { maxLength: 8 }).map(characters => characters.join(''));
  fc.assert(
    fc.property(text, text, (name, segment) => {
      const source = [...segment]
        .map(one => (one === '*' ? '.*' : one === '?' ? '.' : /[.[]/.test(one) ? `\\${one}` : one))
        .join('');
      const hidden = name.startsWith('.') && !segment.startsWith('.');
      assert.equal(matchesSegment(name, segment), !hidden && new RegExp(`^${source}$`, 'su').test(name));
    }),
    { numRuns: 2000 },
  );
});

test('braces stand for each of their texts, inner ones included', () => {
  assert.deepEqual(expandBraces('/a/{b,c{d,e}}/{f}{,g'), ['/a/b/{f}{,g', '/a/cd/{f}{,g', '/a/ce/{f}{,g']);
  assert.throws(() => expandBraces('{a,b}'.repeat(20)), RangeError);
});

test('finds files in order of their names, each once, without hidden ones', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-glob-'));
  try {
    await mkdir(join(folder, 'sub/deep.json'), { recursive: true });
    await mkdir(join(folder, '.hidden'));
    const names = ['b.json', 'a.json', 'a.ndjson', 'x{1,2}.json', '.c.json', '.hidden/d.json', 'sub/e.json'];
    for (const name of [...names, 'sub/deep.json/f.json']) await writeFile(join(folder, name), '');
    await symlink(folder, join(folder, 'sub/loop'));
    const find = async (pattern: string) =>
      (await findFiles(join(folder, pattern))).map(path => relative(folder, path));
    assert.deepEqual(await find('*.json'), ['a.json', 'b.json', 'x{1,2}.json']);
    assert.deepEqual(await find('{b,a}.{json,ndjson}'), ['a.json', 'a.ndjson', 'b.json']);
    assert.deepEqual(await find('{a,?}.json'), ['a.json', 'b.json']);
    assert.deepEqual(await find('x{1,2}.json'), ['x{1,2}.json']);
    assert.deepEqual(await find('sub/*'), ['sub/e.json']);
    assert.deepEqual(await find('**/e.json'), ['sub/e.json']);
    assert.deepEqual(await find('sub/**'), ['sub/deep.json/f.json', 'sub/e.json']);
    assert.deepEqual(await find('*/loop/a.json'), ['sub/loop/a.json']);
    assert.deepEqual(await find('nothing/*.json'), []);
    assert.deepEqual(await find('nothing.json'), []);
  } finally {
    await rm(folder, { recursive: true });
  }
});
