import { Change, type Column, type RowBatch } from '../row-batch.ts';
import { fieldBounds } from './removed-rows.ts';
import { shownText } from './shown-text.ts';

/** The first rows of each change, for people who judge a run by them. */
export interface ChangeSample {
  readonly added: readonly SampledRow[];
  readonly updated: readonly SampledRow[];
  readonly removed: readonly SampledRow[];
  /** What it cannot show, and why; one sentence each. */
  readonly gaps: readonly string[];
}

export interface SampledRow {
  /** The fields of its key; of a model without one, every field that is written. */
  readonly key: readonly SampledField[];
  /** What differs, of an updated row; absent where the baseline keeps no values. */
  readonly differences?: readonly SampledDifference[];
}

export interface SampledField {
  /** Its name in the model. */
  readonly column: string;
  /** `null` for NULL. A long text is cut, and ends with its size. */
  readonly value: string | null;
}

export interface SampledDifference {
  /** Its name in the file. */
  readonly column: string;
  readonly before: string | null;
  readonly after: string | null;
}

/** Rows that are sampled of each change. */
export const MAX_SAMPLED_ROWS = 100;

/** A sample is to be looked at, and is kept with the record of a run. */
const MAX_VALUE_BYTES = 512;
const MAX_BYTES_PER_CHANGE = 128 * 1024;

export interface ChangeSamplerOptions {
  readonly fields: readonly Column[];
  /** How many of them are written. */
  readonly writtenCount: number;
  /** Places in `fields` of the key's columns. */
  readonly keyFields: readonly number[];
  /** See `ShownTextOptions`. */
  readonly clean?: ((text: string) => string) | undefined;
}

interface Kind {
  readonly rows: SampledRow[];
  /** Room that is left. */
  bytes: number;
  /** Rows of this change that have passed. */
  passed: number;
}

/**
 * Keeps the first rows of each change. What it costs does not grow with the rows: a batch
 * is only looked into where it has a change that there is room for.
 */
export class ChangeSampler {
  readonly #options: ChangeSamplerOptions;
  readonly #keyFields: readonly number[];
  readonly #shown: { readonly maxBytes: number; readonly clean: (text: string) => string };
  readonly #added = newKind();
  readonly #updated = newKind();
  readonly #removed = newKind();

  constructor(options: ChangeSamplerOptions) {
    this.#options = options;
    const { keyFields, writtenCount, clean = text => text } = options;
    this.#keyFields = keyFields.length > 0 ? keyFields : Array.from({ length: writtenCount }, (_, at) => at);
    this.#shown = { maxBytes: MAX_VALUE_BYTES, clean };
  }

  /** `gaps`: see `ChangeSample`. */
  sampleOf(gaps: readonly string[]): ChangeSample {
    return { added: this.#added.rows, updated: this.#updated.rows, removed: this.#removed.rows, gaps };
  }

  /**
   * Looks into a batch whose changes are set, where the counts up to it show that there
   * is something to keep. `before` gives what an updated row was, where that is known.
   */
  async take(
    batch: RowBatch,
    counts: { readonly added: number; readonly updated: number },
    before: (row: number) => Promise<Buffer | undefined>,
  ): Promise<void> {
    const kinds = [
      [Change.added, this.#added, counts.added],
      [Change.updated, this.#updated, counts.updated],
    ] as const;
    for (const [change, kind, count] of kinds) {
      const isNew = count > kind.passed;
      kind.passed = count;
      for (let row = 0; isNew && row < batch.rowCount && hasRoom(kind); row++) {
        if (batch.changes?.[row] !== change) continue;
        const old = change === Change.updated ? await before(row) : undefined;
        this.#keep(kind, rowAt(batch, row), old);
      }
    }
  }

  /** The rows of a batch that are not compared with anything: all are added. */
  takeAll(batch: RowBatch): void {
    for (let row = 0; row < batch.rowCount && hasRoom(this.#added); row++)
      this.#keep(this.#added, rowAt(batch, row));
  }

  /** A row that is gone, as the baseline retained it. */
  takeRemoved(row: Buffer): void {
    if (hasRoom(this.#removed)) this.#keep(this.#removed, row);
  }

  #keep(kind: Kind, row: Buffer, old?: Buffer): void {
    const { fields } = this.#options;
    const bounds = fieldBounds(row);
    const key = this.#keyFields.map(field => ({
      column: fields[field]!.source,
      value: this.#textAt(row, bounds[field]!),
    }));
    const differences = old && this.#differences(old, row);
    kind.rows.push({ key, ...(differences && { differences }) });
    const texts = [
      ...key.map(({ value }) => value),
      ...(differences ?? []).flatMap(({ before, after }) => [before, after]),
    ];
    for (const text of texts) kind.bytes -= FIELD_BYTES + (text?.length ?? 0);
  }

  #differences(old: Buffer, row: Buffer): SampledDifference[] {
    const { fields } = this.#options;
    const [oldBounds, bounds] = [fieldBounds(old), fieldBounds(row)];
    return fields.flatMap(({ name }, field) => {
      const [from, to] = [oldBounds[field]!, bounds[field]!];
      // With its length, which distinguishes NULL from the empty text.
      const isEqual = old.compare(row, to, bounds[field + 1], from, oldBounds[field + 1]) === 0;
      return isEqual ? [] : [{ column: name, before: this.#textAt(old, from), after: this.#textAt(row, to) }];
    });
  }

  #textAt(row: Buffer, at: number): string | null {
    const length = row.readInt32BE(at);
    return length < 0 ? null : shownText(row, at + 4, length, this.#shown);
  }
}

/** What surrounds a value counts too. */
const FIELD_BYTES = 32;

function newKind(): Kind {
  return { rows: [], bytes: MAX_BYTES_PER_CHANGE, passed: 0 };
}

function hasRoom({ rows, bytes }: Kind): boolean {
  return rows.length < MAX_SAMPLED_ROWS && bytes > 0;
}

function rowAt({ bytes, rowBounds }: RowBatch, row: number): Buffer {
  return bytes.subarray(rowBounds[2 * row], rowBounds[2 * row + 1]);
}
