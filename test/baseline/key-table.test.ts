import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { BUCKETS, HASH_WORDS, KeyTable } from '../../src/baseline/key-table.ts';
import { Change } from '../../src/row-batch.ts';

/**
 * Few distinct keys in few buckets that collide in their home entry, so that looking them
 * up meets long chains.
 */
const key = fc.tuple(
  fc.constantFrom(0, 1 << 24),
  fc.constantFrom(0, 5, 1 << 30),
  fc.oneof(
    fc.nat(30),
    fc.nat(3).map(tag => tag << 24),
  ),
  fc.constantFrom(0, 7),
);
type Key = readonly [number, number, number, number];
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('load' as const), key, row: fc.integer() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('unload' as const), key, row: fc.constant(0) }) },
);
type Model = Map<string, { readonly words: Int32Array; readonly reference: number }>;

function emptyTable(): KeyTable {
  const table = new KeyTable();
  for (let bucket = 0; bucket < BUCKETS; bucket++) table.open(bucket, 0);
  return table;
}

function recordOf(key: Key, row: number): Int32Array {
  return Int32Array.of(...key, row, row ^ 99);
}

function holds(table: KeyTable, model: Model): void {
  const seen: string[] = [];
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const { keys, references } = table.records(bucket);
    assert.equal(table.countOf(bucket), references.length);
    references.forEach((reference, index) => {
      const words = keys.subarray(index * HASH_WORDS, (index + 1) * HASH_WORDS);
      const expected = model.get(String([...words.subarray(0, 4)]));
      assert.ok(expected);
      assert.deepEqual([...words], [...expected.words]);
      assert.equal(reference, expected.reference);
      seen.push(String([...words.subarray(0, 4)]));
    });
  }
  assert.deepEqual(seen.sort(), [...model.keys()].sort());

  const fresh = emptyTable();
  for (const { words } of model.values()) fresh.load(words, 0, 0);
  assert.deepEqual(table.digest, fresh.digest);
}

test('loading and unloading in any order leaves what a Map would hold, and the digest of just that', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), steps => {
      const table = emptyTable();
      const model: Model = new Map();
      steps.forEach(({ do: what, key, row }, index) => {
        const words = recordOf(key, row);
        if (what === 'load') {
          table.load(words, 0, index);
          model.set(String(key), { words, reference: index });
        } else {
          table.unload(words, 0);
          model.delete(String(key));
        }
      });
      holds(table, model);
    }),
    { numRuns: 500 },
  );
});

test('pages of distinct keys that are appended, and steps after them, leave what a Map would hold', () => {
  const pages = fc.uniqueArray(key, { selector: String, maxLength: 80 });
  fc.assert(
    fc.property(
      pages,
      fc.integer({ min: 1, max: 30 }),
      fc.array(step, { maxLength: 40 }),
      (keys, size, steps) => {
        const table = emptyTable();
        const model: Model = new Map();
        let reference = 0;
        for (const bucket of [0, 1]) {
          const records = keys.filter(([k0]) => k0 >>> 24 === bucket).map(key => recordOf(key, key[2]));
          for (let from = 0; from < records.length; from += size) {
            const page = records.slice(from, from + size);
            table.append(bucket, Int32Array.from(page.flatMap(words => [...words])), reference, 1);
            for (const words of page)
              model.set(String([...words.subarray(0, 4)]), { words, reference: reference++ });
          }
        }
        for (const { do: what, key, row } of steps) {
          const words = recordOf(key, row);
          if (what === 'load') {
            table.load(words, 0, 1000);
            model.set(String(key), { words, reference: 1000 });
          } else {
            table.unload(words, 0);
            model.delete(String(key));
          }
        }
        holds(table, model);
      },
    ),
    { numRuns: 500 },
  );
});

test('whatever the order in which rows come, each is told what a Map tells of it', () => {
  const baseline = fc.uniqueArray(key, { selector: String, maxLength: 60 });
  const seldomMoved = fc.array(fc.tuple(fc.nat(59), key), { maxLength: 6 });
  fc.assert(
    fc.property(baseline, seldomMoved, fc.boolean(), fc.boolean(), (keys, moves, shuffles, keysOnly) => {
      const table = emptyTable();
      keys.forEach((key, index) => {
        table.load(recordOf(key, 1), 0, index);
      });
      // Mostly the order of the baseline, with some rows that are new, repeated or
      // elsewhere; or backwards.
      const rows: Key[] = [...keys];
      for (const [place, key] of moves) rows.splice(place, place % 2, key);
      if (shuffles) rows.reverse();
      const known = new Set(keys.map(String));
      const seen = new Set<string>();
      const row = (index: number): number => (index % 3 === 0 ? 2 : 1);
      const hashes = Int32Array.from(rows.flatMap((key, index) => [...recordOf(key, row(index))]));
      const changes = new Uint8Array(rows.length).fill(Change.added);
      const repeated = table.probe(hashes, rows.length, changes, { keysOnly });
      const expected = rows.map((key, index) => {
        if (seen.has(String(key))) return Change.skipped;
        seen.add(String(key));
        if (!known.has(String(key))) return Change.added;
        return keysOnly || row(index) === 1 ? Change.unchanged : Change.updated;
      });
      assert.deepEqual([...changes], expected);
      assert.equal(repeated, expected.filter(change => change === Change.skipped).length);
      const unseen = [0, 1].flatMap(bucket => {
        const { keys: words, references } = table.unseen(bucket);
        return [...references].map((_, index) => String([...words.subarray(index * 4, index * 4 + 4)]));
      });
      assert.deepEqual(
        unseen.sort(),
        keys
          .map(String)
          .filter(text => !seen.has(text))
          .sort(),
      );
    }),
    { numRuns: 1000 },
  );
});

test('a bucket that was set aside and restored goes on where it stood', () => {
  const table = emptyTable();
  const record = (number: number): Int32Array => recordOf([number, number * 7919, number << 24, 3], number);
  for (let number = 0; number < 500; number++) table.load(record(number), 0, number);
  const before = table.digest;
  const slots = table.slotsOf(0).slice();
  table.close(0);
  table.restore(0, slots);
  for (let number = 500; number < 600; number++) table.load(record(number), 0, number);
  table.unload(record(3), 0);
  assert.equal(table.countOf(0), 599);
  const changes = new Uint8Array(2).fill(Change.added);
  table.probe(Int32Array.from([...record(3), ...record(4)]), 2, changes, { keysOnly: false });
  assert.deepEqual([...changes], [Change.added, Change.unchanged]);
  for (let number = 500; number < 600; number++) table.unload(record(number), 0);
  assert.deepEqual(table.digest, before);
});

test('the digest differs when one bit of one record differs', () => {
  const digestOf = (words: number[]): unknown => {
    const table = new KeyTable();
    table.open(0, 4);
    table.load(Int32Array.from(words), 0, 0);
    return table.digest;
  };
  const base = [1, 2, 3, 4, 5, 6];
  for (let word = 0; word < HASH_WORDS; word++) {
    for (let bit = 0; bit < (word === 0 ? 24 : 32); bit++) {
      const other = base.map((value, index) => (index === word ? value ^ (1 << bit) : value));
      assert.notDeepEqual(digestOf(other), digestOf(base), `word ${word} bit ${bit}`);
    }
  }
});
