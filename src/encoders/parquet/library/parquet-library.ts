import { constants } from 'node:buffer';
import { Writable } from 'node:stream';
import { ParquetSchema, ParquetWriter } from '@dsnp/parquetjs';
import { SluiceError } from '../../../errors.ts';
import type { Column, RowBatch } from '../../../row-batch.ts';
import { limitOf } from '../../../system-errors.ts';
import type { BufferingEncoder, FlushedRows, OutputBuffer, RowGroup } from '../../encoder.ts';
import { MAX_ROW_GROUPS, ParquetFile } from '../file/parquet-file.ts';
import { Physical, storedType } from '../file/parquet-schema.ts';
import { type ParquetColumn, parquetColumns } from '../parquet-column.ts';
import type { ParquetOptions } from '../parquet-options.ts';
import { notExpressible, refusal } from '../refusal.ts';
import { RowGroupRoom } from '../row-group-room.ts';
import { type PhysicalValue, physicalValue } from './parquet-values.ts';

const CREATED_BY = '@dsnp/parquetjs';

type FieldDefinition = ConstructorParameters<typeof ParquetSchema>[0][string];

const TYPES: Readonly<Record<number, string>> = {
  [Physical.boolean]: 'BOOLEAN',
  [Physical.int32]: 'INT32',
  [Physical.int64]: 'INT64',
  [Physical.float]: 'FLOAT',
  [Physical.double]: 'DOUBLE',
  [Physical.byteArray]: 'BYTE_ARRAY',
  [Physical.fixedByteArray]: 'FIXED_LEN_BYTE_ARRAY',
};
const COMPRESSIONS = { snappy: 'SNAPPY', gzip: 'GZIP', none: 'UNCOMPRESSED' } as const;

type StoredRow = Record<string, PhysicalValue>;

/**
 * Parquet as @dsnp/parquetjs writes it: the values of `ParquetEncoder`, an order of
 * magnitude slower, without dictionaries and statistics. The package is given physical
 * values, because its own conversions refuse dates before 1970 and send decimals through
 * floats; what the values mean is said in the footer, which is not the package's.
 */
export class ParquetLibraryEncoder implements BufferingEncoder {
  readonly beginBytes: number;
  readonly maxRowGroups = MAX_ROW_GROUPS;
  readonly #columns: readonly ParquetColumn[];
  readonly #schema: ParquetSchema;
  readonly #file: ParquetFile;
  readonly #room: RowGroupRoom;
  #rows: StoredRow[] = [];
  #rowsBefore = 0;
  #dataBytes = 0;
  #rowGroups = 0;
  #appended: Promise<unknown> = Promise.resolve();

  /** @throws SluiceError COLUMN_DUPLICATE */
  constructor(columns: readonly Column[], options: ParquetOptions) {
    const { compression } = options;
    // Refused where the configuration is checked.
    if (compression === 'zstd') throw new TypeError('the library engine cannot write Parquet with zstd');
    this.#columns = parquetColumns(columns, options);
    this.#schema = new ParquetSchema(
      Object.fromEntries(
        this.#columns.map((column, index) => [`c${index}`, definition(column, COMPRESSIONS[compression])]),
      ),
    );
    this.#file = new ParquetFile(this.#columns, CREATED_BY);
    this.#room = new RowGroupRoom(this.#columns, options.rowGroupRows);
    this.beginBytes = this.#file.head.length;
  }

  get endBytes(): number {
    return this.#file.tailBytes;
  }

  begin(out: OutputBuffer): void {
    out.position += this.#file.head.copy(out.bytes, out.position);
  }

  end(out: OutputBuffer): void {
    if (this.#rows.length > 0 || this.#file.rowGroupCount < this.#rowGroups) {
      throw new TypeError('rows were taken and not flushed');
    }
    out.position += this.#file.tail().copy(out.bytes, out.position);
  }

  rowBytesBound(batch: RowBatch, row: number): number {
    // A row that the row group in hand has no room for needs another one.
    const needed = this.#rowGroups + (this.#rows.length > 0 ? 1 : 0);
    return needed < MAX_ROW_GROUPS ? this.#room.ofRowAlone(batch, row) : Infinity;
  }

  encode(batch: RowBatch, rows: Int32Array, from: number, to: number, out: OutputBuffer): number {
    if (this.#rowGroups === MAX_ROW_GROUPS) return from;
    const next = this.#room.rowsThatFit(batch, rows, from, to, out);
    for (let index = from; index < next; index++) {
      const stored = this.#storedRow(batch, rows[index]!);
      if (stored === undefined) {
        const row = this.#rowsBefore + this.#rows.length + 1;
        throw refusal(this.#columns, { batch, rows, from: index, to, row });
      }
      this.#rows.push(stored);
    }
    if (next > from) this.#room.taken(next - from, this.#dataBytes, out);
    return next;
  }

  flush(): Promise<FlushedRows> {
    const rows = this.#rows;
    this.#rows = [];
    this.#rowsBefore += rows.length;
    this.#dataBytes = 0;
    this.#rowGroups++;
    this.#room.clear();
    const append = async (preceding: Promise<unknown>): Promise<FlushedRows> => {
      await preceding;
      const written = this.#file.append(await writeRowGroup(this.#schema, rows), rows.length);
      return { ...written, endBytes: this.#file.tailBytes };
    };
    const appended = append(this.#appended);
    this.#appended = appended;
    return appended;
  }

  adopt(rowGroup: RowGroup): void {
    this.#file.adopt(rowGroup);
    this.#rowGroups++;
    this.#rowsBefore += rowGroup.rowCount;
  }

  /** @returns `undefined` where the file cannot hold a value of the row */
  #storedRow(batch: RowBatch, row: number): StoredRow | undefined {
    const { bytes } = batch;
    const stored: StoredRow = {};
    let at = batch.rowBounds[2 * row]!;
    for (const [index, column] of this.#columns.entries()) {
      const length = bytes.readInt32BE(at);
      at += 4;
      if (length < 0) continue;
      const field = bytes.subarray(at, at + length);
      at += length;
      if (length > constants.MAX_STRING_LENGTH) {
        const message = `column "${column.name}" holds a value of ${length} bytes, too long for a string`;
        throw notExpressible(`${message}; the library engine cannot write it`, 'use engine: fast');
      }
      const value = physicalValue(field, column);
      if (value === undefined) return undefined;
      if (column.width === 0) this.#dataBytes += (value as Buffer).length;
      stored[`c${index}`] = value;
    }
    return stored;
  }
}

function definition(column: ParquetColumn, compression: string): FieldDefinition {
  const { physical, typeLength } = storedType(column);
  return {
    type: TYPES[physical],
    optional: true,
    compression,
    statistics: false,
    ...(typeLength !== undefined && { typeLength }),
  } as FieldDefinition;
}

/** A file of one row group. */
async function writeRowGroup(schema: ParquetSchema, rows: readonly StoredRow[]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const output = new Writable({
    write(chunk: Buffer, _encoding, callback) {
      chunks.push(chunk);
      callback();
    },
  });
  try {
    const options = { rowGroupSize: rows.length, useDataPageV2: false, pageIndex: false };
    const writer = await ParquetWriter.openStream(schema, output as never, options as never);
    for (const row of rows) await writer.appendRow(row as Record<string, unknown>);
    await writer.close();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const hint = 'use engine: fast';
    const code = limitOf(cause) ?? 'INTERNAL';
    throw new SluiceError(code, `@dsnp/parquetjs failed: ${why}`, { cause, stage: 'encoding', hint });
  }
  return Buffer.concat(chunks);
}
