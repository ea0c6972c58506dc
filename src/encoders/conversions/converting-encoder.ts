import { SluiceError } from '../../errors.ts';
import type { Column, RowBatch } from '../../row-batch.ts';
import {
  type BufferingEncoder,
  type Encoder,
  type FlushedRows,
  isBuffering,
  type OutputBuffer,
  type RowGroup,
} from '../encoder.ts';
import type { ConversionOptions } from './conversion-options.ts';
import { type HoldingOf, textHolding } from './holding.ts';
import { TranscodingEncoder } from './transcoding-encoder.ts';
import {
  BECAME_NULL,
  type Conversion,
  conversionOf,
  convertedColumn,
  Unrepresentable,
} from './value-conversions.ts';

/**
 * The encoder itself where the options ask for no conversion, so that nobody pays for it
 * then.
 */
export function withConversions(
  columns: readonly Column[],
  options: ConversionOptions,
  create: (columns: readonly Column[]) => Encoder,
  holdingOf: HoldingOf = textHolding,
): Encoder {
  const { lineBreaks, encoding = 'utf-8' } = options;
  const made = columns.map(column => convertedColumn(column, options));
  const conversions = columns.map(column => conversionOf(column, options, holdingOf));
  const isConverted = conversions.some(conversion => conversion !== undefined);
  const plain = create(isConverted || lineBreaks === 'space' ? made : columns);
  const encoder = encoding === 'utf-8' ? plain : new TranscodingEncoder(plain, made, encoding);
  if (!isConverted) return encoder;
  return isBuffering(encoder)
    ? new ConvertingBufferingEncoder(encoder, { columns, made, conversions })
    : new ConvertingEncoder(encoder, { columns, made, conversions });
}

interface ConvertedColumns {
  readonly columns: readonly Column[];
  readonly made: readonly Column[];
  readonly conversions: readonly (Conversion | undefined)[];
}

/** A batch with the values that were converted so far. */
interface Converted {
  readonly batch: RowBatch;
  readonly made: RowBatch & { bytes: Buffer };
  /** Where the next row goes. */
  at: number;
  /** By row. */
  readonly isDone: Uint8Array;
  /** By row: which columns were coerced. */
  readonly coerced: Map<number, readonly number[]>;
}

/**
 * Converts values before either engine gets to see them: what they write can only be the
 * same.
 */
class ConvertingEncoder implements Encoder {
  readonly beginBytes: number;
  readonly #encoder: Encoder;
  readonly #columns: readonly Column[];
  readonly #made: readonly Column[];
  readonly #conversions: readonly (Conversion | undefined)[];
  readonly #counts: number[];
  #rowCount = 0;
  #last: Converted | undefined;

  constructor(encoder: Encoder, { columns, made, conversions }: ConvertedColumns) {
    this.#encoder = encoder;
    this.#columns = columns;
    this.#made = made;
    this.#conversions = conversions;
    this.#counts = columns.map(() => 0);
    this.beginBytes = encoder.beginBytes;
  }

  get endBytes(): number {
    return this.#encoder.endBytes;
  }

  get separator(): Uint8Array | undefined {
    return this.#encoder.separator;
  }

  begin(out: OutputBuffer): void {
    this.#encoder.begin(out);
  }

  resume(rows: number): void {
    this.#rowCount = rows;
    this.#encoder.resume?.(rows);
  }

  end(out: OutputBuffer): void {
    this.#encoder.end(out);
  }

  rowBytesBound(batch: RowBatch, row: number): number {
    const converted = this.#converted(batch);
    this.#convert(converted, row, 1);
    return this.#encoder.rowBytesBound(converted.made, row);
  }

  encode(batch: RowBatch, rows: Int32Array, from: number, to: number, out: OutputBuffer): number {
    const converted = this.#converted(batch);
    for (let index = from; index < to; index++) this.#convert(converted, rows[index]!, index - from + 1);
    const next = this.#encoder.encode(converted.made, rows, from, to, out);
    this.#rowCount += next - from;
    const { coerced } = converted;
    if (coerced.size > 0) {
      for (let index = from; index < next; index++)
        for (const column of coerced.get(rows[index]!) ?? []) this.#counts[column]!++;
    }
    return next;
  }

