import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { compileRowWriter, ROW_WRITER_CODE_PATH } from '../../../assembly/compile.js';

test('the row writer that is loaded is what its source compiles to', async () => {
  assert.equal(readFileSync(ROW_WRITER_CODE_PATH, 'utf8'), await compileRowWriter(), 'npm run assembly');
});
