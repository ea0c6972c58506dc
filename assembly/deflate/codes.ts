/** Huffman codes (RFC 1951, 3.2.2). */
import { LEAVES, LENGTHS_USED, SORTED } from './memory';

const COUNT_SHIFT: u32 = 9;
const SYMBOL_MASK: u32 = (1 << COUNT_SHIFT) - 1;

/**
 * Makes the code that is shortest for symbols that come so often, none of it longer than
 * `maxBits`, and at least two symbols have one: some readers refuse a code of one.
 * @param counts less than 2^23 each
 * @param codes by symbol: the code, from bit 16 on its length; 0 for those that never
 *   come
 */
export function makeCode(counts: usize, symbols: u32, maxBits: u32, codes: usize): void {
  let used: u32 = 0;
  for (let symbol: u32 = 0; symbol < symbols; symbol++) {
    store<u32>(codes + (symbol << 2), 0);
    const count = load<u32>(counts + (symbol << 2));
    if (count != 0) store<u32>(SORTED + (used++ << 2), (count << COUNT_SHIFT) | symbol);
  }
  for (let symbol: u32 = 0; used < 2; symbol++) {
    if (load<u32>(counts + (symbol << 2)) == 0) store<u32>(SORTED + (used++ << 2), (1 << COUNT_SHIFT) | symbol);
  }
  sort(used);
  for (let i: u32 = 0; i < used; i++) store<u32>(LEAVES + (i << 2), load<u32>(SORTED + (i << 2)) >> COUNT_SHIFT);
  depths(used);
  limitDepths(used, maxBits);
  // The rarest come first, and get the longest.
  let at: u32 = 0;
  for (let bits = maxBits; bits > 0; bits--) {
    for (let rest = load<u32>(LENGTHS_USED + (bits << 2)); rest > 0; rest--, at++) {
      const symbol = load<u32>(SORTED + (at << 2)) & SYMBOL_MASK;
      store<u32>(codes + (symbol << 2), bits << 16);
    }
  }
  numberCodes(codes, symbols, maxBits);
}

/** Gives each symbol its code, by the lengths, which are in `codes`. */
export function numberCodes(codes: usize, symbols: u32, maxBits: u32): void {
  // Codes of one length follow each other, in the order of their symbols.
  let code: u32 = 0;
  for (let bits: u32 = 1; bits <= maxBits; bits++) {
    code <<= 1;
    for (let symbol: u32 = 0; symbol < symbols; symbol++) {
      const entry = codes + (symbol << 2);
      if (load<u32>(entry) >> 16 == bits) store<u32>(entry, (bits << 16) | reversed(code++, bits));
    }
  }
}

function reversed(code: u32, bits: u32): u32 {
  let result: u32 = 0;
  for (let i: u32 = 0; i < bits; i++) result |= ((code >> i) & 1) << (bits - 1 - i);
  return result;
}

/** Shell's sort, with Ciura's steps. */
function sort(length: u32): void {
  for (let step: u32 = 132; step > 0; step = step == 132 ? 57 : step == 57 ? 23 : step == 23 ? 10 : step == 10 ? 4 : step == 4 ? 1 : 0) {
    for (let i = step; i < length; i++) {
      const value = load<u32>(SORTED + (i << 2));
      let at = i;
      while (at >= step) {
        const before = load<u32>(SORTED + ((at - step) << 2));
        if (before <= value) break;
        store<u32>(SORTED + (at << 2), before);
        at -= step;
      }
      store<u32>(SORTED + (at << 2), value);
    }
  }
}

// @ts-ignore: decorator
@inline
function leaf(index: u32): u32 {
  return load<u32>(LEAVES + (index << 2));
}

// @ts-ignore: decorator
@inline
function setLeaf(index: u32, value: u32): void {
  store<u32>(LEAVES + (index << 2), value);
}

/**
 * Counts in LENGTHS_USED how many symbols get each length: Moffat and Katajainen,
 * In-place calculation of minimum-redundancy codes. LEAVES has the counts in ascending
 * order; the tree's inner nodes take their place, and then the depths of those.
 */
function depths(length: u32): void {
  setLeaf(0, leaf(0) + leaf(1));
  let root: u32 = 0;
  let next: u32 = 2;
  for (let node: u32 = 1; node < length - 1; node++) {
    let sum: u32 = 0;
    for (let child = 0; child < 2; child++) {
      if (next >= length || (root < node && leaf(root) < leaf(next))) {
        sum += leaf(root);
        setLeaf(root++, node);
      } else {
        sum += leaf(next++);
      }
    }
    setLeaf(node, sum);
  }
  memory.fill(LENGTHS_USED, 0, 32 * 4);
  setLeaf(length - 2, 0);
  for (let node = <i32>length - 3; node >= 0; node--) setLeaf(node, leaf(leaf(node)) + 1);
  let free: u32 = 1;
  let inner = <i32>length - 2;
  for (let depth: u32 = 0; free > 0; depth++) {
    let nodes: u32 = 0;
    while (inner >= 0 && leaf(inner) == depth) {
      nodes++;
      inner--;
    }
    // Deeper than 31 nothing is with so few symbols; all below `maxBits` is the same.
    store<u32>(LENGTHS_USED + (min(depth, 31) << 2), load<u32>(LENGTHS_USED + (min(depth, 31) << 2)) + free - nodes);
    free = 2 * nodes;
  }
}

/** Makes what is too long shorter, and as much of the rest longer as that takes. */
function limitDepths(length: u32, maxBits: u32): void {
  let total: u32 = 0;
  for (let bits = maxBits + 1; bits < 32; bits++) {
    const entry = LENGTHS_USED + (maxBits << 2);
    store<u32>(entry, load<u32>(entry) + load<u32>(LENGTHS_USED + (bits << 2)));
  }
  for (let bits: u32 = 1; bits <= maxBits; bits++) total += load<u32>(LENGTHS_USED + (bits << 2)) << (maxBits - bits);
  for (; total > 1 << maxBits; total--) {
    const longest = LENGTHS_USED + (maxBits << 2);
    store<u32>(longest, load<u32>(longest) - 1);
    for (let bits = maxBits - 1; bits > 0; bits--) {
      const entry = LENGTHS_USED + (bits << 2);
      const count = load<u32>(entry);
      if (count == 0) continue;
      store<u32>(entry, count - 1);
      store<u32>(entry + 4, load<u32>(entry + 4) + 2);
      break;
    }
  }
}
