import type { ColumnBuffer } from './fill/column-buffer.ts';
import { FlatBuffer, type FlatField, int, long, octet, reference, short } from './flat-buffer.ts';
import type { ParquetColumn } from './parquet-column.ts';

/**
 * Rows as an Arrow IPC stream: one message with the schema, one with the rows.
 * https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc
 */

const CONTINUATION = 0xffffffff;
const VERSION_5 = 4;
const Header = { schema: 1, recordBatch: 3 } as const;
/** Members of the union Type. */
const Type = {
  int: 2,
  floatingPoint: 3,
  binary: 4,
  utf8: 5,
  boolean: 6,
  decimal: 7,
  date: 8,
  time: 9,
  timestamp: 10,
  fixedSizeBinary: 15,
} as const;
const MICROSECOND = 2;
/** Alignment of every buffer in the body, as Arrow recommends; decimals need 16. */
const ALIGNMENT = 64;

/** Names are the columns' positions: the real ones are written in the file's footer. */
export function columnName(index: number): string {
  return `c${index}`;
}

export function schemaMessage(columns: readonly ParquetColumn[]): Buffer {
  const flat = new FlatBuffer();
  const fields = columns.map((column, index) => {
    const { type, place } = typeTable(flat, column);
    const name = flat.string(columnName(index));
    return flat.table([reference(name), octet(1), octet(type), reference(place)]);
  });
  const schema = flat.table([short(0), reference(flat.references(fields))]);
  return message(flat, Header.schema, schema, 0);
}

/**
 * The whole stream. The memory of `reuse` is used where it is large enough; what is returned may be a part of its
 * memory only.
 */
export function ipcStream(
  schema: Buffer,
  columns: readonly ColumnBuffer[],
  rowCount: number,
  reuse: ArrayBuffer | undefined,
): Uint8Array<ArrayBuffer> {
  const nodes: [number, number][] = [];
  const regions: [number, number][] = [];
  const parts: Uint8Array[] = [];
  let bodyBytes = 0;
  const add = (bytes: Uint8Array): void => {
    regions.push([bodyBytes, bytes.length]);
    parts.push(bytes);
    bodyBytes += padded(bytes.length);
  };
  for (const column of columns) {
    nodes.push([rowCount, column.nullCount]);
    add(column.validity.subarray(0, column.nullCount === 0 ? 0 : (rowCount + 7) >> 3));
    const { kind, width } = column.column;
    if (width === 0) {
      add(new Uint8Array(column.offsets.buffer, 0, 4 * (rowCount + 1)));
      add(column.data.subarray(0, column.dataBytes));
    } else {
      add(column.octets.subarray(0, kind === 'boolean' ? (rowCount + 7) >> 3 : rowCount * width));
    }
  }
  const flat = new FlatBuffer();
  const buffers = flat.pairs(regions);
  const rows = flat.table([long(rowCount), reference(flat.pairs(nodes)), reference(buffers)]);
  const head = message(flat, Header.recordBatch, rows, bodyBytes);

  const bytes = schema.length + head.length + bodyBytes + 8;
  const memory = reuse && reuse.byteLength >= bytes ? reuse : new ArrayBuffer(bytes);
  const stream = Buffer.from(memory, 0, bytes);
  let at = schema.copy(stream);
  at += head.copy(stream, at);
  parts.forEach((part, index) => {
    stream.set(part, at + regions[index]![0]);
  });
  stream.writeUInt32LE(CONTINUATION, bytes - 8);
  stream.writeUInt32LE(0, bytes - 4);
  return new Uint8Array(memory, 0, bytes);
}

function padded(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

function message(flat: FlatBuffer, header: number, place: number, bodyBytes: number): Buffer {
  const table = flat.table([short(VERSION_5), octet(header), reference(place), long(bodyBytes)]);
  const metadata = flat.finish(table);
  const length = Math.ceil(metadata.length / 8) * 8;
  const bytes = Buffer.alloc(8 + length);
  bytes.writeUInt32LE(CONTINUATION, 0);
  bytes.writeUInt32LE(length, 4);
  metadata.copy(bytes, 8);
  return bytes;
}

function typeTable(flat: FlatBuffer, column: ParquetColumn): { type: number; place: number } {
  const { kind, precision, scale, width } = column;
  const as = (type: number, fields: readonly FlatField[] = []): { type: number; place: number } => ({
    type,
    place: flat.table(fields),
  });
  switch (kind) {
    case 'boolean':
      return as(Type.boolean);
    case 'int16':
    case 'int32':
    case 'int64':
      return as(Type.int, [int(8 * width), octet(1)]);
    case 'float32':
      return as(Type.floatingPoint, [short(1)]);
    case 'float64':
      return as(Type.floatingPoint, [short(2)]);
    case 'decimal':
      // Stored as integers where they fit; that they are decimals is said in the file's footer.
      return width === 16
        ? as(Type.decimal, [int(precision), int(scale), int(8 * width)])
        : as(Type.int, [int(8 * width), octet(1)]);
    case 'date':
      return as(Type.date, [short(0)]);
    case 'time':
      return as(Type.time, [short(MICROSECOND), int(64)]);
    case 'timestamp':
      return as(Type.timestamp, [short(MICROSECOND)]);
    case 'timestamptz':
      return as(Type.timestamp, [short(MICROSECOND), reference(flat.string('UTC'))]);
    case 'uuid':
      return as(Type.fixedSizeBinary, [int(width)]);
    case 'bytes':
      return as(Type.binary);
    case 'json':
    case 'text':
    case 'array':
      return as(Type.utf8);
    default:
      return kind satisfies never;
  }
}
