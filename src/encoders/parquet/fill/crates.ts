/**
 * The first is small, since many row groups are; each next one is twice as large, up to
 * what pages fill well.
 */
const FIRST_BYTES = 128 * 1024;
const MOST_BYTES = 2 * 1024 * 1024;
/** Kept for the next row groups: those of two. */
const MAX_SPARES = 32;

/**
 * Memory for the pages of a row group, which moves to another thread with them and comes
 * back.
 */
export class Crates {
  #full: ArrayBuffer[] = [];
  #bytes: Buffer | undefined;
  #at = 0;
  readonly #spares: ArrayBuffer[] = [];

  /** A place for `size` bytes in a crate. */
  place(size: number): { readonly crate: number; readonly at: number; readonly bytes: Buffer } {
    if (this.#bytes === undefined || this.#at + size > this.#bytes.length) this.#open(size);
    const at = this.#at;
    // The next place begins at a whole word.
    this.#at = Math.ceil((at + size) / 8) * 8;
    return { crate: this.#full.length - 1, at, bytes: this.#bytes! };
  }

  /** All that is filled; the next place is in another crate. */
  take(): ArrayBuffer[] {
    const full = this.#full;
    this.#full = [];
    this.#bytes = undefined;
    return full;
  }

  giveBack(crates: readonly ArrayBuffer[]): void {
    for (const crate of crates)
      if (crate.byteLength <= MOST_BYTES && this.#spares.length < MAX_SPARES) this.#spares.push(crate);
  }

  #open(size: number): void {
    const spare = this.#spares.findLastIndex(crate => crate.byteLength >= size);
    const crate = spare < 0 ? new ArrayBuffer(this.#sizeFor(size)) : this.#spares.splice(spare, 1)[0]!;
    this.#full.push(crate);
    this.#bytes = Buffer.from(crate);
    this.#at = 0;
  }

  #sizeFor(size: number): number {
    return Math.max(size, Math.min(MOST_BYTES, FIRST_BYTES << Math.min(this.#full.length, 8)));
  }
}
