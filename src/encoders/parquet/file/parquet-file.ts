import { SluiceError } from '../../../errors.ts';
import type { RowGroup as FlushedRowGroup } from '../../encoder.ts';
import type { ParquetColumn } from '../parquet-column.ts';
import { schemaElements } from './parquet-schema.ts';
import { ColumnChunk, ColumnMetaData, RowGroup } from './row-group-metadata.ts';
import {
  i16,
  i32,
  i64,
  integerOf,
  list,
  listHeader,
  readStruct,
  struct,
  structsOf,
  Thrift,
  type ThriftStruct,
  type ThriftValue,
  text,
  writeStruct,
} from './thrift-compact.ts';

const MAGIC = Buffer.from('PAR1');
const FORMAT_VERSION = 1;
/** An ordinal is a signed 16-bit integer, and readers refuse what has no room for one. */
export const MAX_ROW_GROUPS = 32_767;

/** Field ids of parquet.thrift. */
const FileMetaData = {
  version: 1,
  schema: 2,
  rowCount: 3,
  rowGroups: 4,
  createdBy: 6,
  columnOrders: 7,
} as const;
/**
 * A Parquet file around row groups that come one by one, from any writer: only places in
 * them change, and the footer is written here. So a row group's size is known to the byte
 * before it is part of the file, memory is that of one row group, and a writer's failure
 * cannot be missed.
 */
export class ParquetFile {
  readonly head = MAGIC;
  readonly #columns: readonly ParquetColumn[];
  readonly #rowGroups: Buffer[] = [];
  #rowGroupsBytes = 0;
  #rowCount = 0;
  /** Where the next row group begins. */
  #at = MAGIC.length;
  #createdBy: ThriftValue;
  /** The footer's fields around the row groups, for the present row count. */
  #around: { readonly before: Buffer; readonly after: Buffer } | undefined;

  constructor(columns: readonly ParquetColumn[], createdBy: string) {
    this.#columns = columns;
    this.#createdBy = text(createdBy);
  }

  get rowGroupCount(): number {
    return this.#rowGroups.length;
  }

  /** Bytes of `tail` as things stand. */
  get tailBytes(): number {
    const { before, after } = this.#footerAround();
    return before.length + this.#rowGroupsBytes + after.length + 4 + MAGIC.length;
  }

