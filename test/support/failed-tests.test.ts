import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { describeFailures, type FailedTest } from './failed-tests.ts';

test('the end of a log names each test that failed, where it stands, and what it said first', () => {
  const failed = [
    failure('a run is whole', 'testCodeFailure', new Error('\nexpected 1 row\n+ actual')),
    failure('a run that hangs', 'cancelledByParent', 'did not finish before its parent'),
    failure('a suite', 'subtestsFailed', '2 subtests failed'),
  ];
  assert.deepEqual(describeFailures(failed), [
    'failed or cancelled:',
    '  a run is whole',
    '    test/run/run.test.ts:12: expected 1 row',
    '  a run that hangs',
    '    test/run/run.test.ts:12: did not finish before its parent',
  ]);
});

test('a process that ended badly is named by its files, and nothing is said where none failed', () => {
  const program = path.resolve('node_modules/.cache/sluice-tests-17/0003/test/run 2.test.js');
  const crashed = { ...failure(program, 'testCodeFailure', 'test failed'), file: program, line: 1 };
  assert.deepEqual(describeFailures([crashed]), [
    'failed or cancelled:',
    '  the process of test/run 2.test.js',
    '    test/run 2.test.js:1: test failed',
  ]);
  assert.deepEqual(describeFailures([]), []);
});

/** As node:test reports it: what the test threw is the cause of its own error. */
function failure(name: string, failureType: string, cause: unknown): FailedTest {
  const message = cause instanceof Error ? cause.message : String(cause);
  const error = Object.assign(new Error(message, { cause }), { failureType });
  return { name, file: path.resolve('test/run/run.test.ts'), line: 12, details: { error } };
}
