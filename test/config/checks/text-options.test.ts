import assert from 'node:assert/strict';
import test from 'node:test';
import { parse, problems, yaml } from '../support.ts';

const csv = (keys: Record<string, unknown>): string => yaml({ format: { type: 'csv', ...keys } });

const REFUSED: [what: string, keys: Record<string, unknown>, message: RegExp][] = [
  [
    'an extension with a folder',
    { extension: 'a/b' },
    /^activations\.export\.format\.extension .*such as \.txt/,
  ],
  ['an extension that ends with a dot', { extension: 'txt.' }, /format\.extension/],
  ['an unknown encoding', { encoding: 'utf-16be' }, /format\.encoding .*utf-16le/],
  [
    'a byte order mark of one byte',
    { encoding: 'iso-8859-1', bom: true },
    /format\.bom is true, and iso-8859-1/,
  ],
  [
    'a delimiter beyond ASCII',
    { encoding: 'windows-1252', delimiter: '§' },
    /format\.delimiter is not plain ASCII/,
  ],
  [
    'booleans beyond ASCII',
    { encoding: 'windows-1252', booleans: ['да', 'нет'] },
    /format\.booleans is not plain/,
  ],
];

for (const [what, keys, message] of REFUSED) {
  test(`${what} is refused`, () => {
    const found = problems(csv(keys));
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found[0]!, message);
  });
}

test('options of CSV are refused in other formats', () => {
  for (const key of ['lineBreaks', 'decimalSeparator', 'encoding']) {
    const [found = ''] = problems(yaml({ format: { type: 'json', [key]: 'x' } }));
    assert.match(found, new RegExp(`format\\.${key} .*unknown|unknown.*${key}`), found);
  }
});

test('names that differ in the extension alone do not meet, and equal ones do', () => {
  const other = (extension: string): string =>
    `  other: ${JSON.stringify({ model: 'customers', destination: 'lake', fileName: 'customers', format: { type: 'csv', extension } })}`;
  parse(yaml({ format: { type: 'csv', extension: 'txt' } }, other('dat')));
  assert.match(
    problems(yaml({ format: { type: 'csv', extension: '.txt' } }, other('txt'))).join(),
    /same blob/,
  );
});

test('null is a word of onUnrepresentable, with quotes or without', () => {
  for (const type of ['csv', 'json', 'xml', 'parquet']) {
    for (const written of ['null', '"null"', 'replace', 'fail']) {
      const text = yaml({ format: undefined }).replace(
        '"fileName"',
        `"format": { "type": "${type}", "onUnrepresentable": ${written} }, "fileName"`,
      );
      const { format } = parse(text).config.activations['export']!;
      assert.equal(format.onUnrepresentable, written.replaceAll('"', ''));
    }
  }
  const [found = ''] = problems(yaml({ format: { type: 'csv', onUnrepresentable: 'skip' } }));
  assert.match(found, /onUnrepresentable is "skip"; expected one of fail, null, replace/);
});
