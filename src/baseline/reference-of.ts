import { NO_VALUES, REFERENCE, SEEN, SLOT_WORDS } from './key-table.ts';

/**
 * Where the baseline keeps the values of a key, by the slots of its bucket; `undefined`
 * where it has none. For the few that are looked up so: an index would stay.
 */
export function referenceOf(slots: Int32Array, keys: Int32Array, at: number): number | undefined {
  for (let slot = 0; slot < slots.length; slot += SLOT_WORDS) {
    if (slots[slot] !== keys[at] || slots[slot + 1] !== keys[at + 1]) continue;
    if (slots[slot + 2] !== keys[at + 2] || slots[slot + 3] !== keys[at + 3]) continue;
    const reference = slots[slot + REFERENCE]! & ~SEEN;
    if (reference !== 0 && reference !== NO_VALUES) return reference - 1;
  }
  return undefined;
}
