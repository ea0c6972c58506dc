import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseConcerned, withMoreCases } from './changed-tests.ts';
import { sourcesOf } from './compile-tests.ts';

const SOURCES = new Map([
  ['test/config/values.test.ts', ['src/config/values.ts', 'test/config/values.test.ts']],
  ['test/cli/run.test.ts', ['test/cli/support.ts', 'test/cli/run.test.ts']],
  ['test/docs/install.test.ts', ['test/docs/install.test.ts']],
]);
const textOf = (source: string): string =>
  source === 'test/cli/support.ts' ? `'../../dist/bin/sluice.js'` : '';
const choose = (...changed: string[]): string[] => chooseConcerned(changed, SOURCES, textOf);

test('a change concerns the tests that are made of it, those of what is built, and those of the project', () => {
  assert.deepEqual(choose('src/config/values.ts'), [...SOURCES.keys()]);
  assert.deepEqual(choose('src/cli/sluice.ts'), ['test/cli/run.test.ts', 'test/docs/install.test.ts']);
  assert.deepEqual(choose('test/config/values.test.ts'), [
    'test/config/values.test.ts',
    'test/docs/install.test.ts',
  ]);
  assert.deepEqual(choose('README.md'), ['test/docs/install.test.ts']);
  assert.deepEqual(choose('package-lock.json'), [...SOURCES.keys()]);
  assert.deepEqual(choose(), []);
});

test('a file whose cases come from elsewhere is among those that have more of them', async () => {
  const files = ['test/conformance/csv-conformance.test.ts', 'test/support/changed-tests.test.ts'];
  assert.deepEqual(await withMoreCases(files), files.slice(0, 1));
});

test('the compiler knows what a test file is made of, by way of other files too', async () => {
  const file = 'test/support/changed-tests.test.ts';
  const sources = (await sourcesOf([file])).get(file) ?? [];
  assert.ok(sources.includes(file) && sources.includes('test/support/compile-tests.ts'), String(sources));
});
