import type { Column, RowBatch } from '../../row-batch.ts';
import type { Encoder, OutputBuffer } from '../encoder.ts';
import { notUtf8 } from './not-utf8.ts';
import { type LaidOutForm, layOut, type RowBound, type RowForm } from './row-form.ts';
import { type RowWriting, rowWriter } from './row-writer.ts';

/**
 * What the engines on bytes share: a format says by a form how rows are written, and the
 * row writer writes them.
 */
export abstract class RowEncoder implements Encoder, RowWriting {
  abstract readonly beginBytes: number;
  abstract readonly endBytes: number;

  readonly form: LaidOutForm;
  readonly separator: Uint8Array;
  protected readonly columns: readonly Column[];
  /** Rows in the part so far. */
  protected rowCount = 0;
  readonly #format: string;

  /** @param values what the values of a row take at most */
  protected constructor(format: string, columns: readonly Column[], form: RowForm, values: RowBound) {
    this.#format = format;
    this.columns = columns;
    this.form = layOut(form, values);
    // What precedes the first row is the end of what precedes the others.
    this.separator = form.open.subarray(0, form.open.length - form.firstOpen.length);
  }

  abstract begin(out: OutputBuffer): void;
  abstract end(out: OutputBuffer): void;

  resume(rows: number): void {
    this.rowCount = rows;
  }

  /** Writes a value that the form leaves to the format. */
  writeValue(field: number, _memory: Buffer, _start: number, _end: number, _at: number): number {
    throw new TypeError(`${this.#format} leaves no value of column ${field} to the encoder`);
  }

  refuse(field: number, rowsWritten: number): never {
    throw notUtf8(this.#format, this.columns[field]!, this.rowCount + rowsWritten + 1);
  }

  get coerced(): ReadonlyMap<Column, number> {
    return coercedByColumn(this.columns, rowWriter.coerced(this));
  }

  /** To the byte, for any row but the first. */
  rowBytesBound(batch: RowBatch, row: number): number {
    return rowWriter.rowBytes(this, batch, row);
  }

  encode(batch: RowBatch, rows: Int32Array, from: number, to: number, out: OutputBuffer): number {
    const next = rowWriter.write(this, { batch, rows, from, to, isFirst: this.rowCount === 0 }, out);
    this.rowCount += next - from;
    return next;
  }
}

export function coercedByColumn(
  columns: readonly Column[],
  counts: ArrayLike<number>,
): ReadonlyMap<Column, number> {
  const coerced = new Map<Column, number>();
  columns.forEach((column, index) => {
    const count = counts[index]!;
    if (count > 0) coerced.set(column, count);
  });
  return coerced;
}
