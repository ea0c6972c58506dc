import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { type HashSeed, hashInto } from '../../src/baseline/murmur-hash.ts';

function hash(bytes: Uint8Array, seed: HashSeed): number[] {
  const out = new Int32Array(4);
  hashInto(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.length, seed, out, 0, 4);
  return [...out].map(word => word >>> 0);
}
const equalLanes = (seed: number): HashSeed => [seed | 0, seed | 0, seed | 0, seed | 0];

test('with equal seeds the hash is MurmurHash3_x86_128, by the verification value of its author', () => {
  // SMHasher: keys {0}, {0,1}, … of length 0-255, seed 256 - length; all hashes hashed
  // with seed 0; the first word.
  const hashes = Buffer.alloc(256 * 16);
  for (let length = 0; length < 256; length++) {
    const key = Uint8Array.from({ length }, (_, index) => index);
    hash(key, equalLanes(256 - length)).forEach((word, index) => {
      hashes.writeUInt32LE(word, length * 16 + index * 4);
    });
  }
  assert.equal(hash(hashes, equalLanes(0))[0], 0xb3ece62a);
});

test('the hash of a range is the hash of a copy of the range', () => {
  const cases = fc.tuple(
    fc.uint8Array({ maxLength: 80 }),
    fc.nat(20),
    fc.tuple(fc.integer(), fc.integer(), fc.integer(), fc.integer()),
  );
  fc.assert(
    fc.property(cases, ([bytes, before, seed]) => {
      const room = new Uint8Array(before + bytes.length + 5).fill(0xaa);
      room.set(bytes, before);
      const out = new Int32Array(6);
      hashInto(new DataView(room.buffer), before, before + bytes.length, seed, out, 1, 4);
      assert.deepEqual(
        [...out.subarray(1, 5)].map(word => word >>> 0),
        hash(bytes, seed),
      );
    }),
  );
});

test('two words are the first two of four', () => {
  const bytes = Buffer.from('some text that is longer than a block');
  const out = new Int32Array(4);
  hashInto(new DataView(bytes.buffer, bytes.byteOffset), 0, bytes.length, [1, 2, 3, 4], out, 0, 2);
  assert.deepEqual(
    [out[0]! >>> 0, out[1]! >>> 0, out[2], out[3]],
    [...hash(bytes, [1, 2, 3, 4]).slice(0, 2), 0, 0],
  );
});
