/**
 * MurmurHash3_x86_128 (Austin Appleby, public domain), by which older versions hashed,
 * with one difference: each of the four lanes has a seed of its own. With four equal
 * seeds it is the published function. Its baselines are carried over by
 * src/transforms/carry-over.ts: two inputs can be made to meet whatever the seed is.
 */

/** Four random lanes, drawn once for a baseline. */
export type HashSeed = readonly [number, number, number, number];

const C1 = 0x239b961b;
const C2 = 0xab0e9789;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93;

/**
 * Writes the hash of `bytes[start .. end]` as `words` 32-bit words (2 or 4) to `out` from
 * `outAt` on. `view` looks at the whole of what `start` and `end` count in.
 */
export function hashInto(
  view: DataView,
  start: number,
  end: number,
  seed: HashSeed,
  out: Int32Array,
  outAt: number,
  words: 2 | 4,
): void {
  const length = end - start;
  let h1 = seed[0];
  let h2 = seed[1];
  let h3 = seed[2];
  let h4 = seed[3];
  const blocksEnd = start + (length & ~15);
  let p = start;
  for (; p < blocksEnd; p += 16) {
    let k1 = Math.imul(view.getInt32(p, true), C1);
    k1 = Math.imul((k1 << 15) | (k1 >>> 17), C2);
    h1 ^= k1;
    h1 = (h1 << 19) | (h1 >>> 13);
    h1 = (Math.imul(h1 + h2, 5) + 0x561ccd1b) | 0;

    let k2 = Math.imul(view.getInt32(p + 4, true), C2);
    k2 = Math.imul((k2 << 16) | (k2 >>> 16), C3);
    h2 ^= k2;
    h2 = (h2 << 17) | (h2 >>> 15);
    h2 = (Math.imul(h2 + h3, 5) + 0x0bcaa747) | 0;

    let k3 = Math.imul(view.getInt32(p + 8, true), C3);
    k3 = Math.imul((k3 << 17) | (k3 >>> 15), C4);
    h3 ^= k3;
    h3 = (h3 << 15) | (h3 >>> 17);
    h3 = (Math.imul(h3 + h4, 5) + 0x96cd1c35) | 0;

    let k4 = Math.imul(view.getInt32(p + 12, true), C4);
    k4 = Math.imul((k4 << 18) | (k4 >>> 14), C1);
    h4 ^= k4;
    h4 = (h4 << 13) | (h4 >>> 19);
    h4 = (Math.imul(h4 + h1, 5) + 0x32ac3b17) | 0;
  }

  // The tail: up to 15 bytes, as the bytes of four little-endian words that end early.
  const rest = end - p;
  if (rest > 12) {
    let k4 = Math.imul(partialWord(view, p + 12, end), C4);
    k4 = Math.imul((k4 << 18) | (k4 >>> 14), C1);
    h4 ^= k4;
  }
  if (rest > 8) {
    let k3 = Math.imul(rest >= 12 ? view.getInt32(p + 8, true) : partialWord(view, p + 8, end), C3);
    k3 = Math.imul((k3 << 17) | (k3 >>> 15), C4);
    h3 ^= k3;
  }
  if (rest > 4) {
    let k2 = Math.imul(rest >= 8 ? view.getInt32(p + 4, true) : partialWord(view, p + 4, end), C2);
    k2 = Math.imul((k2 << 16) | (k2 >>> 16), C3);
    h2 ^= k2;
  }
  if (rest > 0) {
    let k1 = Math.imul(rest >= 4 ? view.getInt32(p, true) : partialWord(view, p, end), C1);
    k1 = Math.imul((k1 << 15) | (k1 >>> 17), C2);
    h1 ^= k1;
  }

  h1 ^= length;
  h2 ^= length;
  h3 ^= length;
  h4 ^= length;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  h3 = (h3 + h1) | 0;
  h4 = (h4 + h1) | 0;
  h1 = finalMix(h1);
  h2 = finalMix(h2);
  h3 = finalMix(h3);
  h4 = finalMix(h4);
  h1 = (h1 + h2 + h3 + h4) | 0;
  out[outAt] = h1;
  out[outAt + 1] = h2 + h1;
  if (words === 4) {
    out[outAt + 2] = h3 + h1;
    out[outAt + 3] = h4 + h1;
  }
}

/** The bytes from `p` to `end`, at most four, as a little-endian word. */
function partialWord(view: DataView, p: number, end: number): number {
  let word = 0;
  for (let i = Math.min(end, p + 4) - 1; i >= p; i--) word = (word << 8) | view.getUint8(i);
  return word;
}

/** MurmurHash3's fmix32. */
export function finalMix(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
