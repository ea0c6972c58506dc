import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { crc64 } from '../../../src/sinks/checksums/crc64-module.ts';
import { FileChecksums } from '../../../src/sinks/checksums/file-checksums.ts';
import { CHECKSUMS } from '../../../src/sinks/sink.ts';
import { checksumsOf, crc64Of } from '../support/checksums-of.ts';

test('CRC64 is CRC-64/NVME', () => {
  const check = Buffer.from('123456789');
  assert.equal(crc64().of(check), 0xae8b14860a799888n);
  assert.equal(crc64Of(check), 0xae8b14860a799888n);
  assert.equal(crc64().of(new Uint8Array()), 0n);
});

/** Around the steps in which bytes are taken and handed over. */
const LENGTHS = [
  ...Array.from({ length: 40 }, (_, length) => length),
  ...[-17, -1, 0, 1, 15, 16, 17].flatMap(more => [32_768 + more, 65_536 + more]),
];

test('bytes of every length have the CRC64 that a byte at a time gives', () => {
  const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => (index * 31 + (index >> 7)) & 255));
  for (const length of LENGTHS) {
    for (const from of [0, 1, 7]) {
      const piece = bytes.subarray(from, from + length);
      assert.equal(crc64().of(piece), crc64Of(piece), `${length} bytes`);
    }
  }
});

test('the CRC64 of pieces behind each other is joined from theirs, or continued', () => {
  const piece = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(piece, piece, (first, second) => {
      const whole = crc64Of(Buffer.concat([first, second]));
      const [a, b] = [crc64().of(first), crc64().of(second)];
      assert.equal(crc64().join(a, b, second.length), whole);
      assert.equal(crc64().of(second, a), whole);
    }),
  );
});

test('a join over more bytes than 32 bits count is that of zeros', () => {
  // Zeros twice as long each time.
  let [crc, bytes] = [crc64Of(new Uint8Array(1)), 1];
  const first = crc64Of(Buffer.from('first'));
  for (; bytes < 2 ** 40; bytes *= 2) crc = crc64().join(crc, crc, bytes);
  const halves = crc64().join(crc64().join(first, crc, bytes), crc, bytes);
  assert.equal(crc64().join(first, crc64().join(crc, crc, bytes), 2 * bytes), halves);
});

for (const [where, block] of [
  ['here', 1000],
  ['on the thread', 1024 * 1024],
] as const) {
  test(`checksums of a file and of its blocks, computed ${where}`, async () => {
    const bytes = Buffer.from(Array.from({ length: 2 * block + 333 }, (_, index) => (index * 7) & 255));
    const file = new FileChecksums(CHECKSUMS);
    const blocks = [bytes.subarray(0, block), bytes.subarray(block, 2 * block), bytes.subarray(2 * block)];
    for (const each of blocks) assert.equal(await file.update(Buffer.from(each), each.length), crc64Of(each));
    const { md5, ...others } = await file.finish();
    assert.deepEqual(others, checksumsOf(bytes));
    assert.match(md5 ?? '', /^[0-9a-f]{32}$/);
    const only = new FileChecksums(['sha256']);
    await only.update(bytes, bytes.length);
    assert.deepEqual(Object.keys(await only.finish()), ['sha256']);
  });
}
