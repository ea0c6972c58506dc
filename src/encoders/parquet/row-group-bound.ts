import type { ParquetColumn } from './parquet-column.ts';

/**
 * How many bytes a row group takes at most, whatever its values, its encodings and its
 * compression, together with what it adds to the footer. Measured against both writers by
 * a property test.
 */
export interface RowGroupBound {
  /** Bytes of a row group without rows. */
  readonly perGroup: number;
  /** Bytes of each row beside its data. */
  readonly perRow: number;
  /** Bytes per byte of text, JSON and bytes. */
  readonly perDataByte: number;
}

/**
 * Page headers, metadata with statistics (two texts of 64 bytes, or four values of 16),
 * and the copy of it.
 */
const COLUMN_BYTES = 480;
const ROW_GROUP_BYTES = 64;
/** Snappy makes n + n/6 bytes of what it cannot compress, and the others fewer. */
const EXPANSION = 7 / 6;
/**
 * What a value takes: its place in the dictionary beside the value itself, its definition
 * level, and its share of page headers.
 */
const VALUE_BYTES = 5;
const LENGTH_BYTES = 4;

export function rowGroupBound(columns: readonly ParquetColumn[]): RowGroupBound {
  let perGroup = ROW_GROUP_BYTES;
  let perRow = 0;
  for (const { name, width } of columns) {
    perGroup += COLUMN_BYTES + 2 * Buffer.byteLength(name);
    perRow += VALUE_BYTES + Math.max(width, LENGTH_BYTES);
  }
  return { perGroup, perRow: EXPANSION * perRow, perDataByte: EXPANSION };
}
