import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pages } from './support/pages.ts';

const GLOSSARY = 'docs/glossary.md';
const all = pages();
const { text } = all.find(({ path }) => path === GLOSSARY)!;
const words = [...text.matchAll(/^\| ([a-z ]+) \| /gm)]
  .map(([, word]) => word!)
  .filter(word => word !== 'word');
const others = all.filter(({ path }) => path !== GLOSSARY && !path.startsWith('docs/decisions/'));

test('the pages use each word of the glossary', () => {
  assert.ok(words.length >= 20, `${words.length} words`);
  const used = others.map(page => page.text).join('\n');
  for (const word of words) assert.match(used, new RegExp(`\\b${word}s?\\b`, 'i'), word);
});

test('pages that say what becomes of runs link the glossary', () => {
  for (const path of ['README.md', 'docs/guide/deltas.md', 'docs/guide/state.md', 'docs/guarantees.md'])
    assert.match(others.find(page => page.path === path)!.text, /\]\([./]*(?:docs\/)?glossary\.md\)/, path);
});
