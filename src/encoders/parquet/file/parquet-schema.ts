import type { ParquetColumn } from '../parquet-column.ts';
import { bool, i32, struct, Thrift, type ThriftValue, text } from './thrift-compact.ts';

/** Field ids of SchemaElement in parquet.thrift. */
const Element = {
  type: 1,
  typeLength: 2,
  repetition: 3,
  name: 4,
  childCount: 5,
  convertedType: 6,
  scale: 7,
  precision: 8,
  logicalType: 10,
} as const;

const OPTIONAL = 1;

/** Physical types. */
export const Physical = {
  boolean: 0,
  int32: 1,
  int64: 2,
  float: 4,
  double: 5,
  byteArray: 6,
  fixedByteArray: 7,
} as const;

/**
 * The older annotations, for readers that know no others. They cannot say that a time is
 * local, and without one such readers take it for a number, so the format's definition
 * asks for it all the same.
 */
const Converted = {
  utf8: 0,
  decimal: 5,
  date: 6,
  timeMicros: 8,
  timestampMicros: 10,
  int16: 16,
  json: 19,
} as const;

/** Members of the union LogicalType. */
const Logical = {
  string: 1,
  decimal: 5,
  date: 6,
  time: 7,
  timestamp: 8,
  integer: 10,
  json: 12,
  uuid: 14,
} as const;

interface StoredType {
  readonly physical: number;
  readonly typeLength?: number;
  readonly converted?: number;
  readonly logical?: ThriftValue;
}

const MICROSECONDS = struct([[2, struct()]]);

/**
 * Every column may be NULL: what the database knows of that is lost in a query's result.
 */
export function schemaElements(columns: readonly ParquetColumn[]): ThriftValue[] {
  const root = struct([
    [Element.name, text('schema')],
    [Element.childCount, i32(columns.length)],
  ]);
  return [root, ...columns.map(schemaElement)];
}

function schemaElement(column: ParquetColumn): ThriftValue {
  const { physical, typeLength, converted, logical } = storedType(column);
  const fields: [number, ThriftValue][] = [
    [Element.type, i32(physical)],
    [Element.repetition, i32(OPTIONAL)],
    [Element.name, text(column.name)],
  ];
  if (typeLength !== undefined) fields.push([Element.typeLength, i32(typeLength)]);
  if (converted !== undefined) fields.push([Element.convertedType, i32(converted)]);
  if (column.kind === 'decimal') {
    fields.push([Element.scale, i32(column.scale)], [Element.precision, i32(column.precision)]);
  }
  if (logical !== undefined) fields.push([Element.logicalType, logical]);
  return struct(fields);
}

/** How values of the column are stored, and what says what they mean. */
export function storedType(column: ParquetColumn): StoredType {
  const { kind, precision, scale } = column;
  const logical = (member: number, value = struct()): ThriftValue => struct([[member, value]]);
  switch (kind) {
    case 'boolean':
      return { physical: Physical.boolean };
    case 'int16': {
      const signed16 = struct([
        [1, { type: Thrift.byte, value: 16 }],
        [2, bool(true)],
      ]);
      return {
        physical: Physical.int32,
        converted: Converted.int16,
        logical: logical(Logical.integer, signed16),
      };
    }
    case 'int32':
      return { physical: Physical.int32 };
    case 'int64':
      return { physical: Physical.int64 };
    case 'float32':
      return { physical: Physical.float };
    case 'float64':
      return { physical: Physical.double };
    case 'decimal': {
      const stored =
        precision <= 9
          ? { physical: Physical.int32 }
          : precision <= 18
            ? { physical: Physical.int64 }
            : { physical: Physical.fixedByteArray, typeLength: decimalBytes(precision) };
      const digits = struct([
        [1, i32(scale)],
        [2, i32(precision)],
      ]);
      return { ...stored, converted: Converted.decimal, logical: logical(Logical.decimal, digits) };
    }
    case 'date':
      return { physical: Physical.int32, converted: Converted.date, logical: logical(Logical.date) };
    case 'time':
      return {
        physical: Physical.int64,
        converted: Converted.timeMicros,
        logical: logical(Logical.time, instantOf(false)),
      };
    case 'timestamp':
    case 'timestamptz':
      return {
        physical: Physical.int64,
        converted: Converted.timestampMicros,
        logical: logical(Logical.timestamp, instantOf(kind === 'timestamptz')),
      };
    case 'uuid':
      return { physical: Physical.fixedByteArray, typeLength: 16, logical: logical(Logical.uuid) };
    case 'json':
      return { physical: Physical.byteArray, converted: Converted.json, logical: logical(Logical.json) };
    case 'bytes':
      return { physical: Physical.byteArray };
    case 'text':
    case 'array':
      return { physical: Physical.byteArray, converted: Converted.utf8, logical: logical(Logical.string) };
    default:
      return kind satisfies never;
  }
}

/**
 * Bytes of a value as it is stored; 0 where values have lengths of their own, or are
 * bits.
 */
export function physicalWidth(column: ParquetColumn): number {
  const { physical, typeLength } = storedType(column);
  switch (physical) {
    case Physical.int32:
    case Physical.float:
      return 4;
    case Physical.int64:
    case Physical.double:
      return 8;
    default:
      return typeLength ?? 0;
  }
}

/** Bytes of a two's complement that has room for so many digits. */
export function decimalBytes(precision: number): number {
  return Math.ceil((Math.log2(10 ** precision) + 1) / 8);
}

function instantOf(utc: boolean): ThriftValue {
  return struct([
    [1, bool(utc)],
    [2, MICROSECONDS],
  ]);
}
