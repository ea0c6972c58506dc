import type { Column, RowBatch } from '../../row-batch.ts';
import type { BufferingEncoder, FlushedRows, OutputBuffer } from '../encoder.ts';
import { columnName, ipcStream, schemaMessage } from './arrow-ipc.ts';
import { isWorthDictionary } from './dictionary-use.ts';
import { Fields } from './fields.ts';
import { MAX_ROW_GROUPS, ParquetFile } from './file/parquet-file.ts';
import { ColumnBuffer } from './fill/column-buffer.ts';
import { FILLS } from './fill/fill.ts';
import { parquetColumns } from './parquet-column.ts';
import type { ParquetOptions } from './parquet-options.ts';
import { notExpressible, refusal } from './refusal.ts';
import { RowGroupRoom } from './row-group-room.ts';
import { rowGroupWriter } from './row-group-writer.ts';

export type { ParquetOptions } from './parquet-options.ts';

/** As the writer that made the pages names itself: readers know writers' old defects by it. */
const CREATED_BY = 'parquet-rs version 59.3.0';
/** What a column keeps for the next row group. */
const KEPT_DATA_BYTES = 32 * 1024 * 1024;
/**
 * Data of one row at most. parquet-wasm holds a row group several times over, in a memory of 4 GiB at most: 400 MB of text
 * went through, 500 MB did not.
 */
const MAX_ROW_DATA_BYTES = 256 * 1024 * 1024;
/** Bytes are sent as two digits each. */
const MAX_ROW_BYTES = 2 * MAX_ROW_DATA_BYTES;
/** Memory kept for the next row groups: that of those which may be under way. */
const MAX_SPARES = 2;

/**
 * Parquet, from the fields' bytes: columns are filled in Arrow's layout and a row group at a time goes to a thread,
 * where parquet-wasm encodes and compresses it. Memory is that of a few row groups, whatever the size of the file.
 */
export class ParquetEncoder implements BufferingEncoder {
  readonly beginBytes: number;

  readonly #columns: readonly ColumnBuffer[];
  readonly #options: ParquetOptions;
  readonly #file: ParquetFile;
  readonly #schema: Buffer;
  readonly #fields: Fields;
  readonly #room: RowGroupRoom;
  /** Rows of the row group that is being filled. */
  #rows = 0;
  #rowsBefore = 0;
  #rowGroups = 0;
  #appended: Promise<unknown> = Promise.resolve();
  readonly #spareMemory: ArrayBuffer[] = [];

  /** @throws SluiceError COLUMN_DUPLICATE */
  constructor(columns: readonly Column[], options: ParquetOptions) {
    const parquet = parquetColumns(columns, options);
    this.#columns = parquet.map(column => new ColumnBuffer(column));
    this.#options = options;
    this.#file = new ParquetFile(parquet, CREATED_BY);
    this.#schema = schemaMessage(parquet);
    this.#fields = new Fields(columns.length);
    this.#room = new RowGroupRoom(parquet, options.rowGroupRows);
    this.beginBytes = this.#file.head.length;
  }

  get endBytes(): number {
    return this.#file.tailBytes;
  }

  begin(out: OutputBuffer): void {
    out.position += this.#file.head.copy(out.bytes, out.position);
  }

  end(out: OutputBuffer): void {
    if (this.#rows > 0 || this.#file.rowGroupCount < this.#rowGroups) {
      throw new TypeError('rows were taken and not flushed');
    }
    out.position += this.#file.tail().copy(out.bytes, out.position);
  }

  rowBytesBound(batch: RowBatch, row: number): number {
    // A row that the row group in hand has no room for needs another one.
    const needed = this.#rowGroups + (this.#rows > 0 ? 1 : 0);
    return needed < MAX_ROW_GROUPS ? this.#room.ofRowAlone(batch, row) : Infinity;
  }

  encode(batch: RowBatch, rows: Int32Array, from: number, to: number, out: OutputBuffer): number {
    let index = from;
    while (index < to && this.#rowGroups < MAX_ROW_GROUPS) {
      const most = Math.min(to, index + this.#fields.maxRows);
      const next = this.#room.rowsThatFit(batch, rows, index, most, out);
      if (next === index) break;
      this.#refuseTooLarge(rowBytes(batch, rows[index]!), MAX_ROW_BYTES);
      this.#take(batch, rows, index, next);
      let dataBytes = 0;
      for (const column of this.#columns) dataBytes += column.dataBytes;
      // Above the limit there is one row alone.
      this.#refuseTooLarge(dataBytes, MAX_ROW_DATA_BYTES);
      this.#room.taken(next - index, dataBytes, out);
      index = next;
    }
    return index;
  }

  flush(): Promise<FlushedRows> {
    const rowCount = this.#rows;
    const { compression, dictionary } = this.#options;
    const withoutDictionary = dictionary
      ? this.#columns.flatMap((column, index) =>
          isWorthDictionary(column, rowCount) ? [] : [columnName(index)],
        )
      : [];
    const stream = ipcStream(this.#schema, this.#columns, rowCount, this.#spareMemory.pop());
    const writing = rowGroupWriter.write({
      stream,
      rowCount,
      compression,
      dictionary,
      withoutDictionary,
      withoutStatistics: this.#columns.flatMap(({ hasNaN }, index) => (hasNaN ? [columnName(index)] : [])),
    });
    for (const column of this.#columns) column.clear(KEPT_DATA_BYTES);
    this.#rowGroups++;
    this.#rowsBefore += rowCount;
    this.#rows = 0;
    this.#room.clear();
    const append = async (preceding: Promise<unknown>): Promise<FlushedRows> => {
      const [{ file, memory }] = await Promise.all([writing, preceding]);
      if (this.#spareMemory.length < MAX_SPARES) this.#spareMemory.push(memory);
      const bytes = this.#file.append(file, rowCount);
      return { bytes, endBytes: this.#file.tailBytes };
    };
    const appended = append(this.#appended);
    this.#appended = appended;
    return appended;
  }

  #refuseTooLarge(bytes: number, most: number): void {
    if (bytes <= most) return;
    const row = this.#rowsBefore + Math.max(1, this.#rows);
    throw notExpressible(
      `row ${row} of the file has ${bytes} bytes, and the Parquet writer has memory for ${MAX_ROW_DATA_BYTES}`,
    );
  }

  #take(batch: RowBatch, rows: Int32Array, from: number, to: number): void {
    const count = to - from;
    const { starts, lengths, maxRows } = this.#fields;
    this.#fields.locate(batch, rows, from, to);
    for (let index = 0; index < this.#columns.length; index++) {
      const column = this.#columns[index]!;
      column.reserveRows(this.#rows + count, this.#rows);
      const first = index * maxRows;
      const fill = FILLS[column.column.kind];
      const refused = fill(column, this.#rows, batch.bytes, starts, lengths, first, count);
      if (refused >= 0) {
        const field = batch.bytes.subarray(starts[refused]!, starts[refused]! + lengths[refused]!);
        const row = this.#rowsBefore + this.#rows + (refused - first) + 1;
        throw refusal(column.column, field, row);
      }
    }
    this.#rows += count;
  }
}

function rowBytes({ rowBounds }: RowBatch, row: number): number {
  return rowBounds[2 * row + 1]! - rowBounds[2 * row]!;
}
