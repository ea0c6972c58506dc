import type { Column, ColumnKind, RowBatch } from '../../row-batch.ts';
import type { Encoder, OutputBuffer } from '../encoder.ts';
import { columnNotUtf8, notUtf8 } from './not-utf8.ts';
import { coercedByColumn } from './row-encoder.ts';
import { notExpressible, type TypedValue, typedRow } from './typed-row.ts';

/**
 * A row as its package wrote it, and the columns whose values were written as something
 * else.
 */
export interface WrittenRow {
  readonly text: string;
  readonly coerced: readonly number[];
}

/**
 * What the library engines share whose packages write one row at a time, into a string.
 */
export abstract class TextRowEncoder implements Encoder {
  abstract readonly beginBytes: number;
  abstract readonly endBytes: number;

  protected readonly columns: readonly Column[];
  /** Rows in the part so far. */
  protected rowCount = 0;
  readonly #format: string;
  readonly #coercedValues: number[];

  protected constructor(columns: readonly Column[], format: string) {
    this.columns = columns;
    this.#format = format;
    this.#coercedValues = columns.map(() => 0);
  }

  abstract begin(out: OutputBuffer): void;
  abstract end(out: OutputBuffer): void;

  resume(rows: number): void {
    this.rowCount = rows;
  }

  /** The text of a row that follows `rowCount` others. */
  protected abstract writeRow(values: readonly TypedValue[], rowCount: number): WrittenRow;

  get coerced(): ReadonlyMap<Column, number> {
    return coercedByColumn(this.columns, this.#coercedValues);
  }

  rowBytesBound(batch: RowBatch, row: number): number {
    return Buffer.byteLength(this.#write(batch, row, 1).text);
  }

  encode(batch: RowBatch, rows: Int32Array, from: number, to: number, out: OutputBuffer): number {
    for (let index = from; index < to; index++) {
      const { text, coerced } = this.#write(batch, rows[index]!, this.rowCount);
      if (out.position + Buffer.byteLength(text) > out.limit) return index;
      out.position += out.bytes.write(text, out.position);
      for (const column of coerced) this.#coercedValues[column]!++;
      this.rowCount++;
    }
    return to;
  }

  #write(batch: RowBatch, row: number, rowCount: number): WrittenRow {
    const column = columnNotUtf8(batch, row, this.columns);
    if (column !== undefined) throw notUtf8(this.#format, column, this.rowCount + 1);
    try {
      return this.writeRow(typedRow(batch, row, this.columns), rowCount);
    } catch (cause) {
      if (cause instanceof RangeError) throw notExpressible('a row is too long for a string', cause);
      throw cause;
    }
  }
}

/** ISO 8601, where PostgreSQL writes a space and `+00`. */
export function iso8601Text(kind: ColumnKind, text: string): string {
  if (kind === 'timestamp') return text.replace(' ', 'T');
  return kind === 'timestamptz' ? text.replace(' ', 'T').replace('+00', 'Z') : text;
}
