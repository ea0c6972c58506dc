import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Durations } from './durations.ts';
import { planProcesses } from './plan-tests.ts';

const TEXTS: Readonly<Record<string, string>> = { 'test/run/leak.test.ts': 'process.memoryUsage()' };

function plan(files: readonly string[], seconds: Readonly<Record<string, number>>): string[][] {
  return planProcesses(files, new Durations(seconds), file => TEXTS[file] ?? '').map(({ files }) => [
    ...files,
  ]);
}

test('short files of a folder share a process, and the longest process is the first', () => {
  const seconds = {
    'test/cli/run.test.ts': 2,
    'test/run/state.test.ts': 3,
    'test/run/verify.test.ts': 1,
    'test/faults/crash.test.ts': 60,
    'test/faults/network.test.ts': 20,
  };
  assert.deepEqual(plan(Object.keys(seconds), seconds), [
    ['test/faults/crash.test.ts'],
    ['test/faults/network.test.ts'],
    ['test/run/state.test.ts', 'test/run/verify.test.ts'],
    ['test/cli/run.test.ts'],
  ]);
});

test('a folder whose files take long together has several processes that take about the same', () => {
  const seconds = Object.fromEntries([9, 8, 4, 3].map(value => [`test/run/of-${value}.test.ts`, value]));
  assert.deepEqual(plan(Object.keys(seconds), seconds), [
    ['test/run/of-3.test.ts', 'test/run/of-9.test.ts'],
    ['test/run/of-4.test.ts', 'test/run/of-8.test.ts'],
  ]);
});

test('a file that looks at its whole process has one of its own', () => {
  const files = ['test/run/leak.test.ts', 'test/run/a.test.ts', 'test/run/b.test.ts'];
  assert.deepEqual(plan(files, {}), [
    ['test/run/a.test.ts', 'test/run/b.test.ts'],
    ['test/run/leak.test.ts'],
  ]);
});

test('a file that was moved is known by its name, and one that is new takes as long as most', () => {
  const durations = new Durations({
    'test/run/state.test.ts': 9,
    'test/a/index.test.ts': 1,
    'test/b/index.test.ts': 2,
  });
  assert.equal(durations.secondsOf('./test/run/state.test.ts'), 9);
  assert.equal(durations.secondsOf('test/state/state.test.ts'), 9);
  assert.equal(durations.secondsOf('test/c/index.test.ts'), 2);
  assert.equal(durations.secondsOf('test/c/new.test.ts'), 2);
});
