import type { Holding, HoldingOf } from '../conversions/holding.ts';
import { physicalValue } from './library/parquet-values.ts';
import { type ParquetColumn, parquetColumn } from './parquet-column.ts';
import type { ParquetOptions } from './parquet-options.ts';

/** What the longest of the values below takes. */
const LONGEST_BYTES = 40;
/** U+FFFD in the place of one byte. */
const REPLACEMENT_BYTES = 3;
/** The farthest that a date of PostgreSQL or a timestamp of Parquet goes. */
const FIRST_DAY = '4714-11-24';
const LAST_DAY = '5874897-12-31';
const LAST_INSTANT = '294247-01-10 04:00:54.775807';
const LAST_TIME = '23:59:59.999999';

/** What a column of Parquet can hold, by the values that the library engine makes. */
export function parquetHolding(options: ParquetOptions): HoldingOf {
  return column => holdingIn(parquetColumn(column, options));
}

function holdingIn(column: ParquetColumn): Holding {
  return {
    misfitOf: value =>
      physicalValue(value, column) === undefined ? `a value that is no ${column.kind}` : undefined,
    replaced: value => nearest(value.toString(), column),
    bytesBound: bytes => Math.max(LONGEST_BYTES, REPLACEMENT_BYTES * bytes),
  };
}

/** Another number would be a lie. */
function nearest(value: string, { kind }: ParquetColumn): string | undefined {
  const isEarly = value.startsWith('-');
  switch (kind) {
    case 'text':
    case 'json':
    case 'array':
      return value;
    case 'date':
      return isEarly ? `${FIRST_DAY} BC` : LAST_DAY;
    case 'timestamp':
      return isEarly ? `${FIRST_DAY} 00:00:00 BC` : LAST_INSTANT;
    case 'timestamptz':
      return isEarly ? `${FIRST_DAY} 00:00:00+00 BC` : `${LAST_INSTANT}+00`;
    case 'time':
      return LAST_TIME;
    default:
      return undefined;
  }
}
