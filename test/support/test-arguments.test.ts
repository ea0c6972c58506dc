import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTestArguments } from './test-arguments.ts';

const self = 'test/support/test-arguments.test.ts';

test('finds all test files when none is named', () => {
  const { files, unmatched } = parseTestArguments([]);
  assert.ok(files.includes(self));
  assert.ok(files.every(file => file.endsWith('.test.ts')));
  assert.deepEqual(unmatched, []);
});

test('takes files, folders and globs, each file once', () => {
  for (const pattern of [self, 'test/**/test-arguments.test.ts', './test/s*/test-argument?.test.ts']) {
    assert.deepEqual(parseTestArguments([pattern, self]).files, [self], pattern);
  }
  assert.ok(parseTestArguments(['test/support']).files.includes(self));
  assert.ok(parseTestArguments(['test']).files.includes(self));
});

test('hands flags through with their values and does not take these for files', () => {
  const args = ['--test-name-pattern', 'hands flags', '--test-only', self, '--test-reporter=tap'];
  assert.deepEqual(parseTestArguments(args), {
    flags: ['--test-name-pattern=hands flags', '--test-only', '--test-reporter=tap'],
    files: [self],
    unmatched: [],
    changedSince: undefined,
    keepsDurations: false,
    allCases: false,
    allCasesBelow: undefined,
  });
});

test('keeps our own flags from node', () => {
  const own = ['--changed', '--keep-durations', '--all-cases'];
  const { flags, changedSince, keepsDurations, allCases } = parseTestArguments([...own, self]);
  assert.deepEqual(flags, []);
  assert.equal(changedSince, 'HEAD');
  assert.ok(keepsDurations && allCases);
  assert.equal(parseTestArguments(['--changed=main', self]).changedSince, 'main');
  const below = parseTestArguments(['--all-cases=test/faults', self]);
  assert.deepEqual([below.allCases, below.allCasesBelow, below.flags], [false, 'test/faults/', []]);
});

test('names what matches no file instead of running nothing', () => {
  assert.deepEqual(parseTestArguments(['test/absent/*.test.ts', 'absent.test.ts']).unmatched, [
    'test/absent/*.test.ts',
    'absent.test.ts',
  ]);
});
