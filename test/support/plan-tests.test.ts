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

test('short files share processes that take about the same, and the longest process is the first', () => {
  const seconds = {
    'test/cli/run.test.ts': 5,
    'test/run/state.test.ts': 30,
    'test/run/verify.test.ts': 16,
    'test/cli/help.test.ts': 20,
    'test/faults/crash.test.ts': 60,
    'test/faults/network.test.ts': 45,
  };
  assert.deepEqual(plan(Object.keys(seconds), seconds), [
    ['test/faults/crash.test.ts'],
    ['test/faults/network.test.ts'],
    ['test/cli/help.test.ts', 'test/run/verify.test.ts'],
    ['test/cli/run.test.ts', 'test/run/state.test.ts'],
  ]);
});

test('a file that looks at its whole process has one of its own', () => {
  const files = ['test/run/leak.test.ts', 'test/run/a.test.ts', 'test/run/b.test.ts'];
  assert.deepEqual(plan(files, {}), [
    ['test/run/a.test.ts', 'test/run/b.test.ts'],
    ['test/run/leak.test.ts'],
  ]);
});

test('a file that has all of its cases has a process of its own, which begins early', () => {
  const files = ['test/run/a.test.ts', 'test/faults/b.test.ts', 'test/run/c.test.ts'];
  const planned = planProcesses(
    files,
    new Durations({}),
    () => '',
    file => file.includes('faults'),
  );
  assert.deepEqual(
    planned.map(({ files, allCases }) => [files, allCases]),
    [
      [['test/faults/b.test.ts'], true],
      [['test/run/a.test.ts', 'test/run/c.test.ts'], false],
    ],
  );
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
