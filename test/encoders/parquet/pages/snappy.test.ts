/** What the page encoder compresses, against a decoder that shares no code with it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compressors } from 'hyparquet-compressors';
import { codecOf } from '../../../../src/encoders/parquet/pages/page-codecs.js';
import { PageEncoder } from '../../../../src/encoders/parquet/pages/page-encoder.js';
import { PARQUET_PAGES_CODE } from '../../../../src/encoders/parquet/pages/parquet-pages-code.ts';

const encoder = new PageEncoder(new WebAssembly.Module(Buffer.from(PARQUET_PAGES_CODE, 'base64')));
const snappy = await codecOf('snappy', encoder);

function compressed(parts: readonly Buffer[]): Buffer {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const out = Buffer.alloc(32 + Math.ceil((size * 7) / 6) + 32);
  return out.subarray(0, snappy(parts, size, out, 0));
}

function assertReadsBack(parts: readonly Buffer[]): Buffer {
  const whole = Buffer.concat(parts);
  const stored = compressed(parts);
  assert.deepEqual(Buffer.from(compressors.SNAPPY!(stored, whole.length)), whole);
  assert.ok(stored.length <= 32 + whole.length + whole.length / 6, `${stored.length} of ${whole.length}`);
  return stored;
}

/** Pieces that repeat at all distances, of all lengths. */
const pieces = fc.array(
  fc.record({
    text: fc.constantFrom('', 'a', 'abcd', 'segment note "', '0123456789abcdefghij', '\0'),
    times: fc.integer({ min: 1, max: 90 }),
    random: fc.uint8Array({ maxLength: 40 }),
  }),
  { maxLength: 60 },
);

test('reads back, whatever repeats and however far apart', () => {
  const property = fc.property(pieces, pieces, (first, second) => {
    const bytesOf = (some: typeof first): Buffer =>
      Buffer.concat(some.flatMap(({ text, times, random }) => [Buffer.from(text.repeat(times)), random]));
    assertReadsBack([bytesOf(first), bytesOf(second)]);
  });
  fc.assert(property, { numRuns: 500 });
});

test('reads back at the ends of blocks and of what is handed over at a time', () => {
  const line = Buffer.from('user1234567@example77.com');
  for (const size of [0, 1, 15, 16, 65_535, 65_536, 65_537, 262_143, 262_144, 262_145, 700_000]) {
    const values = Buffer.alloc(size, line);
    assertReadsBack([values]);
    assertReadsBack([Buffer.from([1, 2, 3]), values]);
  }
});

test('makes what repeats much smaller, and what does not hardly larger', () => {
  const repeated = Buffer.alloc(300_000, 'the same thing again and again, ');
  assert.ok(assertReadsBack([repeated]).length < repeated.length / 15);
  let state = 1;
  const scattered = Buffer.from(
    Uint8Array.from({ length: 300_000 }, () => {
      state = Math.imul(state, 1_664_525) + 1_013_904_223;
      return state >>> 24;
    }),
  );
  assert.ok(assertReadsBack([scattered]).length < scattered.length + 100);
});
