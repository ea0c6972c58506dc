import type { RowBatch } from '../row-batch.ts';

/** Field of a row: where it stands. NULL has a length of -1. */
function lengthAt(bytes: Buffer, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/**
 * Finds the key of a row: its fields, lengths included, in the order of the primary key.
 * Where they stand side by side they are looked at in place; else they are copied
 * together.
 */
export class KeyFields {
  readonly #fields: readonly number[];
  readonly #sideBySide: boolean;
  #scratch = Buffer.allocUnsafeSlow(256);
  #scratchView = new DataView(this.#scratch.buffer);

  /** Where the key of the row that `locate` saw last stands in `view`. */
  view: DataView = this.#scratchView;
  start = 0;
  end = 0;

  /** `fields` are places in the row, in the order of the primary key. */
  constructor(fields: readonly number[]) {
    this.#fields = fields;
    this.#sideBySide = fields.every((field, index) => index === 0 || field === fields[index - 1]! + 1);
  }

  /** Returns false where a field of the key is NULL. */
  locate(batch: RowBatch, row: number, view: DataView): boolean {
    const { bytes } = batch;
    const first = this.#fields[0]!;
    let at = batch.rowBounds[2 * row]!;
    if (!this.#sideBySide) return this.#gather(batch, row);
    for (let field = 0; field < first; field++) at += 4 + Math.max(0, lengthAt(bytes, at));
    this.view = view;
    this.start = at;
    for (let field = 0; field < this.#fields.length; field++) {
      const length = lengthAt(bytes, at);
      if (length < 0) return false;
      at += 4 + length;
    }
    this.end = at;
    return true;
  }

  /** The texts of the key, for messages; `null` for NULL. */
  textsOf(batch: RowBatch, row: number): (string | null)[] {
    const places = fieldPlaces(batch, row);
    return this.#fields.map(field => {
      const at = places[field]!;
      const length = lengthAt(batch.bytes, at);
      return length < 0 ? null : batch.bytes.toString('utf8', at + 4, at + 4 + length);
    });
  }

  /** A copy of the key as `locate` finds it. */
  copyOf(batch: RowBatch, row: number): Buffer {
    const view = new DataView(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.byteLength);
    this.locate(batch, row, view);
    return Buffer.from(
      new Uint8Array(this.view.buffer, this.view.byteOffset + this.start, this.end - this.start),
    );
  }

  /** A row of `fieldCount` fields that has this key and NULL elsewhere. */
  rowOf(key: Buffer, fieldCount: number): Buffer {
    const parts: Buffer[] = Array.from({ length: fieldCount }, () => Buffer.from([0xff, 0xff, 0xff, 0xff]));
    let at = 0;
    for (const field of this.#fields) {
      const end = at + 4 + lengthAt(key, at);
      parts[field] = key.subarray(at, end);
      at = end;
    }
    return Buffer.concat(parts);
  }

  #gather(batch: RowBatch, row: number): boolean {
    const places = fieldPlaces(batch, row);
    let at = 0;
    for (const field of this.#fields) {
      const from = places[field]!;
      const length = lengthAt(batch.bytes, from);
      if (length < 0) return false;
      if (at + 4 + length > this.#scratch.length) {
        const grown = Buffer.allocUnsafeSlow((at + 4 + length) * 2);
        this.#scratch.copy(grown, 0, 0, at);
        this.#scratch = grown;
        this.#scratchView = new DataView(grown.buffer);
      }
      at += batch.bytes.copy(this.#scratch, at, from, from + 4 + length);
    }
    this.view = this.#scratchView;
    this.start = 0;
    this.end = at;
    return true;
  }
}

/** Where each field of a row begins. */
function fieldPlaces(batch: RowBatch, row: number): number[] {
  const places: number[] = [];
  const end = batch.rowBounds[2 * row + 1]!;
  for (let at = batch.rowBounds[2 * row]!; at < end; ) {
    places.push(at);
    at += 4 + Math.max(0, lengthAt(batch.bytes, at));
  }
  return places;
}
