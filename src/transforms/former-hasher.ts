import { HASH_WORDS } from '../baseline/key-table.ts';
import { type HashSeed, hashInto } from '../baseline/murmur-hash.ts';
import { Change, type RowBatch } from '../row-batch.ts';
import type { KeyFields } from './key-fields.ts';

/** Hashes rows as older versions did, to find them in what those left. */
export class FormerHasher {
  readonly #seed: HashSeed;
  readonly #keyFields: KeyFields;
  #hashes = new Int32Array(0);

  constructor(seed: HashSeed, keyFields: KeyFields) {
    this.#seed = seed;
    this.#keyFields = keyFields;
  }

  /** The former hashes of the rows whose change is `added`; good until the next call. */
  hash(batch: RowBatch, changes: Uint8Array): Int32Array {
    const { bytes, rowBounds, rowCount } = batch;
    if (this.#hashes.length < rowCount * HASH_WORDS) this.#hashes = new Int32Array(rowCount * HASH_WORDS);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const key = this.#keyFields;
    for (let row = 0; row < rowCount; row++) {
      if (changes[row] !== Change.added) continue;
      const at = row * HASH_WORDS;
      key.locate(batch, row, view);
      hashInto(key.view, key.start, key.end, this.#seed, this.#hashes, at, 4);
      hashInto(view, rowBounds[2 * row]!, rowBounds[2 * row + 1]!, this.#seed, this.#hashes, at + 4, 2);
    }
    return this.#hashes;
  }
}
