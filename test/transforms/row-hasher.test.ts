import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import fc from 'fast-check';
import { HASH_WORDS } from '../../src/baseline/key-table.ts';
import { HASH_FUNCTION, newRowHashing } from '../../src/baseline/row-hashing.ts';
import { Change, type RowBatch } from '../../src/row-batch.ts';
import { RowHasher } from '../../src/transforms/row-hasher.ts';
import { type Row, toBatch } from '../support/row-batches.ts';

interface Rounds {
  /** For each word, and at the end. */
  readonly rounds: readonly [number, number];
  readonly bits: 64 | 128;
}
const KEY: Rounds = { rounds: [2, 4], bits: 128 };
const ROW: Rounds = { rounds: [1, 3], bits: 64 };

/** SipHash as its authors describe it. */
function sipHash(bytes: Uint8Array, secret: Buffer, { rounds: [each, last], bits }: Rounds): Buffer {
  const [k0, k1] = [secret.readBigUInt64LE(0), secret.readBigUInt64LE(8)];
  const whole = (value: bigint): bigint => BigInt.asUintN(64, value);
  const rotated = (value: bigint, by: bigint): bigint => whole((value << by) | (value >> (64n - by)));
  let v0 = k0 ^ 0x736f6d6570736575n;
  let v1 = k1 ^ 0x646f72616e646f6dn ^ (bits === 128 ? 0xeen : 0n);
  let v2 = k0 ^ 0x6c7967656e657261n;
  let v3 = k1 ^ 0x7465646279746573n;
  const stir = (times: number): void => {
    for (let round = 0; round < times; round++) {
      v0 = whole(v0 + v1);
      v1 = rotated(v1, 13n) ^ v0;
      v0 = rotated(v0, 32n);
      v2 = whole(v2 + v3);
      v3 = rotated(v3, 16n) ^ v2;
      v0 = whole(v0 + v3);
      v3 = rotated(v3, 21n) ^ v0;
      v2 = whole(v2 + v1);
      v1 = rotated(v1, 17n) ^ v2;
      v2 = rotated(v2, 32n);
    }
  };
  const padded = Buffer.alloc((bytes.length & ~7) + 8);
  padded.set(bytes);
  padded[padded.length - 1] = bytes.length & 0xff;
  for (let at = 0; at < padded.length; at += 8) {
    const word = padded.readBigUInt64LE(at);
    v3 ^= word;
    stir(each);
    v0 ^= word;
  }
  const hash = Buffer.alloc(bits / 8);
  v2 ^= bits === 128 ? 0xeen : 0xffn;
  for (let at = 0; at < hash.length; at += 8) {
    stir(last);
    hash.writeBigUInt64LE(v0 ^ v1 ^ v2 ^ v3, at);
    v1 ^= 0xddn;
  }
  return hash;
}

const SECRET = Buffer.from(Uint8Array.from({ length: 16 }, (_, index) => index));
const HASHING = { function: HASH_FUNCTION, secret: SECRET.toString('hex') };

/**
 * SHA-256 of all 64 vectors of its authors (inputs of 0 to 63 bytes); those of 1-3 are
 * OpenSSL's.
 */
const VECTORS: [string, Rounds, string][] = [
  [
    '2-4-64',
    { rounds: [2, 4], bits: 64 },
    '0226a91002af9775a791b3ec5a48e643f8848d2d5774dea9be3438d5786bb58e',
  ],
  ['2-4-128', KEY, 'ecfaa9fe47ff788fa834a9863ea2715a2880cd37d2b8c3c194402838428119b9'],
  ['1-3-64', ROW, '6046331106143204acf164927e50cddf85f92b0df8fc440ff2e2bffe69db4dfb'],
];
for (const [name, rounds, sha256] of VECTORS) {
  test(`SipHash-${name} of these tests agrees with the published vectors`, () => {
    const all = Array.from({ length: 64 }, (_, length) =>
      sipHash(
        Uint8Array.from({ length }, (_, index) => index),
        SECRET,
        rounds,
      ),
    );
    assert.equal(createHash('sha256').update(Buffer.concat(all)).digest('hex'), sha256);
  });
}

/**
 * What the hasher must say of a row: in hexadecimal, `null` where a field of the key is
 * NULL.
 */
function expected(batch: RowBatch, row: number, keyFields: readonly number[]): string | null {
  const bytes = batch.bytes.subarray(batch.rowBounds[2 * row]!, batch.rowBounds[2 * row + 1]!);
  const fields: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 4 + Math.max(0, bytes.readInt32BE(at));
    fields.push(bytes.subarray(at, end));
    at = end;
  }
  const key = keyFields.map(field => fields[field]!);
  if (key.some(field => field.readInt32BE(0) < 0)) return null;
  return (
    sipHash(Buffer.concat(key), SECRET, KEY).toString('hex') + sipHash(bytes, SECRET, ROW).toString('hex')
  );
}

function check(
  rows: readonly Row[],
  keyFields: readonly number[],
  hasher = new RowHasher(HASHING, keyFields),
): void {
  const batch = toBatch(rows);
  const hashes = new Int32Array(rows.length * HASH_WORDS);
  const changes = new Uint8Array(rows.length).fill(0xaa);
  const skipped = hasher.hash(batch, hashes, changes);
  const told = rows.map((_, row) =>
    changes[row] === Change.skipped
      ? null
      : Buffer.from(hashes.slice(row * HASH_WORDS, (row + 1) * HASH_WORDS).buffer).toString('hex'),
  );
  assert.deepEqual(
    told,
    rows.map((_, row) => expected(batch, row, keyFields)),
  );
  assert.equal(skipped, told.filter(hash => hash === null).length);
  assert.ok(changes.every(change => change === Change.added || change === Change.skipped));
}

test('hashes of keys and rows are SipHash, wherever the fields of the key stand and whatever is NULL', () => {
  const value = fc.option(fc.string({ unit: 'grapheme', maxLength: 40 }), { nil: null, freq: 8 });
  const rowsOf = fc.array(fc.tuple(value, value, value, value), { minLength: 1, maxLength: 40 });
  const key = fc.constantFrom([0], [1], [3], [0, 1], [1, 2, 3], [2, 0], [3, 1, 2], [0, 1, 2, 3]);
  fc.assert(fc.property(rowsOf, key, (rows, keyFields) => check(rows, keyFields)));
});

test('rows of every length around a word, and more of them than go in one call, are hashed', () => {
  check(
    Array.from({ length: 3000 }, (_, index) => [String(index), 'x'.repeat(index % 70)]),
    [0],
  );
});

for (const keyFields of [[0], [1, 0]]) {
  test(`rows that are larger than others are hashed one by one, small ones before and after (key ${keyFields})`, () => {
    const large = (bytes: number): Row => ['k'.repeat(bytes % 1000), 'v'.repeat(bytes), 'end'];
    const rows = [10, 65_500, 65_536, 11, 100_000, 12, 90_000, 13].map(large);
    check(rows, keyFields);
    check(rows, keyFields, new RowHasher(HASHING, keyFields, 95_000));
  });
}

test('every baseline has a secret of its own, which nobody can guess', () => {
  const secrets = Array.from({ length: 50 }, () => newRowHashing().secret);
  assert.equal(new Set(secrets).size, 50);
  for (const secret of secrets) assert.match(secret, /^[0-9a-f]{32}$/);
  // Each place of them takes more than one value.
  for (let place = 0; place < 32; place++) assert.ok(new Set(secrets.map(secret => secret[place])).size > 1);
});
