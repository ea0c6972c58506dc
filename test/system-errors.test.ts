import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { SluiceError } from '../src/errors.ts';
import { readError, stateError, unexpectedError } from '../src/system-errors.ts';

function refusal(code: string, path = '/nowhere/file'): Error {
  return Object.assign(new Error(`${code}: something, open '${path}'`), { code, path, syscall: 'open' });
}

async function caught(act: () => unknown): Promise<unknown> {
  try {
    await act();
  } catch (error) {
    return error;
  }
  throw assert.fail('nothing was thrown');
}

for (const errno of ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EISDIR', 'EEXIST', 'ENAMETOOLONG', 'ELOOP']) {
  test(`${errno} on a file of ours is for a person to change, and says where, as whom and how`, () => {
    const error = stateError(refusal(errno), 'the journal cannot be written');
    const { code, exitCode, retryable, category } = error;
    assert.deepEqual(
      [code, exitCode, retryable, category],
      ['STATE_INACCESSIBLE', 1, false, 'configuration'],
    );
    assert.match(error.message, new RegExp(`^the journal cannot be written: ${errno}`));
    assert.match(error.hint, /dataDirectory|move it away/);
    if (/^E(ACCES|PERM)$/.test(errno))
      assert.match(
        error.hint,
        /let user \d+ \(group \d+\) write and search \/ \(of user 0, group 0, mode 0755\)/,
      );
  });
}

for (const errno of ['ENOSPC', 'EDQUOT', 'EIO', 'EBUSY']) {
  test(`${errno} on a file of ours may pass`, () => {
    const { code, exitCode } = stateError(refusal(errno), 'the journal cannot be written');
    assert.deepEqual([code, exitCode], ['STATE_WRITE_FAILED', 75]);
  });
}

test('limits of the process may pass, wherever they are met', () => {
  for (const make of [
    unexpectedError,
    (cause: unknown) => stateError(cause, 'the journal cannot be written'),
  ]) {
    for (const errno of ['EMFILE', 'ENFILE']) {
      const { code, exitCode, hint } = make(refusal(errno));
      assert.deepEqual([code, exitCode], ['RUN_OUT_OF_FILES', 75]);
      assert.match(hint, /ulimit -n/);
    }
    const { code, exitCode } = make(refusal('ENOMEM'));
    assert.deepEqual([code, exitCode], ['RUN_OUT_OF_MEMORY', 75]);
  }
});

test('what engines say when memory ends is known, from whichever part it comes', async () => {
  const sources = [
    () => new ArrayBuffer(2 ** 53 - 1),
    () => {
      throw new RangeError('WebAssembly.Memory.grow(): Maximum memory size exceeded');
    },
    () => {
      throw new RangeError(
        'WebAssembly.Instance(): Out of memory: Cannot allocate Wasm memory for new instance',
      );
    },
    () => {
      throw new Error('import failed', { cause: Object.assign(new Error('x'), { code: 'ENOMEM' }) });
    },
  ];
  for (const source of sources) {
    const error = await caught(source);
    assert.equal(unexpectedError(error).code, 'RUN_OUT_OF_MEMORY', String(error));
  }
});

test('a thread that ran out of memory is told from a defect', async () => {
  const worker = new Worker('const a = []; for (;;) a.push(new Array(1000).fill(a.length));', {
    eval: true,
    resourceLimits: { maxOldGenerationSizeMb: 8 },
  });
  const error = await new Promise(resolve => worker.once('error', resolve));
  const { code, exitCode } = unexpectedError(error);
  assert.deepEqual([code, exitCode], ['RUN_OUT_OF_MEMORY', 75]);
});

test('values that no text or buffer holds are refused for good', async () => {
  const sources = [
    () => 'x'.repeat(2 ** 30),
    () => Buffer.alloc(0x1fffffff + 100).toString('latin1'),
    () => Buffer.alloc(Number.MAX_SAFE_INTEGER),
  ];
  for (const source of sources) {
    const error = await caught(source);
    const { code, exitCode } = unexpectedError(error);
    assert.deepEqual([code, exitCode], ['SOURCE_VALUE_TOO_LARGE', 1], String(error));
  }
});

test('a defect stays one, and an error of ours what it is', () => {
  for (const defect of [
    new TypeError('x is undefined'),
    new RangeError('Invalid time value'),
    'text',
    undefined,
  ])
    assert.equal(unexpectedError(defect).code, 'INTERNAL');
  const known = new SluiceError('KEY_NULL', 'a key');
  assert.equal(unexpectedError(known), known);
  assert.equal(stateError(known, 'writing'), known);
});

test('what LevelDB tells of the system is classed by its text', () => {
  const told = (text: string): Error =>
    Object.assign(new Error('Database is not open'), {
      code: 'LEVEL_DATABASE_NOT_OPEN',
      cause: new Error(`IO error: /data/activations/a/baseline/LOCK: ${text}`),
    });
  const expected = {
    'Permission denied': 'STATE_INACCESSIBLE',
    'Read-only file system': 'STATE_INACCESSIBLE',
    'Not a directory': 'STATE_INACCESSIBLE',
    'Too many open files': 'RUN_OUT_OF_FILES',
    'Cannot allocate memory': 'RUN_OUT_OF_MEMORY',
    'No space left on device': 'STATE_WRITE_FAILED',
    'Input/output error': 'STATE_WRITE_FAILED',
  };
  for (const [text, code] of Object.entries(expected))
    assert.equal(stateError(told(text), 'the baseline cannot be opened').code, code);
});

test('what cannot be read is damaged only where the system let it be read', () => {
  const damaged = (): SluiceError => new SluiceError('STATE_DAMAGED', 'damaged');
  const codeOf = (cause: unknown): string => readError(cause, 'it cannot be read', damaged).code;
  assert.equal(codeOf(refusal('EACCES')), 'STATE_INACCESSIBLE');
  assert.equal(codeOf(refusal('EMFILE')), 'RUN_OUT_OF_FILES');
  assert.equal(codeOf(refusal('EIO')), 'STATE_WRITE_FAILED');
  assert.equal(codeOf(refusal('ENOENT')), 'STATE_DAMAGED');
  assert.equal(codeOf(new SyntaxError('Unexpected token')), 'STATE_DAMAGED');
});

test('hints of what the system refused name the place that is in the way', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-refused-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'file'), '');
  mkdirSync(join(folder, 'folder'));
  symlinkSync(join(folder, 'loop'), join(folder, 'loop'));
  const hintOf = async (act: () => Promise<unknown>): Promise<string> =>
    stateError(await caught(act), 'it cannot be used').hint;
  assert.match(
    await hintOf(() => writeFile(join(folder, 'file', 'below'), '')),
    /\/file is a file and no folder/,
  );
  assert.match(await hintOf(() => readFile(join(folder, 'loop', 'below'))), /circle at .*\/loop/);
  assert.match(
    await hintOf(() => writeFile(join(folder, 'x'.repeat(300)), '')),
    /longer than the file system takes/,
  );
});

test('a folder that was deleted under the command is no defect', () => {
  const cause = Object.assign(new Error('ENOENT: no such file or directory, uv_cwd'), {
    code: 'ENOENT',
    syscall: 'uv_cwd',
  });
  const error = unexpectedError(cause);
  assert.equal(error.code, 'CONFIG_NOT_FOUND');
  assert.match(error.message, /the folder .* was deleted/);
});
