import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const WIDTH = 90;

const files = execFileSync('git', ['ls-files', 'src', 'test', 'bench', 'assembly', 'packaging', 'console'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter(path => /\.(ts|tsx|js)$/.test(path) && !/-code\.ts$/.test(path));

/** A line that is nothing but a comment, without what marks it as one. */
const COMMENT = /^\s*(?:\/\/|\/\*\*|\*(?=\s|$))(.*?)(?:\*\/)?$/;
/** Tables and examples keep their columns; links and what tools read cannot be broken. */
const KEEPS_ITS_LINE = /^ {2,}|^\s*(?:https?:|@|biome-ignore|<reference)/;

function* comments(): Generator<{ readonly where: string; readonly line: string; readonly text: string }> {
  for (const path of files) {
    for (const [index, line] of readFileSync(`${ROOT}${path}`, 'utf8').split('\n').entries()) {
      const text = COMMENT.exec(line)?.[1];
      if (text !== undefined) yield { where: `${path}:${index + 1}`, line, text };
    }
  }
}

test('comments are at most ninety columns wide', () => {
  const wide = [...comments()].filter(({ line, text }) => line.length > WIDTH && !KEEPS_ITS_LINE.test(text));
  assert.deepEqual(
    wide.map(({ where }) => where),
    [],
  );
});

test('no comment begins with "Of": the subject comes first', () => {
  const found = [...comments()].filter(({ text }) => /^ ?Of /.test(text));
  assert.deepEqual(
    found.map(({ where }) => where),
    [],
  );
});
