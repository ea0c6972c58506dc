import { SluiceError } from '../../errors.ts';
import type { Column, ColumnKind, ElementFacts } from '../../row-batch.ts';
import type { ParquetOptions } from './parquet-options.ts';

/** What a column is in the file. `array` is a text that holds JSON. */
export type ParquetKind = Exclude<ColumnKind, 'numeric'> | 'decimal' | 'array';

export interface ParquetColumn {
  readonly name: string;
  readonly kind: ParquetKind;
  /** For `decimal`: 1 to 38 digits, of which 0 to all are behind the point. */
  readonly precision: number;
  readonly scale: number;
  /** For `array`. */
  readonly element?: ElementFacts;
  /**
   * Bytes of a value that are the same for every value; 0 where they are not, 1/8 rounded
   * up for `boolean`.
   */
  readonly width: number;
}

/** The most digits that a decimal may have. */
const MAX_PRECISION = 38;

const WIDTHS: Readonly<Record<Exclude<ParquetKind, 'decimal'>, number>> = {
  boolean: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  float32: 4,
  float64: 8,
  date: 4,
  time: 8,
  timestamp: 8,
  timestamptz: 8,
  uuid: 16,
  json: 0,
  bytes: 0,
  text: 0,
  array: 0,
};

/**
 * The columns of the file.
 * @throws SluiceError COLUMN_DUPLICATE where two have one name: readers find columns by
 *   name
 */
export function parquetColumns(columns: readonly Column[], options: ParquetOptions): ParquetColumn[] {
  const names = new Set<string>();
  for (const { name } of columns) {
    if (names.has(name)) {
      const message = `two columns have the name "${name}", and a Parquet file may have one of each name`;
      throw new SluiceError('COLUMN_DUPLICATE', message, { stage: 'mapping' });
    }
    names.add(name);
  }
  return columns.map(column => parquetColumn(column, options));
}

export function parquetColumn(column: Column, options: ParquetOptions): ParquetColumn {
  const { name, kind, element } = column;
  const of = (kind: Exclude<ParquetKind, 'decimal'>): ParquetColumn => ({
    name,
    kind,
    precision: 0,
    scale: 0,
    width: WIDTHS[kind],
  });
  if (kind === 'numeric') {
    const decimal = decimalOf(column, options);
    if (decimal === undefined) return of('text');
    const { precision, scale } = decimal;
    const width = precision <= 9 ? 4 : precision <= 18 ? 8 : 16;
    return { name, kind: 'decimal', precision, scale, width };
  }
  if (element !== undefined) return { ...of('array'), element };
  if ((kind === 'uuid' || kind === 'time') && options[kind] === 'text') return of('text');
  return of(kind);
}

interface Decimal {
  readonly precision: number;
  readonly scale: number;
}

/**
 * `undefined`: as text, because the digits are not bounded, or by more than a decimal may
 * have.
 */
function decimalOf({ precision, scale = 0 }: Column, options: ParquetOptions): Decimal | undefined {
  if (precision === undefined) return options.numeric === 'text' ? undefined : options.numeric;
  // PostgreSQL's scale may be below 0 or above the precision: 99900 of numeric(3,-2),
  // 0.00012 of numeric(2,5).
  const decimal =
    scale < 0 ? { precision: precision - scale, scale: 0 } : { precision: Math.max(precision, scale), scale };
  return decimal.precision > MAX_PRECISION ? undefined : decimal;
}
