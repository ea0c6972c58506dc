import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { DEFLATE_CODE } from '../../src/sinks/bodies/deflate/deflate-code.ts';
import { Deflater } from '../../src/sinks/bodies/deflate/deflater.js';
import { lazyModule } from '../../src/wasm-module.ts';

const PIECE_BYTES = 256 * 1024;
const WINDOW_BYTES = 32 * 1024;
const deflater = new Deflater(lazyModule(DEFLATE_CODE)());

/** The whole text as pieces, each with what is before it, and as zlib reads them. */
function throughDeflate(text: Buffer, level: number, pieceBytes = PIECE_BYTES): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < text.length; at += pieceBytes) {
    const before = text.subarray(Math.max(0, at - WINDOW_BYTES), at);
    pieces.push(Buffer.from(deflater.compress(text.subarray(at, at + pieceBytes), before, level)));
  }
  const end = Buffer.from([3, 0]);
  const deflated = Buffer.concat([...pieces, end]);
  assert.deepEqual(inflateRawSync(deflated), text);
  return deflated;
}

const line = (n: number): string =>
  `${n},user${n}@example${n % 97}.com,${['Anna', 'Chloé', 'Dmitri'][n % 3]},+33${600_000_000 + ((n * 7919) % 99_999_999)},${(((n * 104_729) % 1_000_000) / 100).toFixed(2)},2020-01-${10 + (n % 20)}T01:40:07.000000Z,,${n % 5 ? '' : n * 7}\n`;
const lines = (count: number): Buffer =>
  Buffer.from(Array.from({ length: count }, (_, n) => line(n)).join(''));

/** Runs, repeats from near and far, noise, and text, in any order. */
const PART = fc.oneof(
  fc.tuple(fc.nat(255), fc.nat(2000)).map(([byte, length]) => Buffer.alloc(length, byte)),
  fc.uint8Array({ maxLength: 600 }).map(bytes => Buffer.from(bytes)),
  fc.string({ unit: 'binary', maxLength: 200 }).map(text => Buffer.from(text)),
  fc.tuple(fc.nat(3000), fc.nat(300)).map(([first, count]) => lines(first + count).subarray(first * 70)),
);
const TEXT = fc.array(PART, { maxLength: 30, size: 'max' }).map(parts => Buffer.concat([...parts, ...parts]));

test('gives any text back, at every level and cut anywhere', () => {
  fc.assert(
    fc.property(
      TEXT,
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 300, max: 70_000 }),
      (text, level, pieceBytes) => {
        throughDeflate(text, level, pieceBytes);
      },
    ),
    { numRuns: 150 },
  );
});

test('gives back what is hard to code: noise, one byte, repeats at the window and beyond it', () => {
  const noise = randomBytes(PIECE_BYTES);
  const texts = [
    noise,
    Buffer.from('a'),
    Buffer.alloc(PIECE_BYTES, 'a'),
    Buffer.from(Array.from({ length: PIECE_BYTES }, (_, n) => n % 251)),
    // So rare, and then so often, that codes would be longer than they may be.
    Buffer.concat(
      Array.from({ length: 24 }, (_, n) => Buffer.alloc(Math.min(2 ** n, 90_000), noise.subarray(n, n + 1))),
    ),
    ...[-2, -1, 0, 1].map(more => {
      const distance = WINDOW_BYTES + more;
      return Buffer.concat([noise.subarray(0, distance), noise.subarray(0, 100)]);
    }),
  ];
  for (const text of texts) for (const level of [1, 4, 6, 9]) throughDeflate(text, level);
});

test('gives the same bytes whatever it compressed before', () => {
  const text = lines(3000);
  for (const level of [1, 6, 9]) {
    const first = throughDeflate(text, level);
    throughDeflate(randomBytes(100_000), 9);
    assert.deepEqual(throughDeflate(text, level), first);
  }
});

test('is no larger than zlib at the same level for rows of text', () => {
  const text = lines(20_000);
  const sizes = Array.from({ length: 9 }, (_, index) => throughDeflate(text, index + 1).length);
  for (const [index, size] of sizes.entries()) {
    const byZlib = deflateRawSync(text, { level: index + 1 }).length;
    assert.ok(size <= byZlib * 1.01, `level ${index + 1}: ${size}, zlib ${byZlib}`);
  }
});

test('makes noise hardly larger', () => {
  const noise = randomBytes(PIECE_BYTES);
  assert.ok(deflater.compress(noise, Buffer.alloc(0), 6).length < noise.length + 500);
});
