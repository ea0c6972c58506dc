import type { DeltaLogWriter } from '../baseline/delta-log.ts';
import { type Digest, EMPTY_DIGEST, HASH_WORDS, recordDigest, sumOf } from '../baseline/key-table.ts';

const NO_VALUES = Buffer.alloc(0);

/**
 * What a delta writes that is taken against a baseline of MurmurHash3: all records of a
 * new baseline, which are hashed as they are now. Rows are looked for by their former
 * hashes.
 */
export class CarryOver {
  readonly #deltaLog: DeltaLogWriter;
  readonly #former = new Int32Array(HASH_WORDS);
  #digest = EMPTY_DIGEST;
  /** Keys that go on under their former hash. */
  formerKeys = 0;

  constructor(deltaLog: DeltaLogWriter) {
    this.#deltaLog = deltaLog;
  }

  /** The digest of the new baseline. */
  get digest(): Digest {
    return this.#digest;
  }

  /** Notes that the record with these hashes was logged. */
  add(hashes: Int32Array, at: number): void {
    this.#digest = sumOf(this.#digest, recordDigest(hashes, at));
  }

  /**
   * Keys that did not come and are to be known all the same: what is there of them is
   * their former hash.
   */
  async keep(keys: Int32Array): Promise<void> {
    for (let at = 0; at < keys.length; at += 4) {
      this.#former.set(keys.subarray(at, at + 4));
      this.#deltaLog.upsert(this.#former, 0, NO_VALUES, 0, 0);
      this.add(this.#former, 0);
      this.formerKeys++;
      if (this.#deltaLog.isFull) await this.#deltaLog.flush();
    }
  }
}
