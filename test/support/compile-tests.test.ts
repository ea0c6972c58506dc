import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';
import { compileTests } from './compile-tests.ts';

const LEAVING = `
import test from 'node:test';
test('sets a variable, changes another, and takes a third away', () => {
  process.env['LEFT'] = 'behind';
  process.env['CHANGED'] = 'otherwise';
  delete process.env['GONE'];
});`;
const FINDING = `
import assert from 'node:assert/strict';
import test from 'node:test';
test('finds them as they were', () => {
  const { LEFT, CHANGED, GONE } = process.env;
  assert.deepEqual([LEFT, CHANGED, GONE], [undefined, 'as it was', 'there']);
});`;

test('a file leaves no variable of the environment behind for one that shares its process', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-compile-tests-'));
  const files = ['leaving.test.ts', 'finding.test.ts'].map(name => join(folder, name));
  await writeFile(files[0]!, LEAVING);
  await writeFile(files[1]!, FINDING);
  const compiled = await compileTests([{ name: 'several 1', files, allCases: false, seconds: 1 }]);
  try {
    const { NODE_TEST_CONTEXT: _, ...inherited } = process.env;
    const env = { ...inherited, CHANGED: 'as it was', GONE: 'there' };
    const { stdout } = await promisify(execFile)(process.execPath, compiled.programs, { env });
    assert.match(stdout, /^# pass 2$/m);
  } finally {
    await compiled.remove();
    await rm(folder, { recursive: true });
  }
});
