import assert from 'node:assert/strict';
import test from 'node:test';
import { parse, problems, yaml } from '../support.ts';

const BY = { partitionBy: ['country'] };

const REFUSED: [what: string, settings: Record<string, unknown>, message: RegExp][] = [
  ['no column', { partitionBy: [] }, /activations\.export\.partitionBy is .*at least one column/],
  ['a column twice', { partitionBy: ['a', 'b', 'a'] }, /partitionBy\[2\] names "a" again; each column once/],
  [
    'a column that the mapping writes under another name',
    { ...BY, mapping: ['id', { from: 'country', to: 'land' }] },
    /partitionBy\[0\] is "country", which the mapping does not write; .*keepPartitionColumns false/,
  ],
  [
    'no other column to write',
    { ...BY, keepPartitionColumns: false, mapping: ['country'] },
    /mapping names the columns of partitionBy alone.*expected one more column/,
  ],
  [
    'keepPartitionColumns alone',
    { keepPartitionColumns: false },
    /keepPartitionColumns is set without partitionBy/,
  ],
  ['maxPartitions alone', { maxPartitions: 5 }, /maxPartitions is set without partitionBy/],
  ['no partition', { ...BY, maxPartitions: 0 }, /maxPartitions is 0/],
  [
    'a value of another column in the name',
    { ...BY, fileName: '{column.country}/{column.city}' },
    /fileName .*must not hold the value of a column that partitionBy does not name/,
  ],
  [
    'a value in the name and no partition',
    { fileName: '{column.country}' },
    /fileName .*must not hold the value of a column that partitionBy does not name/,
  ],
  [
    'only some values in the name',
    { partitionBy: ['a', 'b'], fileName: 'x/{column.a}' },
    /fileName .*must hold the values of all columns of partitionBy or of none/,
  ],
  [
    'keys of removed rows',
    { ...BY, runType: 'full_then_delta', syncMode: 'difference', removedRows: 'keys' },
    /removedRows is keys with partitionBy.*expected values/,
  ],
  [
    'a value in the name of a completion file',
    { ...BY, completion: { success: '{column.country}' } },
    /success .*must not hold \{column\.…\}/,
  ],
];

for (const [what, settings, message] of REFUSED) {
  test(`partitions with ${what} are refused at load, with their place`, () => {
    const found = problems(yaml(settings));
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found.join('\n'), message);
  });
}

test('the columns of a partition are kept in the rows, and there are at most 10,000, unless told otherwise', () => {
  const { activations } = parse(yaml(BY)).config;
  assert.deepEqual(
    [activations['export']!.keepPartitionColumns, activations['export']!.maxPartitions],
    [true, 10_000],
  );
});

test('a value may be any text within a folder, so that names which it could give are refused', () => {
  const hive = { ...BY, fileName: 'x/customers' };
  assert.match(meets(hive, { fileName: 'x/country=FR/customers' }), /could give the same blob/);
  assert.match(meets(hive, { ...BY, fileName: 'x/customers' }), /could give the same blob/);
  assert.equal(meets(hive, { fileName: 'x/customers' }), '');
  assert.equal(meets(hive, { partitionBy: ['city'], fileName: 'x/customers' }), '');
  assert.equal(meets(hive, { fileName: 'x/country=FR/a/customers' }), '');
  const named = { ...BY, fileName: '{column.country}/customers' };
  assert.match(meets(named, { fileName: 'é/customers' }), /could give the same blob/);
  assert.match(meets(named, { fileName: '{YYYY}/customers' }), /could give the same blob/);
  assert.match(meets(named, { fileName: '{run}/customers' }), /could give the same blob/);
  assert.equal(meets(named, { fileName: 'a/b/customers' }), '');
  assert.equal(meets(named, { fileName: 'a/other' }), '');
});

test('names with the id of the run in one place never meet, also behind folders of values', () => {
  const byRun = { ...BY, fileName: 'x/{run}' };
  assert.equal(meets(byRun, byRun), '');
  assert.equal(meets(byRun, { fileName: 'x/country=FR/{run}' }), '');
  assert.match(meets(byRun, { fileName: 'x/country=FR/a-{run}' }), /could give the same blob/);
  assert.match(meets(byRun, { fileName: 'x/country=FR/{YYYY}' }), /could give the same blob/);
  const behind = { ...BY, fileName: '{column.country}-{run}' };
  assert.match(meets(behind, behind), /could give the same blob/);
});

test('a completion file of success lies above all partitions, where it may not meet another', () => {
  const success = { success: '_SUCCESS' };
  const one = { ...BY, fileName: 'x/customers', completion: success };
  const other = (fileName: string): string => meets(one, { fileName, completion: success });
  assert.match(other('x/other'), /could give the same blob/);
  assert.equal(other('y/other'), '');
});

const OTHER = { model: 'customers', destination: 'lake', format: { type: 'csv' } };

function meets(one: Record<string, unknown>, two: Record<string, unknown>): string {
  return tried(yaml(one, `  other: ${JSON.stringify({ ...OTHER, ...two })}`));
}

function tried(text: string): string {
  try {
    parse(text);
    return '';
  } catch {
    return problems(text).join('\n');
  }
}
