import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { compile, MODULES } from '../assembly/compile.js';

for (const [name, path] of Object.entries(MODULES)) {
  test(`the checked-in code of ${name} is what the sources in assembly/ compile to`, async () => {
    assert.equal(readFileSync(path, 'utf8'), await compile(name), 'npm run assembly');
  });
}
