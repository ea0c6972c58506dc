/**
 * Writes FlatBuffers, as far as Arrow's messages need them: from back to front, so that what is referred to is
 * written before what refers to it. A place is counted from the end of the buffer.
 * https://flatbuffers.dev/internals/
 */
export class FlatBuffer {
  #bytes = Buffer.alloc(1024);
  /** Bytes written, at the end of `#bytes`. */
  #length = 0;
  #largestAlignment = 1;

  /** Pads so that after `bytes` more the place is a multiple of `alignment`. */
  #align(alignment: number, bytes = 0): void {
    this.#largestAlignment = Math.max(this.#largestAlignment, alignment);
    while ((this.#length + bytes) % alignment !== 0) this.#push(1).writeUInt8(0);
  }

  #push(bytes: number): Buffer {
    if (this.#length + bytes > this.#bytes.length) {
      const larger = Buffer.alloc(2 * this.#bytes.length + bytes);
      this.#bytes.copy(larger, larger.length - this.#length, this.#bytes.length - this.#length);
      this.#bytes = larger;
    }
    this.#length += bytes;
    const start = this.#bytes.length - this.#length;
    return this.#bytes.subarray(start, start + bytes);
  }

  string(text: string): number {
    const bytes = Buffer.from(text);
    this.#align(4, bytes.length + 1);
    const at = this.#push(bytes.length + 1);
    bytes.copy(at);
    at[bytes.length] = 0;
    this.#push(4).writeUInt32LE(bytes.length);
    return this.#length;
  }

  /** @param places of tables or strings */
  references(places: readonly number[]): number {
    this.#align(4);
    for (let i = places.length - 1; i >= 0; i--) this.#reference(places[i]!);
    this.#push(4).writeUInt32LE(places.length);
    return this.#length;
  }

  /** Structures of two 64-bit integers. */
  pairs(values: readonly (readonly [number, number])[]): number {
    this.#align(8);
    for (let i = values.length - 1; i >= 0; i--) {
      const at = this.#push(16);
      at.writeBigInt64LE(BigInt(values[i]![0]), 0);
      at.writeBigInt64LE(BigInt(values[i]![1]), 8);
    }
    this.#push(4).writeUInt32LE(values.length);
    return this.#length;
  }

  /** A table; a field that is absent has its default. */
  table(fields: readonly FlatField[]): number {
    const end = this.#length;
    const places = fields.map(field => {
      if (field === undefined) return 0;
      this.#align(field.bytes);
      if (field.reference) this.#reference(field.value);
      else if (field.bytes === 8) this.#push(8).writeBigInt64LE(BigInt(field.value));
      else this.#push(field.bytes).writeIntLE(field.value, 0, field.bytes);
      return this.#length;
    });
    this.#align(4);
    const toVtable = this.#push(4);
    const start = this.#length;
    const vtableBytes = 4 + 2 * fields.length;
    toVtable.writeInt32LE(vtableBytes);
    const vtable = this.#push(vtableBytes);
    vtable.writeUInt16LE(vtableBytes, 0);
    vtable.writeUInt16LE(start - end, 2);
    places.forEach((place, index) => {
      vtable.writeUInt16LE(place === 0 ? 0 : start - place, 4 + 2 * index);
    });
    return start;
  }

  /** The whole buffer. */
  finish(root: number): Buffer {
    this.#align(Math.max(4, this.#largestAlignment), 4);
    this.#reference(root);
    return this.#bytes.subarray(this.#bytes.length - this.#length);
  }

  #reference(place: number): void {
    this.#align(4);
    this.#push(4).writeUInt32LE(this.#length - place);
  }
}

export type FlatField =
  | { readonly bytes: 1 | 2 | 4 | 8; readonly value: number; readonly reference: boolean }
  | undefined;

export const octet = (value: number): FlatField => ({ bytes: 1, value, reference: false });
export const short = (value: number): FlatField => ({ bytes: 2, value, reference: false });
export const int = (value: number): FlatField => ({ bytes: 4, value, reference: false });
export const long = (value: number): FlatField => ({ bytes: 8, value, reference: false });
export const reference = (value: number): FlatField => ({ bytes: 4, value, reference: true });