  /** Footer, its length and the last magic bytes. */
  tail(): Buffer {
    const { before, after } = this.#footerAround();
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32LE(before.length + this.#rowGroupsBytes + after.length);
    return Buffer.concat([before, ...this.#rowGroups, after, length, MAGIC]);
  }

  /**
   * Takes the pages of another file over as they are; its page indexes are left behind.
   * @param file a Parquet file of one row group with `rowCount` rows and the same
   *   columns, whatever their names
   * @returns what follows the row groups before it
   */
  append(file: Buffer, rowCount: number): { readonly bytes: Buffer; readonly rowGroup: FlushedRowGroup } {
    const rowGroup = rowGroupOf(file);
    const end = Math.max(
      MAGIC.length,
      ...structsOf(rowGroup, RowGroup.columns).map(chunk => endOf(metaDataOf(chunk))),
    );
    const bytes = file.subarray(MAGIC.length, end);
    return { bytes, rowGroup: this.appendRowGroup(rowGroup, rowCount, MAGIC.length, bytes.length) };
  }

  /** Takes over a row group of another file of the same columns. */
  adopt({ rowCount, bytes, offset, metadata }: FlushedRowGroup): void {
    this.appendRowGroup(readStruct(Buffer.from(metadata)), rowCount, offset, bytes);
  }

  /**
   * @param rowGroup of `bytes` bytes, whose first one is at `offset` as far as the row
   *   group says
   * @returns what another file can adopt
   */
  appendRowGroup(rowGroup: ThriftStruct, rowCount: number, offset: number, bytes: number): FlushedRowGroup {
    const chunks = structsOf(rowGroup, RowGroup.columns);
    if (integerOf(rowGroup, RowGroup.rowCount) !== rowCount || chunks.length !== this.#columns.length) {
      throw unexpected(`${rowCount} rows of ${this.#columns.length} columns are not what it holds`);
    }
    const moved = this.#at - offset;
    chunks.forEach((chunk, index) => {
      const metaData = metaDataOf(chunk);
      for (const id of [ColumnMetaData.dataPageOffset, ColumnMetaData.dictionaryPageOffset]) {
        const offset = integerOf(metaData, id);
        if (offset !== undefined) metaData.set(id, i64(offset + moved));
      }
      metaData.set(ColumnMetaData.path, list(Thrift.binary, [text(this.#columns[index]!.name)]));
      metaData.delete(ColumnMetaData.indexPageOffset);
      metaData.delete(ColumnMetaData.bloomFilterOffset);
      metaData.delete(ColumnMetaData.bloomFilterLength);
      // 0: there is no copy of the metadata outside the footer.
      chunk.set(ColumnChunk.fileOffset, i64(0));
      chunk.delete(ColumnChunk.offsetIndexOffset);
      chunk.delete(ColumnChunk.offsetIndexLength);
      chunk.delete(ColumnChunk.columnIndexOffset);
      chunk.delete(ColumnChunk.columnIndexLength);
    });
    rowGroup.set(RowGroup.fileOffset, i64(this.#at));
    rowGroup.set(RowGroup.ordinal, i16(this.#rowGroups.length));
    const metadata = writeStruct(rowGroup);
    const appended = { rowCount, bytes, offset: this.#at, metadata };
    this.#rowGroups.push(metadata);
    this.#rowGroupsBytes += metadata.length;
    this.#rowCount += rowCount;
    this.#around = undefined;
    this.#at += bytes;
    return appended;
  }

  #footerAround(): { readonly before: Buffer; readonly after: Buffer } {
    if (this.#around) return this.#around;
    const whole = writeStruct(
      new Map([
        [FileMetaData.version, i32(FORMAT_VERSION)],
        [FileMetaData.schema, list(Thrift.struct, schemaElements(this.#columns))],
        [FileMetaData.rowCount, i64(this.#rowCount)],
        [FileMetaData.rowGroups, list(Thrift.struct, [])],
      ]),
    );
    // Cut off: the end of the structure, and the header of the empty list.
    const before = [whole.subarray(0, -2), listHeader(Thrift.struct, this.#rowGroups.length)];
    // A field is written as its distance from the one before, so it is written behind a
    // list, and that cut off.
    const behind = writeStruct(
      new Map([
        [FileMetaData.rowGroups, list(Thrift.struct, [])],
        [FileMetaData.createdBy, this.#createdBy],
        [FileMetaData.columnOrders, columnOrders(this.#columns.length)],
      ]),
    );
    this.#around = { before: Buffer.concat(before), after: behind.subarray(2) };
    return this.#around;
  }
}

/** Every column is ordered as its type says: without that, statistics are not used. */
function columnOrders(count: number): ThriftValue {
  const typeDefined = struct([[1, struct()]]);
  return list(Thrift.struct, new Array<ThriftValue>(count).fill(typeDefined));
}

function rowGroupOf(file: Buffer): ThriftStruct {
  const magic = file.subarray(0, MAGIC.length).equals(MAGIC) && file.subarray(-MAGIC.length).equals(MAGIC);
  if (!magic || file.length < 12) throw unexpected('it is not a Parquet file');
  const footerBytes = file.readUInt32LE(file.length - 8);
  if (footerBytes > file.length - 12) throw unexpected('its footer is longer than itself');
  const footer = readStruct(file.subarray(file.length - 8 - footerBytes, file.length - 8));
  const rowGroups = structsOf(footer, FileMetaData.rowGroups);
  if (rowGroups.length !== 1) throw unexpected(`it holds ${rowGroups.length} row groups`);
  return rowGroups[0]!;
}

function metaDataOf(chunk: ThriftStruct): ThriftStruct {
  const metaData = chunk.get(ColumnChunk.metaData);
  if (metaData === undefined || !('fields' in metaData)) throw unexpected('a column has no metadata');
  return metaData.fields;
}

/** Where the pages of a column end. */
function endOf(metaData: ThriftStruct): number {
  const data = integerOf(metaData, ColumnMetaData.dataPageOffset);
  const bytes = integerOf(metaData, ColumnMetaData.compressedBytes);
  if (data === undefined || bytes === undefined) throw unexpected('a column has no place');
  const dictionary = integerOf(metaData, ColumnMetaData.dictionaryPageOffset) ?? data;
  return Math.min(data, dictionary) + bytes;
}

function unexpected(what: string): SluiceError {
  return new SluiceError('INTERNAL', `the Parquet writer gave a row group that cannot be used: ${what}`, {
    stage: 'encoding',
  });
}
