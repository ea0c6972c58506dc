import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeMeanings } from '../../src/daemon/code-meanings.ts';
import { commandLine } from './command-line.ts';

test('explain says when a code comes and what to do, for each thing that has it', async () => {
  const lost = await commandLine(['explain', 'state_lost']);
  assert.equal(lost.code, 0);
  assert.match(
    lost.out,
    /^STATE_LOST: the reason of a held run\n {2}when +The container knows .*\n {2}do +Look .*--full/m,
  );
  assert.match(lost.out, /\n\nSTATE_LOST: a warning\n {2}when +/);
  const error = await commandLine(['explain', 'KEY_NULL']);
  assert.match(error.out, /^ {2}also +the same run fails again; exit code 1, HTTP 422$/m);
  const note = await commandLine(['explain', 'NAME_REPEATS']);
  assert.match(
    note.out,
    /^NAME_REPEATS: a note of `sluice validate`\n[\s\S]*notes\.ignore: \[NAME_REPEATS\]/,
  );
  const exit = await commandLine(['explain', '75']);
  assert.match(exit.out, /^75: an exit code\n {2}when +Failed, and worth another try\./);
  const narrow = await commandLine(['explain', 'SOURCE_TRANSIENT'], { columns: 60 });
  for (const line of narrow.out.split('\n')) assert.ok(line.length <= 60, line);
});

test('explain of what is no code names the nearest', async () => {
  const { code, err } = await commandLine(['explain', 'STATE_LOKED']);
  assert.equal(code, 2);
  assert.match(err, /^error NAME_UNKNOWN: there is no code "STATE_LOKED"; did you mean STATE_LOCKED\?/);
});

test('each code has a meaning and an advice, as sentences', () => {
  for (const { code, happens, advice } of codeMeanings())
    for (const text of [happens, advice]) assert.match(text, /^[`A-Z].*[.!?]$/, `${code}: ${text}`);
});
