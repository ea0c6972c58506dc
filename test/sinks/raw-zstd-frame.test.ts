import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { rawFrame, rawFrameBytes, rawFrameBytesWithin } from '../../src/sinks/bodies/raw-zstd-frame.ts';
import { uncompressed } from '../support/uncompressed.ts';

test('inverts the bound exactly: what surely fits does, and one byte more may not', () => {
  const near = fc.oneof(
    fc.nat(600_000),
    fc.nat(5).map(n => 9 + n * 131_075),
    fc.nat(5).map(n => 9 + n * 131_075 + 3),
  );
  fc.assert(
    fc.property(near, bytes => {
      const plain = rawFrameBytesWithin(bytes);
      assert.ok(plain === 0 || rawFrameBytes(plain) <= bytes);
      assert.ok(rawFrameBytes(plain + 1) > bytes);
    }),
  );
  assert.equal(rawFrameBytesWithin(-1), 0);
  assert.equal(rawFrameBytesWithin(Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY);
});

test('stores bytes within the bound, as frames that follow each other', () => {
  const texts = [0, 1, 131_072, 131_073, 400_000, 0].map(length => randomBytes(length));
  const frames = texts.map(rawFrame);
  frames.forEach((frame, index) => {
    assert.equal(frame.length, rawFrameBytes(texts[index]!.length));
  });
  assert.deepEqual(uncompressed(Buffer.concat(frames), 'zstd'), Buffer.concat(texts));
});
