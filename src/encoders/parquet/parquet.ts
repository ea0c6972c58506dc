import type { Column, RowBatch } from '../../row-batch.ts';
import type { BufferingEncoder, FlushedRows, OutputBuffer, RowGroup } from '../encoder.ts';
import { MAX_ROW_GROUPS, ParquetFile } from './file/parquet-file.ts';
import { physicalWidth } from './file/parquet-schema.ts';
import { rowGroupMetadata } from './file/row-group-metadata.ts';
import { ColumnFiller } from './fill/column-filler.ts';
import { isWorthDictionary } from './pages/dictionary-use.ts';
import { writeRowGroup } from './pages/row-group-writer.ts';
import { type ParquetColumn, parquetColumns } from './parquet-column.ts';
import type { ParquetOptions } from './parquet-options.ts';
import { notExpressible, refusal } from './refusal.ts';
import { RowGroupRoom } from './row-group-room.ts';

export type { ParquetOptions } from './parquet-options.ts';

/** Readers know writers' defects by it. */
const CREATED_BY = 'sluice';
/** Data of one row at most: readers hold a value as a whole, several times over. */
const MAX_ROW_DATA_BYTES = 256 * 1024 * 1024;
/** Bytes are sent as two digits each. */
const MAX_ROW_BYTES = 2 * MAX_ROW_DATA_BYTES;
/** Rows taken between two looks at the bytes that they have. */
const MAX_ROWS_AT_A_TIME = 4096;

/**
 * Parquet, from the fields' bytes: columns are filled in plain encoding, and a row group
 * at a time goes to a thread, which makes pages of it. Both work in WebAssembly. Memory
 * is that of a few row groups, whatever the size of the file.
 */
export class ParquetEncoder implements BufferingEncoder {
  readonly beginBytes: number;
  readonly maxRowGroups = MAX_ROW_GROUPS;

  readonly #columns: readonly ParquetColumn[];
  readonly #options: ParquetOptions;
  readonly #file: ParquetFile;
  readonly #filler: ColumnFiller;
  readonly #room: RowGroupRoom;
  /** Rows of the row group that is being filled. */
  #rows = 0;
  #rowsBefore = 0;
  #rowGroups = 0;
  #appended: Promise<unknown> = Promise.resolve();

  /** @throws SluiceError COLUMN_DUPLICATE */
  constructor(columns: readonly Column[], options: ParquetOptions) {
    this.#columns = parquetColumns(columns, options);
    this.#options = options;
    this.#file = new ParquetFile(this.#columns, CREATED_BY);
    this.#filler = new ColumnFiller(this.#columns);
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
      const most = Math.min(to, index + MAX_ROWS_AT_A_TIME);
      const next = this.#room.rowsThatFit(batch, rows, index, most, out);
      if (next === index) break;
      this.#refuseTooLarge(rowBytes(batch, rows[index]!), MAX_ROW_BYTES);
      if (!this.#filler.take(batch, rows, index, next)) {
        const row = this.#rowsBefore + this.#rows + 1;
        throw refusal(this.#columns, { batch, rows, from: index, to, row });
      }
      this.#rows += next - index;
      const { dataBytes } = this.#filler;
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
    const { columns, crates } = this.#filler.finish();
    const writing = writeRowGroup({
      columns: columns.map((filled, index) => ({
        width: physicalWidth(this.#columns[index]!),
        dictionary: dictionary && this.#columns[index]!.kind !== 'boolean' && isWorthDictionary(filled),
        pages: filled.pages,
      })),
      crates,
      compression,
    });
    this.#rowGroups++;
    this.#rowsBefore += rowCount;
    this.#rows = 0;
    this.#room.clear();
    const append = async (preceding: Promise<unknown>): Promise<FlushedRows> => {
      const [written] = await Promise.all([writing, preceding]);
      this.#filler.giveBack(written.crates);
      const { bytes } = written;
      const chunks = columns.map((filled, index) => ({
        column: this.#columns[index]!,
        filled,
        written: written.chunks[index]!,
      }));
      const rowGroup = this.#file.appendRowGroup(
        rowGroupMetadata(chunks, rowCount, compression, 0),
        rowCount,
        0,
        bytes.length,
      );
      return { bytes, endBytes: this.#file.tailBytes, rowGroup };
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

  #refuseTooLarge(bytes: number, most: number): void {
    if (bytes <= most) return;
    const row = this.#rowsBefore + Math.max(1, this.#rows);
    throw notExpressible(
      `row ${row} of the file has ${bytes} bytes, and the Parquet writer has memory for ${MAX_ROW_DATA_BYTES}`,
    );
  }
}

function rowBytes({ rowBounds }: RowBatch, row: number): number {
  return rowBounds[2 * row + 1]! - rowBounds[2 * row]!;
}
