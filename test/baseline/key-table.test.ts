import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { BUCKETS, HASH_WORDS, KeyTable } from '../../src/baseline/key-table.ts';

/** Few distinct keys in few buckets that collide in their home slot, so that probing and removing meet long chains. */
const key = fc.tuple(fc.constantFrom(0, 1 << 24), fc.constantFrom(0, 5, 1 << 30), fc.nat(30), fc.constant(7));
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('load' as const), key, row: fc.integer() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('unload' as const), key, row: fc.constant(0) }) },
);

test('loading and unloading in any order leaves what a Map would hold, and the digest of just that', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), steps => {
      const table = new KeyTable();
      for (let bucket = 0; bucket < BUCKETS; bucket++) table.open(bucket, 0);
      const model = new Map<string, { words: Int32Array; reference: number }>();
      steps.forEach(({ do: what, key, row }, index) => {
        const words = Int32Array.of(...key, row, row ^ 99);
        if (what === 'load') {
          table.load(words, 0, index);
          model.set(String(key), { words, reference: index });
        } else {
          table.unload(words, 0);
          model.delete(String(key));
        }
      });
      const seen: string[] = [];
      for (let bucket = 0; bucket < BUCKETS; bucket++) {
        const { keys, references } = table.records(bucket);
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

      const fresh = new KeyTable();
      for (let bucket = 0; bucket < BUCKETS; bucket++) fresh.open(bucket, 0);
      for (const { words } of model.values()) fresh.load(words, 0, 0);
      assert.deepEqual(table.digest, fresh.digest);
    }),
    { numRuns: 500 },
  );
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