  get coerced(): ReadonlyMap<Column, number> {
    const inner = this.#encoder.coerced ?? new Map<Column, number>();
    const counts = new Map<Column, number>();
    this.#columns.forEach((column, index) => {
      const count = this.#counts[index]! + (inner.get(this.#made[index]!) ?? 0);
      if (count > 0) counts.set(column, count);
    });
    return counts;
  }

  /** A batch is handed over in pieces, so that the last one is kept. */
  #converted(batch: RowBatch): Converted {
    if (this.#last?.batch === batch) return this.#last;
    const { bytes, rowCount, changes } = batch;
    const made = {
      bytes: Buffer.allocUnsafe(bytes.length),
      rowCount,
      rowBounds: new Int32Array(2 * rowCount),
      changes,
    };
    this.#last = { batch, made, at: 0, isDone: new Uint8Array(rowCount), coerced: new Map() };
    return this.#last;
  }

  /**
   * Rows that are not written are not looked at.
   * @param ahead how many rows it is ahead of those written
   */
  #convert(converted: Converted, row: number, ahead: number): void {
    if (converted.isDone[row] === 1) return;
    const { batch, made, coerced } = converted;
    const { bytes, rowBounds } = batch;
    let { at } = converted;
    this.#reserve(converted, row);
    made.rowBounds[2 * row] = at;
    let p = rowBounds[2 * row]!;
    for (const [index, conversion] of this.#conversions.entries()) {
      const length = bytes.readInt32BE(p);
      const start = p + 4;
      p = start + Math.max(0, length);
      if (conversion === undefined || length < 0) {
        at += bytes.copy(made.bytes, at, start - 4, p);
        continue;
      }
      const end = this.#write(conversion, { bytes, start, end: p }, made.bytes, at + 4, index, ahead);
      made.bytes.writeInt32BE(end === BECAME_NULL ? -1 : end - at - 4, at);
      at = end === BECAME_NULL ? at + 4 : end;
      if (conversion.coerces?.(bytes, start, p)) coerced.set(row, [...(coerced.get(row) ?? []), index]);
    }
    // Key columns that are not written.
    at += bytes.copy(made.bytes, at, p, rowBounds[2 * row + 1]!);
    made.rowBounds[2 * row + 1] = at;
    converted.at = at;
    converted.isDone[row] = 1;
  }

  /** Room for a row, of which few values become longer. */
  #reserve({ batch: { bytes, rowBounds }, made, at }: Converted, row: number): void {
    let p = rowBounds[2 * row]!;
    let needed = rowBounds[2 * row + 1]! - p;
    for (const conversion of this.#conversions) {
      const length = Math.max(0, bytes.readInt32BE(p));
      p += 4 + length;
      if (conversion?.bytesBound) needed += Math.max(0, conversion.bytesBound(length) - length);
    }
    if (made.bytes.length - at >= needed) return;
    const larger = Buffer.allocUnsafe(2 * made.bytes.length + needed);
    made.bytes.copy(larger, 0, 0, at);
    made.bytes = larger;
  }

  #write(
    conversion: Conversion,
    { bytes, start, end }: { readonly bytes: Buffer; readonly start: number; readonly end: number },
    target: Buffer,
    at: number,
    column: number,
    ahead: number,
  ): number {
    try {
      return conversion.write(bytes, start, end, target, at);
    } catch (error) {
      if (!(error instanceof Unrepresentable)) throw error;
      const { name } = this.#columns[column]!;
      const row = this.#rowCount + ahead;
      throw new SluiceError(
        'VALUE_NOT_EXPRESSIBLE',
        `column "${name}" holds ${error.message}, in row ${row} of its file`,
        {
          stage: 'encoding',
          hint: 'set format.onUnrepresentable: replace or null, or replace the value in the model',
        },
      );
    }
  }
}

/** For a format whose bytes come later. */
class ConvertingBufferingEncoder extends ConvertingEncoder implements BufferingEncoder {
  readonly adopt?: (rowGroup: RowGroup) => void;
  readonly maxRowGroups: number | undefined;
  readonly #buffering: BufferingEncoder;

  constructor(encoder: BufferingEncoder, columns: ConvertedColumns) {
    super(encoder, columns);
    this.#buffering = encoder;
    this.maxRowGroups = encoder.maxRowGroups;
    if (encoder.adopt) this.adopt = rowGroup => encoder.adopt!(rowGroup);
  }

  flush(): Promise<FlushedRows> {
    return this.#buffering.flush();
  }
}
