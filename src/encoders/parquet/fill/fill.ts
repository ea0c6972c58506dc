import type { ParquetKind } from '../parquet-column.ts';
import type { ColumnBuffer } from './column-buffer.ts';
import { fillArray, fillBytes, fillText } from './fill-bytes.ts';
import { fillDate, fillTime, fillTimestamp } from './fill-instants.ts';
import {
  fillBoolean,
  fillDecimal,
  fillFloat32,
  fillFloat64,
  fillInt16,
  fillInt32,
  fillInt64,
} from './fill-numbers.ts';
import { fillUuid } from './fill-uuid.ts';

/**
 * Puts the fields `from … from + count - 1` behind the `row` values that the column has. The fields are in the text
 * format of PostgreSQL; no value becomes a string or an object on the way, but for the few that say so.
 * @returns the first field that the column cannot hold exactly, or -1
 */
export type Fill = (
  to: ColumnBuffer,
  row: number,
  bytes: Buffer,
  starts: Int32Array,
  lengths: Int32Array,
  from: number,
  count: number,
) => number;

export const FILLS: Readonly<Record<ParquetKind, Fill>> = {
  boolean: fillBoolean,
  int16: fillInt16,
  int32: fillInt32,
  int64: fillInt64,
  float32: fillFloat32,
  float64: fillFloat64,
  decimal: fillDecimal,
  date: fillDate,
  time: fillTime,
  timestamp: fillTimestamp,
  timestamptz: fillTimestamp,
  uuid: fillUuid,
  json: fillText,
  bytes: fillBytes,
  text: fillText,
  array: fillArray,
};
