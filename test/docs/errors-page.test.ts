import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { errorsReference } from '../../docs/reference/errors-page.ts';
import { WARNING_RULES } from '../../src/daemon/warnings/warning-rules.ts';
import { ERROR_KINDS, EXIT } from '../../src/errors.ts';
import { ROOT } from './support/pages.ts';

/** The cells of the table below a heading of the page. */
function rows(heading: string): string[][] {
  const section = errorsReference().split(`\n## ${heading}\n`)[1]!.split('\n## ')[0]!;
  return section
    .split('\n')
    .filter(line => line.startsWith('| '))
    .slice(1)
    .map(line =>
      line
        .slice(2, -2)
        .split(' | ')
        .map(cell => cell.replace(/^`(.*)`$/, '$1')),
    );
}

test('the committed page of codes is the one that the code gives', () => {
  const page = readFileSync(new URL('docs/reference/errors.md', ROOT), 'utf8');
  assert.equal(page, errorsReference(), 'run: npx tsx docs/reference/generate.ts');
});

test('the page has each code of an error once, with its exit code and status, and no other', () => {
  const told = rows('Errors').map(([code, , retry, exit, status]) => [code, retry, exit, status]);
  const known = Object.entries(ERROR_KINDS).map(([code, { retryable, exitCode, status }]) => {
    return [code, retryable ? 'yes' : 'no', String(exitCode), String(status)];
  });
  assert.deepEqual(told.sort(), known.sort());
});

test('the page has each exit code and each warning that a rule raises, and says what each is', () => {
  assert.deepEqual(
    rows('Exit codes').map(([code]) => Number(code)),
    Object.values(EXIT),
  );
  const warnings = rows('Warnings').map(([code]) => code!);
  for (const { code } of WARNING_RULES) assert.ok(warnings.includes(code), code);
  for (const heading of ['Errors', 'Exit codes', 'Warnings', 'Reasons of runs that are held'])
    for (const cells of rows(heading)) for (const cell of cells) assert.match(cell, /\S/, cells.join(' | '));
});
