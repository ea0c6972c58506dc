/**
 * Holds the names that a file has, row by row, against the columns that it should have.
 */
export class ColumnCheck {
  readonly #expected: readonly string[] | undefined;
  readonly #mayOmit: boolean;
  #next = 0;
  /** The first difference. */
  problem: string | undefined;

  /** `mayOmit`: a row may leave columns out, but not change their order. */
  constructor(expected: readonly string[] | undefined, { mayOmit }: { readonly mayOmit: boolean }) {
    this.#expected = expected;
    this.#mayOmit = mayOmit;
  }

  /** The next column of the row, or of the header. `place` is where, as in `row 7`. */
  take(name: string, place: string): void {
    const expected = this.#expected;
    if (expected === undefined || this.problem !== undefined) return;
    if (this.#mayOmit) {
      const found = expected.indexOf(name, this.#next);
      if (found >= 0) this.#next = found;
    }
    const wanted = expected[this.#next++];
    if (wanted === name) return;
    const instead = wanted === undefined ? 'no further column' : JSON.stringify(wanted);
    this.problem = `${place} has the column ${JSON.stringify(name)} where ${instead} is expected`;
  }

  /** The row, or the header, has ended. */
  end(place: string): void {
    const expected = this.#expected;
    const missing = this.#mayOmit ? undefined : expected?.[this.#next];
    this.#next = 0;
    if (missing !== undefined) this.problem ??= `${place} lacks the column ${JSON.stringify(missing)}`;
  }

  /** For files whose rows do not name their columns. */
  count(columns: number, place: string): void {
    const expected = this.#expected?.length;
    if (expected === undefined || columns === expected) return;
    this.problem ??= `${place} has ${columns} columns where ${expected} are expected`;
  }
}
