import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { test } from 'node:test';
import fc from 'fast-check';
import { isUtf8Between } from '../../src/encoders/utf8.ts';

test('knows UTF-8 as Node does: every sequence of two bytes, and of the edges of three and four', () => {
  const edges = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
  const sequences: number[][] = [];
  for (let lead = 0; lead < 256; lead++) {
    for (let second = 0; second < 256; second++) sequences.push([lead], [lead, second]);
    for (const second of edges) {
      for (const third of edges) {
        sequences.push([lead, second, third]);
        for (const fourth of edges) sequences.push([lead, second, third, fourth]);
      }
    }
  }
  for (const sequence of sequences) {
    const bytes = Buffer.from(sequence);
    assert.equal(isUtf8Between(bytes, 0, bytes.length), isUtf8(bytes), bytes.toString('hex'));
  }
});

test('looks at nothing outside of its range', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }).map(Buffer.from), fc.uint8Array({ maxLength: 6 }));
  const property = fc.property(text, fc.nat(6), fc.nat(6), (value, start, cut) => {
    const bytes = Buffer.from(value);
    const from = Math.min(start, bytes.length);
    const end = Math.max(from, bytes.length - cut);
    assert.equal(isUtf8Between(bytes, from, end), isUtf8(bytes.subarray(from, end)));
  });
  fc.assert(property, { numRuns: 2000 });
});
