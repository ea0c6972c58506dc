import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { type FileName, partName, resolveFileName } from '../../src/config/file-name.ts';
import { partitionText } from '../../src/config/partition-name.ts';

const RUN = {
  extension: '.csv',
  instant: new Date('2025-04-14T12:34:56.789Z'),
  run: 'r',
  activation: 'a',
  model: 'm',
  mode: 'snapshot',
  kind: 'full' as const,
};

function named(template: string, partitionBy: readonly string[], ...values: (string | null)[]): string {
  const name = resolveFileName({ ...RUN, template, partitionBy });
  return partName(name, 1, { folder: 'f', partition: values.map(partitionText) });
}

test('folders of values come before the last segment of the name, unless it names the columns itself', () => {
  assert.equal(named('customers', ['a'], 'x'), 'f/a=x/customers.csv');
  assert.equal(named('{YYYY}/customers', ['a', 'b'], 'x', 'y'), 'f/2025/a=x/b=y/customers.csv');
  assert.equal(named('{column.b}/{column.a}-{DD}', ['a', 'b'], 'x', 'y'), 'f/y/x-14.csv');
  assert.equal(named('c{column.a}{column.a}', ['a'], 'x'), 'f/cxx.csv');
  assert.equal(named('{column.last name}', ['last name'], 'x'), 'f/x.csv');
  assert.equal(named('n', ['a/b'], 'x'), 'f/a%2Fb=x/n.csv');
});

test('parts, changes and numbers stand where they stand without partitions', () => {
  const name = resolveFileName({ ...RUN, template: 'c', partitionBy: ['a'] });
  assert.equal(partName(name, 2, { change: 'removed', partition: ['x'] }), 'a=x/c_removed_part00002.csv');
  const numbered = resolveFileName({ ...RUN, template: '{part}/c', partitionBy: ['a'] });
  assert.equal(partName(numbered, 2, { partition: ['{part}'] }), '00002/a={part}/c.csv');
});

for (const [value, text] of [
  [null, '__HIVE_DEFAULT_PARTITION__'],
  ['', '__EMPTY__'],
  ['a/b', 'a%2Fb'],
  ['10:30', '10%3A30'],
  ['100%', '100%25'],
  ['a b', 'a b'],
  ['é😀', 'é😀'],
  ['a\u0000\u009f\u2028', 'a%00%C2%9F%E2%80%A8'],
  ['"#\'*=?\\{[]^', '%22%23%27%2A%3D%3F%5C%7B%5B%5D%5E'],
] as const) {
  test(`${JSON.stringify(value)} is written as Hive writes it`, () =>
    assert.equal(partitionText(value), text));
}

test('a value makes no segment of dots, none that ends with one, and none that is reserved', () => {
  const alone = (value: string): string => named('{column.a}/n', ['a'], value);
  assert.equal(alone('.'), 'f/%2E/n.csv');
  assert.equal(alone('..'), 'f/%2E%2E/n.csv');
  assert.equal(alone('St.'), 'f/St%2E/n.csv');
  assert.equal(alone('a.b'), 'f/a.b/n.csv');
  assert.equal(alone('_sluice'), 'f/%5Fsluice/n.csv');
  assert.equal(named('{column.a}{column.b}/n', ['a', 'b'], '.', '.'), 'f/%2E%2E/n.csv');
  assert.equal(named('{column.a}-x/n', ['a'], '..'), 'f/..-x/n.csv');
});

test('a template may not spell dots out itself', () => {
  assert.throws(() => named('%2E/{column.a}', ['a'], 'x'), { code: 'FILE_NAME_INVALID' });
});

test('every text gives a name within its folder, and another text another name', () => {
  const value = fc.option(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.constantFrom('.', '..', '...', '_sluice', '%2E', '%5Fsluice', '\\', '//'),
    ),
    { nil: null },
  );
  const name: FileName = resolveFileName({ ...RUN, template: '{column.a}/x', partitionBy: ['a'] });
  const of = (text: string | null): string => partName(name, 1, { partition: [partitionText(text)] });
  fc.assert(
    fc.property(value, value, (a, b) => {
      const segments = of(a).split('/');
      assert.equal(segments.length, 2, of(a));
      assert.equal(segments[1], 'x.csv');
      assert.ok(!['.', '..', '', '_sluice'].includes(segments[0]!));
      if (a !== b) assert.notEqual(of(a), of(b));
    }),
    {
      examples: [
        ['.', '%2E'],
        ['_sluice', '%5Fsluice'],
        [null, ''],
      ],
    },
  );
});
