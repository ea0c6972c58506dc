/**
 * Hashes of rows and of their keys, by SipHash (Jean-Philippe Aumasson and Daniel J.
 * Bernstein, 2012), which nobody can steer who does not know its secret: SipHash-2-4 of
 * 128 bits for keys, SipHash-1-3 of 64 bits for rows. Compiled to WebAssembly by `npm run
 * assembly`; src/transforms/row-hasher.ts calls it. Up to 8 bytes are read behind a row.
 */

/** Numbers of src/row-batch.ts. */
const ADDED: u8 = 0;
const SKIPPED: u8 = 4;
/** Bytes of the hashes of one row: of its key, then of the row. */
const HASH_BYTES: usize = 24;
const ROW_HASH_AT: usize = 16;

let secret0: u64 = 0;
let secret1: u64 = 0;

export function setSecret(first: u64, second: u64): void {
  secret0 = first;
  secret1 = second;
}

/**
 * @param fields places of the key's fields in a row, `fieldCount` words
 * @param bounds start and end of each row, to which `moved` has to be added
 * @param scratch room for a key whose fields do not stand side by side
 * @param hashes receives the hashes of each row
 * @param changes receives a byte for each row: whether it has a key, and so hashes
 * @returns how many rows have none, since a field of it is NULL
 */
export function hashRows(
  fields: usize,
  fieldCount: u32,
  bounds: usize,
  moved: usize,
  count: u32,
  scratch: usize,
  hashes: usize,
  changes: usize,
): u32 {
  const fieldsEnd = fields + 4 * <usize>fieldCount;
  const isInPlace = areSideBySide(fields, fieldsEnd);
  let nulls: u32 = 0;
  for (let row: u32 = 0; row < count; row++, bounds += 8, hashes += HASH_BYTES) {
    const start = <usize>load<u32>(bounds) + moved;
    const end = <usize>load<u32>(bounds, 4) + moved;
    let keyStart = scratch;
    let keyEnd = scratch;
    let at = start;
    let field: u32 = 0;
    let next = fields;
    for (; next < fieldsEnd; next += 4) {
      const wanted = load<u32>(next);
      if (wanted < field) {
        at = start;
        field = 0;
      }
      for (; field < wanted; field++) at += 4 + <usize>max<i32>(0, lengthAt(at));
      const length = lengthAt(at);
      if (length < 0) break;
      const behind = at + 4 + <usize>length;
      if (isInPlace) {
        if (next == fields) keyStart = at;
        keyEnd = behind;
      } else {
        memory.copy(keyEnd, at, behind - at);
        keyEnd += behind - at;
      }
      at = behind;
      field++;
    }
    if (next < fieldsEnd) {
      store<u8>(changes + row, SKIPPED);
      nulls++;
      continue;
    }
    store<u8>(changes + row, ADDED);
    hashKey(keyStart, keyEnd, hashes);
    hashRow(start, end, hashes + ROW_HASH_AT);
  }
  return nulls;
}

function areSideBySide(fields: usize, fieldsEnd: usize): bool {
  for (let next = fields + 4; next < fieldsEnd; next += 4)
    if (load<u32>(next) != load<u32>(next - 4) + 1) return false;
  return true;
}

// @ts-ignore: decorator
@inline
function lengthAt(at: usize): i32 {
  return <i32>bswap(load<u32>(at));
}

/** The bytes that fill no word, and above them the length of all. */
// @ts-ignore: decorator
@inline
function lastWord(p: usize, end: usize, length: usize): u64 {
  const rest = <u64>(end - p);
  return (load<u64>(p) & (((<u64>1) << (rest << 3)) - 1)) | ((<u64>length) << 56);
}

/** SipHash-2-4, 128 bits. */
// @ts-ignore: decorator
@inline
function hashKey(start: usize, end: usize, to: usize): void {
  let v0 = secret0 ^ 0x736f6d6570736575;
  let v1 = secret1 ^ 0x646f72616e646f6d ^ 0xee;
  let v2 = secret0 ^ 0x6c7967656e657261;
  let v3 = secret1 ^ 0x7465646279746573;
  const length = end - start;
  const tail = start + (length & ~7);
  for (let p = start; ; p += 8) {
    const word = p < tail ? load<u64>(p) : lastWord(p, end, length);
    v3 ^= word;
    v0 += v1; v2 += v3; v1 = rotl(v1, 13) ^ v0; v3 = rotl(v3, 16) ^ v2; v0 = rotl(v0, 32);
    v2 += v1; v0 += v3; v1 = rotl(v1, 17) ^ v2; v3 = rotl(v3, 21) ^ v0; v2 = rotl(v2, 32);
    v0 += v1; v2 += v3; v1 = rotl(v1, 13) ^ v0; v3 = rotl(v3, 16) ^ v2; v0 = rotl(v0, 32);
    v2 += v1; v0 += v3; v1 = rotl(v1, 17) ^ v2; v3 = rotl(v3, 21) ^ v0; v2 = rotl(v2, 32);
    v0 ^= word;
    if (p >= tail) break;
  }
  v2 ^= 0xee;
  for (let half: usize = 0; half < 16; half += 8) {
    for (let round = 0; round < 4; round++) {
      v0 += v1; v2 += v3; v1 = rotl(v1, 13) ^ v0; v3 = rotl(v3, 16) ^ v2; v0 = rotl(v0, 32);
      v2 += v1; v0 += v3; v1 = rotl(v1, 17) ^ v2; v3 = rotl(v3, 21) ^ v0; v2 = rotl(v2, 32);
    }
    store<u64>(to + half, v0 ^ v1 ^ v2 ^ v3);
    v1 ^= 0xdd;
  }
}

/** SipHash-1-3, 64 bits. */
// @ts-ignore: decorator
@inline
function hashRow(start: usize, end: usize, to: usize): void {
  let v0 = secret0 ^ 0x736f6d6570736575;
  let v1 = secret1 ^ 0x646f72616e646f6d;
  let v2 = secret0 ^ 0x6c7967656e657261;
  let v3 = secret1 ^ 0x7465646279746573;
  const length = end - start;
  const tail = start + (length & ~7);
  for (let p = start; ; p += 8) {
    const word = p < tail ? load<u64>(p) : lastWord(p, end, length);
    v3 ^= word;
    v0 += v1; v2 += v3; v1 = rotl(v1, 13) ^ v0; v3 = rotl(v3, 16) ^ v2; v0 = rotl(v0, 32);
    v2 += v1; v0 += v3; v1 = rotl(v1, 17) ^ v2; v3 = rotl(v3, 21) ^ v0; v2 = rotl(v2, 32);
    v0 ^= word;
    if (p >= tail) break;
  }
  v2 ^= 0xff;
  for (let round = 0; round < 3; round++) {
    v0 += v1; v2 += v3; v1 = rotl(v1, 13) ^ v0; v3 = rotl(v3, 16) ^ v2; v0 = rotl(v0, 32);
    v2 += v1; v0 += v3; v1 = rotl(v1, 17) ^ v2; v3 = rotl(v3, 21) ^ v0; v2 = rotl(v2, 32);
  }
  store<u64>(to, v0 ^ v1 ^ v2 ^ v3);
}
