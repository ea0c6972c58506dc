/**
 * What the key table costs a row: bringing the baseline into memory, and telling of each
 * row what it is, where rows come in the order of the baseline, with a hundredth of them
 * elsewhere, and in no order at all.
 *
 *   npx tsx bench/key-table.ts [--rows 5000000]
 */
import { parseArgs } from 'node:util';
import { BUCKETS, HASH_WORDS, KeyTable } from '../src/baseline/key-table.ts';
import { Change } from '../src/row-batch.ts';
import { markdownTable } from './support/markdown-table.ts';

const { values: args } = parseArgs({ options: { rows: { type: 'string', default: '5000000' } } });
const rows = Number(args.rows);
const ROUNDS = 3;
const PAGE_RECORDS = 512;
const BATCH_ROWS = 1700;

/** Hashes of rows, which are as good as random numbers. */
const hashes = new Int32Array(rows * HASH_WORDS);
let state = 1;
for (let word = 0; word < hashes.length; word++) {
  state = (Math.imul(state, 1664525) + 1013904223) | 0;
  hashes[word] = Math.imul(state ^ (state >>> 15), 0x85ebca6b) ^ state;
}

/** By bucket, in the order of the rows. */
const pages: { readonly bucket: number; readonly words: Int32Array }[] = [];
const filling = Array.from({ length: BUCKETS }, () => ({
  words: new Int32Array(PAGE_RECORDS * HASH_WORDS),
  at: 0,
}));
for (let row = 0; row < rows; row++) {
  const bucket = hashes[row * HASH_WORDS]! >>> 24;
  const page = filling[bucket]!;
  page.words.set(hashes.subarray(row * HASH_WORDS, (row + 1) * HASH_WORDS), page.at);
  page.at += HASH_WORDS;
  if (page.at < page.words.length) continue;
  pages.push({ bucket, words: page.words });
  filling[bucket] = { words: new Int32Array(PAGE_RECORDS * HASH_WORDS), at: 0 };
}
filling.forEach(({ words, at }, bucket) => {
  pages.push({ bucket, words: words.subarray(0, at) });
});

function opened(): KeyTable {
  const table = new KeyTable();
  for (let bucket = 0; bucket < BUCKETS; bucket++) table.open(bucket, rows / BUCKETS);
  return table;
}

function appended(): KeyTable {
  const table = opened();
  for (const { bucket, words } of pages) table.append(bucket, words, 0, 0);
  return table;
}

/** Batch by batch, as the rows of a run come. */
function probe(table: KeyTable, rowHashes: Int32Array): void {
  for (let from = 0; from < rows; from += BATCH_ROWS) {
    const count = Math.min(BATCH_ROWS, rows - from);
    const batch = rowHashes.subarray(from * HASH_WORDS, (from + count) * HASH_WORDS);
    const changes = new Uint8Array(count).fill(Change.added);
    table.probe(batch, count, changes, { keysOnly: false });
    if (changes.includes(Change.added)) throw new Error('a row that is there was not found');
  }
}

/** The hashes with so many pairs of rows exchanged. */
function exchanged(pairs: number): Int32Array {
  const words = hashes.slice();
  for (let pair = 0; pair < pairs; pair++) {
    const a = Math.floor(Math.random() * rows) * HASH_WORDS;
    const b = Math.floor(Math.random() * rows) * HASH_WORDS;
    const kept = words.slice(a, a + HASH_WORDS);
    words.copyWithin(a, b, b + HASH_WORDS);
    words.set(kept, b);
  }
  return words;
}

function nanosecondsOf(act: () => void): number {
  const start = process.hrtime.bigint();
  act();
  return Number(process.hrtime.bigint() - start) / rows;
}

const orders = {
  'in order': hashes,
  '1 % elsewhere': exchanged(rows / 200),
  '20 % elsewhere': exchanged(rows / 10),
  'no order': exchanged(rows * 3),
};
const seen = new Map<string, number[]>();
const note = (what: string, nanoseconds: number): void => {
  seen.set(what, [...(seen.get(what) ?? []), nanoseconds]);
};
for (let round = 0; round < ROUNDS; round++) {
  note('append pages of distinct keys', nanosecondsOf(appended));
  const table = opened();
  note(
    'load pages, each key looked up',
    nanosecondsOf(() => {
      for (const { words } of pages)
        for (let at = 0; at < words.length; at += HASH_WORDS) table.load(words, at, 0);
    }),
  );
  for (const [name, rowHashes] of Object.entries(orders)) {
    const known = appended();
    note(
      `probe, ${name}`,
      nanosecondsOf(() => probe(known, rowHashes)),
    );
  }
}
process.stdout.write(
  `${markdownTable(
    [{ title: `${rows} keys` }, { title: 'ns a row, best of 3', align: 'right' }],
    [...seen].map(([what, values]) => [what, Math.min(...values).toFixed(0)]),
  )}\n`,
);
