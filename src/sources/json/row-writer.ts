import type { Column, RowBatch } from '../../row-batch.ts';
import { repeatedKey } from './column-inference.ts';
import { RowFault, shown } from './json-errors.ts';
import type { RowListener, ScalarType } from './row-parser.ts';
import { valueText } from './value-text.ts';

export interface RowWriterOptions {
  /** Columns that rows may have. */
  readonly known: readonly Column[];
  /**
   * Columns to send, in order; of the known ones, perhaps with other names, perhaps
   * twice.
   */
  readonly sent: readonly Column[];
  /** Whether a person has named the columns, or the first rows have. */
  readonly declared: boolean;
  readonly unknownKeys: 'fail' | 'ignore';
  /** A batch is full with so many bytes. */
  readonly batchBytes: number;
}

interface Place {
  readonly column: Column;
  readonly isSent: boolean;
  /** The last row that had it. */
  row: number;
  /** Where its value stands among the values of the row. */
  start: number;
  /** -1 is NULL. */
  length: number;
}

const NULL_LENGTH = -1;
const MAX_BATCH_ROWS = 16_384;
/** A row of large values leaves no more than this behind. */
const VALUES_BYTES = 64 * 1024;

/**
 * Makes batches of rows: values are written down as they come, and put in the order of
 * the columns at a row's end.
 */
export class RowWriter implements RowListener {
  readonly #options: RowWriterOptions;
  readonly #places = new Map<string, Place>();
  readonly #sent: readonly Place[];
  #row = 1;
  #place: Place | undefined;
  #values: Buffer = Buffer.allocUnsafeSlow(VALUES_BYTES);
  #valuesEnd = 0;
  #batch: Buffer;
  #batchEnd = 0;
  #bounds: number[] = [];

  constructor(options: RowWriterOptions) {
    this.#options = options;
    for (const column of options.known) {
      const isSent = options.sent.some(({ source }) => source === column.source);
      this.#places.set(column.source, { column, isSent, row: 0, start: 0, length: NULL_LENGTH });
    }
    this.#sent = options.sent.map(({ source }) => {
      const place = this.#places.get(source);
      if (place === undefined) throw new TypeError(`there is no column ${source}`);
      return place;
    });
    this.#batch = Buffer.allocUnsafeSlow(options.batchBytes);
  }

  get isFull(): boolean {
    return this.#batchEnd >= this.#options.batchBytes || this.#bounds.length >= 2 * MAX_BATCH_ROWS;
  }

  key(name: string): void {
    const place = this.#places.get(name);
    this.#place = undefined;
    if (place === undefined) {
      if (this.#options.unknownKeys === 'fail') throw this.#unknownKey(name);
      return;
    }
    if (place.row === this.#row) throw repeatedKey(name);
    place.row = this.#row;
    place.length = NULL_LENGTH;
    if (place.isSent) this.#place = place;
  }

  // hot: a call for each value of a source
  scalar(type: ScalarType, text: string): void {
    const place = this.#place;
    if (place === undefined || type === 'null') return;
    const { column } = place;
    const fitting = valueText(column.kind, type, text, { fromText: this.#options.declared });
    if (fitting === undefined) throw this.#misfit(column, type === 'string' ? JSON.stringify(text) : text);
    place.start = this.#valuesEnd;
    this.#write(fitting, column);
    place.length = this.#valuesEnd - place.start;
  }

  startDocument(): void {
    const place = this.#place;
    if (place === undefined) return;
    const { column } = place;
    if (column.kind !== 'json' && column.kind !== 'text') throw this.#misfit(column, 'an object or array');
    place.start = this.#valuesEnd;
  }

  documentText(text: string): void {
    if (this.#place !== undefined) this.#write(text, this.#place.column);
  }

  endDocument(): void {
    if (this.#place !== undefined) this.#place.length = this.#valuesEnd - this.#place.start;
  }

  /** Puts the row into the batch; what it has no key for is NULL. */
  // hot: a call for each row of a source
  endRow(): void {
    const row = this.#row++;
    let bytes = 0;
    for (const place of this.#sent) bytes += 4 + (place.row === row ? Math.max(0, place.length) : 0);
    let at = this.#batchEnd;
    this.#batch = withRoom(this.#batch, at, bytes);
    const batch = this.#batch;
    this.#bounds.push(at);
    for (const place of this.#sent) {
      const length = place.row === row ? place.length : NULL_LENGTH;
      at = batch.writeInt32BE(length, at);
      if (length > 0) at += this.#values.copy(batch, at, place.start, place.start + length);
    }
    this.#bounds.push(at);
    this.#batchEnd = at;
    this.#valuesEnd = 0;
    if (this.#values.length > 16 * VALUES_BYTES) this.#values = Buffer.allocUnsafeSlow(VALUES_BYTES);
  }

  /** The rows since the last call; undefined where there are none. */
  take(): RowBatch | undefined {
    if (this.#bounds.length === 0) return undefined;
    const bounds = this.#bounds;
    const bytes = this.#batch.subarray(0, this.#batchEnd);
    this.#bounds = [];
    this.#batch = Buffer.allocUnsafeSlow(this.#options.batchBytes);
    this.#batchEnd = 0;
    return { bytes, rowCount: bounds.length / 2, rowBounds: Int32Array.from(bounds), changes: undefined };
  }

  #write(text: string, column: Column): void {
    const most = text.length > VALUES_BYTES ? Buffer.byteLength(text) : 3 * text.length;
    this.#values = withRoom(this.#values, this.#valuesEnd, most);
    const bytes = this.#values.write(text, this.#valuesEnd);
    // A half of a surrogate pair has no UTF-8; in documents it stays an escape.
    if (bytes !== text.length && /\p{Cs}/u.test(text)) {
      const message = `column "${column.source}": the text holds half of a surrogate pair, which UTF-8 cannot`;
      throw new RowFault(
        'VALUE_NOT_EXPRESSIBLE',
        message,
        'fix the file, or declare the column as json, which keeps the escape',
      );
    }
    this.#valuesEnd += bytes;
  }

  #misfit({ source, kind }: Column, value: string): RowFault {
    const message = `column "${source}" is ${kind}, and ${shown(value)} does not fit`;
    const hint = this.#options.declared
      ? 'fix the file, or declare another type in `columns`; text takes anything'
      : 'the type was found in the first rows: declare `columns` of the source, or raise inferRows';
    return new RowFault('VALUE_NOT_EXPRESSIBLE', message, hint);
  }

  #unknownKey(name: string): RowFault {
    const key = shown(JSON.stringify(name));
    const message = this.#options.declared
      ? `the key ${key} is not among the columns that are declared`
      : `the key ${key} is not in the rows that the columns were found in`;
    const hint = this.#options.declared
      ? 'declare it in `columns` of the source, or set `unknownKeys: ignore`'
      : 'declare `columns` of the source, raise inferRows, or set `unknownKeys: ignore`';
    return new RowFault('VALUE_NOT_EXPRESSIBLE', message, hint);
  }
}

function withRoom(buffer: Buffer, used: number, additionalBytes: number): Buffer {
  if (used + additionalBytes <= buffer.length) return buffer;
  const larger = Buffer.allocUnsafeSlow(Math.max(2 * buffer.length, used + additionalBytes));
  buffer.copy(larger, 0, 0, used);
  return larger;
}
