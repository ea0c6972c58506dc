/**
 * Thrift's compact protocol, as far as Parquet's footer needs it: structures are read
 * into trees that can be changed and written again. What the reader does not know it
 * keeps.
 * https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 */

export const Thrift = {
  true: 1,
  false: 2,
  byte: 3,
  i16: 4,
  i32: 5,
  i64: 6,
  double: 7,
  binary: 8,
  list: 9,
  set: 10,
  map: 11,
  struct: 12,
} as const;

/**
 * Integers of every width are numbers: nothing in a footer but statistics, which are
 * binary, passes 2^53.
 */
export type ThriftValue =
  | { readonly type: typeof Thrift.true | typeof Thrift.false }
  | {
      readonly type: typeof Thrift.byte | typeof Thrift.i16 | typeof Thrift.i32 | typeof Thrift.i64;
      readonly value: number;
    }
  | { readonly type: typeof Thrift.double | typeof Thrift.binary; readonly value: Buffer }
  | {
      readonly type: typeof Thrift.list | typeof Thrift.set;
      readonly of: number;
      readonly items: readonly ThriftValue[];
    }
  | { readonly type: typeof Thrift.struct; readonly fields: ThriftStruct };

/** Fields by their id. */
export type ThriftStruct = Map<number, ThriftValue>;

export const i16 = (value: number): ThriftValue => ({ type: Thrift.i16, value });
export const i32 = (value: number): ThriftValue => ({ type: Thrift.i32, value });
export const i64 = (value: number): ThriftValue => ({ type: Thrift.i64, value });
export const bool = (value: boolean): ThriftValue => ({ type: value ? Thrift.true : Thrift.false });
export const text = (value: string): ThriftValue => ({ type: Thrift.binary, value: Buffer.from(value) });
export const list = (of: number, items: readonly ThriftValue[]): ThriftValue => ({
  type: Thrift.list,
  of,
  items,
});
export const struct = (entries: readonly (readonly [number, ThriftValue])[] = []): ThriftValue => ({
  type: Thrift.struct,
  fields: new Map(entries),
});

/** The integer of a field, `undefined` where the field is absent or something else. */
export function integerOf(fields: ThriftStruct, id: number): number | undefined {
  const field = fields.get(id);
  return field !== undefined && 'value' in field && typeof field.value === 'number' ? field.value : undefined;
}

/** The structures of a list field; none where the field is absent or something else. */
export function structsOf(fields: ThriftStruct, id: number): ThriftStruct[] {
  const field = fields.get(id);
  if (field === undefined || !('items' in field)) return [];
  return field.items.flatMap(item => ('fields' in item ? [item.fields] : []));
}

/** @throws RangeError where the bytes are no structure */
export function readStruct(bytes: Buffer): ThriftStruct {
  return new Reader(bytes).struct();
}

export function writeStruct(fields: ThriftStruct): Buffer {
  const writer = new Writer();
  writer.struct(fields);
  return writer.written();
}

/** What precedes the items of a list. */
export function listHeader(of: number, length: number): Buffer {
  const writer = new Writer();
  writer.listHeader(of, length);
  return writer.written();
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  struct(): ThriftStruct {
    const fields: ThriftStruct = new Map();
    let id = 0;
    for (;;) {
      const head = this.#byte();
      if (head === 0) return fields;
      const delta = head >> 4;
      id = delta === 0 ? this.#zigzag() : id + delta;
      fields.set(id, this.#value(head & 15, false));
    }
  }

  #value(type: number, inList: boolean): ThriftValue {
    switch (type) {
      case Thrift.true:
      case Thrift.false:
        // In a list a boolean has a byte of its own; as a field its type is its value.
        return bool((inList ? this.#byte() : type) === Thrift.true);
      case Thrift.byte:
        return { type, value: this.#byte() };
      case Thrift.i16:
      case Thrift.i32:
      case Thrift.i64:
        return { type, value: this.#zigzag() };
      case Thrift.double:
        return { type, value: this.#take(8) };
      case Thrift.binary:
        return { type, value: this.#take(this.#varint()) };
      case Thrift.list:
      case Thrift.set: {
        const head = this.#byte();
        const length = head >> 4 === 15 ? this.#varint() : head >> 4;
        const items = Array.from({ length }, () => this.#value(head & 15, true));
        return { type, of: head & 15, items };
      }
      case Thrift.struct:
        return { type, fields: this.struct() };
      default:
        throw new RangeError(`thrift type ${type} is not one that Parquet's footer uses`);
    }
  }

  #byte(): number {
    return this.#take(1)[0]!;
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError('a thrift structure is cut short');
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  #varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#byte();
      value += (byte & 127) * scale;
      if (byte < 128) return checkSafe(value);
    }
  }

  #zigzag(): number {
    const value = this.#varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}

class Writer {
  #bytes = Buffer.allocUnsafe(1024);
  #at = 0;

  written(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  struct(fields: ThriftStruct): void {
    let last = 0;
    const entries = [...fields].sort(([a], [b]) => a - b);
    for (const [id, value] of entries) {
      const delta = id - last;
      if (delta <= 15) this.#byte((delta << 4) | value.type);
      else {
        this.#byte(value.type);
        this.#zigzag(id);
      }
      last = id;
      this.#value(value);
    }
    this.#byte(0);
  }

  listHeader(of: number, length: number): void {
    if (length < 15) this.#byte((length << 4) | of);
    else {
      this.#byte(0xf0 | of);
      this.#varint(length);
    }
  }

  #value(value: ThriftValue): void {
    switch (value.type) {
      case Thrift.true:
      case Thrift.false:
        break;
      case Thrift.byte:
        this.#byte(value.value);
        break;
      case Thrift.i16:
      case Thrift.i32:
      case Thrift.i64:
        this.#zigzag(value.value);
        break;
      case Thrift.double:
        this.#copy(value.value);
        break;
      case Thrift.binary:
        this.#varint(value.value.length);
        this.#copy(value.value);
        break;
      case Thrift.list:
      case Thrift.set:
        this.listHeader(value.of, value.items.length);
        for (const item of value.items) {
          if (item.type === Thrift.true || item.type === Thrift.false) this.#byte(item.type);
          else this.#value(item);
        }
        break;
      case Thrift.struct:
        this.struct(value.fields);
        break;
      default:
        value satisfies never;
    }
  }

  #byte(byte: number): void {
    this.#reserve(1);
    this.#bytes[this.#at++] = byte;
  }

  #copy(bytes: Buffer): void {
    this.#reserve(bytes.length);
    this.#at += bytes.copy(this.#bytes, this.#at);
  }

  #varint(value: number): void {
    let rest = checkSafe(value);
    while (rest >= 128) {
      this.#byte((rest % 128) | 128);
      rest = Math.floor(rest / 128);
    }
    this.#byte(rest);
  }

  #zigzag(value: number): void {
    this.#varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  #reserve(length: number): void {
    const wanted = this.#at + length;
    if (wanted <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(wanted, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}

function checkSafe(value: number): number {
  if (!Number.isSafeInteger(value)) throw new RangeError('an integer of a footer is beyond 2^53');
  return value;
}
