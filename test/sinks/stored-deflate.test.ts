import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { deflatedBytesBound, plainBytesWithin, storedBlocks } from '../../src/sinks/bodies/stored-deflate.ts';

test('inverts the bound exactly: what surely fits does, and one byte more may not', () => {
  const near = fc.oneof(
    fc.nat(200_000),
    fc.nat(5).map(n => n * 65_540 + 3),
    fc.nat(5).map(n => n * 65_540),
  );
  fc.assert(
    fc.property(near, bytes => {
      const plain = plainBytesWithin(bytes);
      assert.ok(plain === 0 || deflatedBytesBound(plain) <= bytes);
      assert.ok(deflatedBytesBound(plain + 1) > bytes);
    }),
  );
  assert.equal(plainBytesWithin(-1), 0);
  assert.equal(plainBytesWithin(Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY);
});

test('stores bytes within the bound, for a deflate stream to go on after them', () => {
  for (const length of [1, 65_535, 65_536, 200_000]) {
    const plain = randomBytes(length);
    const stored = storedBlocks(plain);
    assert.equal(stored.length, deflatedBytesBound(length));
    assert.deepEqual(inflateRawSync(Buffer.concat([stored, Buffer.from([3, 0])])), plain);
  }
});
