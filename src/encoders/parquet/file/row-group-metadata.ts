import type { FilledColumn } from '../fill/column-filler.ts';
import type { WrittenChunk } from '../pages/row-group-writer.ts';
import type { ParquetColumn } from '../parquet-column.ts';
import type { ParquetOptions } from '../parquet-options.ts';
import { storedType } from './parquet-schema.ts';
import {
  bool,
  i32,
  i64,
  list,
  struct,
  Thrift,
  type ThriftStruct,
  type ThriftValue,
} from './thrift-compact.ts';

/** Field ids of parquet.thrift. */
export const RowGroup = {
  columns: 1,
  totalBytes: 2,
  rowCount: 3,
  fileOffset: 5,
  compressedBytes: 6,
  ordinal: 7,
} as const;
export const ColumnChunk = {
  fileOffset: 2,
  metaData: 3,
  offsetIndexOffset: 4,
  offsetIndexLength: 5,
  columnIndexOffset: 6,
  columnIndexLength: 7,
} as const;
export const ColumnMetaData = {
  type: 1,
  encodings: 2,
  path: 3,
  codec: 4,
  valueCount: 5,
  uncompressedBytes: 6,
  compressedBytes: 7,
  dataPageOffset: 9,
  indexPageOffset: 10,
  dictionaryPageOffset: 11,
  statistics: 12,
  encodingStats: 13,
  bloomFilterOffset: 14,
  bloomFilterLength: 15,
} as const;
const Statistics = {
  oldMost: 1,
  oldLeast: 2,
  nullCount: 3,
  most: 5,
  least: 6,
  isMostExact: 7,
  isLeastExact: 8,
} as const;

const CODECS = { none: 0, snappy: 1, gzip: 2, zstd: 6 } as const;
const Encoding = { plain: 0, rle: 3, rleDictionary: 8 } as const;
const PageType = { data: 0, dictionary: 2 } as const;

export interface ColumnChunkFacts {
  readonly column: ParquetColumn;
  readonly filled: FilledColumn;
  readonly written: WrittenChunk;
}

/** @param offset of the row group's first byte */
export function rowGroupMetadata(
  chunks: readonly ColumnChunkFacts[],
  rowCount: number,
  compression: ParquetOptions['compression'],
  offset: number,
): ThriftStruct {
  const sum = (of: (written: WrittenChunk) => number): ThriftValue =>
    i64(chunks.reduce((total, { written }) => total + of(written), 0));
  return new Map([
    [
      RowGroup.columns,
      list(
        Thrift.struct,
        chunks.map(chunk => columnChunk(chunk, rowCount, CODECS[compression], offset)),
      ),
    ],
    [RowGroup.totalBytes, sum(({ uncompressedBytes }) => uncompressedBytes)],
    [RowGroup.rowCount, i64(rowCount)],
    [RowGroup.compressedBytes, sum(({ storedBytes }) => storedBytes)],
  ]);
}

function columnChunk(
  { column, filled, written }: ColumnChunkFacts,
  rowCount: number,
  codec: number,
  rowGroupOffset: number,
): ThriftValue {
  const hasDictionary = written.dictionaryBytes > 0;
  const encodings = hasDictionary
    ? [Encoding.plain, Encoding.rle, Encoding.rleDictionary]
    : [Encoding.plain, Encoding.rle];
  const offset = rowGroupOffset + written.offset;
  const pages = [
    ...(hasDictionary ? [pagesOf(PageType.dictionary, Encoding.plain, 1)] : []),
    pagesOf(PageType.data, hasDictionary ? Encoding.rleDictionary : Encoding.plain, written.pageCount),
  ];
  const metaData: [number, ThriftValue][] = [
    [ColumnMetaData.type, i32(storedType(column).physical)],
    [ColumnMetaData.encodings, list(Thrift.i32, encodings.map(i32))],
    [ColumnMetaData.codec, i32(codec)],
    [ColumnMetaData.valueCount, i64(rowCount)],
    [ColumnMetaData.uncompressedBytes, i64(written.uncompressedBytes)],
    [ColumnMetaData.compressedBytes, i64(written.storedBytes)],
    [ColumnMetaData.dataPageOffset, i64(offset + written.dictionaryBytes)],
    [ColumnMetaData.statistics, statistics(column, filled)],
    [ColumnMetaData.encodingStats, list(Thrift.struct, pages)],
  ];
  if (hasDictionary) metaData.push([ColumnMetaData.dictionaryPageOffset, i64(offset)]);
  return struct([[ColumnChunk.metaData, struct(metaData)]]);
}

function pagesOf(type: number, encoding: number, count: number): ThriftValue {
  return struct([
    [1, i32(type)],
    [2, i32(encoding)],
    [3, i32(count)],
  ]);
}

function statistics({ kind, width }: ParquetColumn, { nullCount, bounds }: FilledColumn): ThriftValue {
  const fields: [number, ThriftValue][] = [[Statistics.nullCount, i64(nullCount)]];
  if (bounds) {
    const { least, most, isLeastExact, isMostExact } = bounds;
    fields.push([Statistics.least, bytes(least)], [Statistics.isLeastExact, bool(isLeastExact)]);
    if (most) fields.push([Statistics.most, bytes(most)], [Statistics.isMostExact, bool(isMostExact)]);
    // For older readers, which order bytes as if they had signs.
    const isOrdered = width > 0 && kind !== 'uuid';
    if (isOrdered && most)
      fields.push([Statistics.oldLeast, bytes(least)], [Statistics.oldMost, bytes(most)]);
  }
  return struct(fields);
}

function bytes(value: Buffer): ThriftValue {
  return { type: Thrift.binary, value };
}
