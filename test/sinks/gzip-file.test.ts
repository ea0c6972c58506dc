import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { GZIP_CHUNK_BYTES, GzipFile } from '../../src/sinks/bodies/gzip-file.ts';

const text = Buffer.from(
  Array.from({ length: 30_000 }, (_, n) => `${n},user${n * 7919}@example.com,${n % 5}\n`).join(''),
);

/** The text in pieces of these lengths, compressed as they come, none waited for. */
async function zipped(engine: 'fast' | 'library', lengths: readonly number[]): Promise<Buffer> {
  const file = new GzipFile(undefined, engine);
  const pieces: Promise<Buffer>[] = [];
  let at = 0;
  for (const length of lengths) {
    // Its memory is its own to write to.
    const plain = Buffer.from(new SharedArrayBuffer(length));
    at += text.copy(plain, 0, at, at + length);
    pieces.push(file.compress(plain));
  }
  const compressed = await Promise.all(pieces);
  for (const [index, piece] of compressed.entries()) assert.ok(piece.length <= file.bound(lengths[index]!));
  const zipped = Buffer.concat([file.head, ...compressed, file.tail()]);
  assert.ok(gunzipSync(zipped).equals(text.subarray(0, at)));
  return zipped;
}

for (const engine of ['fast', 'library'] as const) {
  test(`joins short, long and longest pieces into one member, each with what came before it (${engine})`, async () => {
    await zipped(engine, []);
    await zipped(engine, [1, 0, 1000, 40_000, 3, 20_000]);
    await zipped(engine, [100_000, 2000, GZIP_CHUNK_BYTES, 60_000, 2 * GZIP_CHUNK_BYTES + 10, 500]);
  });
}

test('gives the same bytes whichever thread takes a piece', async () => {
  const lengths = [GZIP_CHUNK_BYTES, 90_000, 70_000, GZIP_CHUNK_BYTES];
  const first = await zipped('fast', lengths);
  for (let again = 0; again < 3; again++) assert.deepEqual(await zipped('fast', lengths), first);
});
