import type { RowBatch } from '../../../row-batch.ts';
import { lazyModule } from '../../../wasm-module.ts';
import { BINARY_FIELDS_CODE } from './binary-fields-code.ts';
import type { ValueText } from './value-text.ts';

/**
 * The form in which a field comes, and what its text is; the numbers are those of
 * assembly/binary-fields.ts.
 */
export const Way = {
  /** The text itself. */
  copy: 0,
  date: 1,
  time: 2,
  timetz: 3,
  timestamp: 4,
  timestamptz: 5,
  interval: 6,
  bytea: 7,
  money: 8,
  /** Any other type in binary: `text` makes it. */
  call: 9,
} as const;
export type Way = (typeof Way)[keyof typeof Way];

export interface FieldFormat {
  readonly way: Way;
  /**
   * For `money` the digits behind the point; for `interval` 1 where there are infinite
   * ones.
   */
  readonly parameter: number;
  readonly text: ValueText;
}

export type Rows = Pick<RowBatch, 'bytes' | 'rowBounds' | 'rowCount'>;
type Spare = Pick<RowBatch, 'bytes' | 'rowBounds'>;

interface Exports {
  readonly memory: WebAssembly.Memory;
  /** assembly/binary-fields.ts. Addresses come back signed. */
  convertRows(
    conversion: number,
    bounds: number,
    moved: number,
    count: number,
    output: number,
    outputEnd: number,
    outputBounds: number,
  ): number;
  writeValue(way: number, parameter: number, start: number, end: number, at: number): number;
}

const Stop = { done: 0, noMemory: 1, malformed: 2 } as const;

const BATCH_ROWS = 8192;
const BATCH_BYTES = 256 * 1024;
const BOUNDS_BYTES = 8 * BATCH_ROWS;

/**
 * Words of Conversion in assembly/binary-fields.ts, and where it and what follows it
 * stand.
 */
const CONVERSION_AT = 1024;
const END_WORD = CONVERSION_AT / 4 + 4;
const STOP_WORD = END_WORD + 1;
const MALFORMED_WORD = END_WORD + 2;
const BOUNDS_AT = CONVERSION_AT + 64;
const OUTPUT_BOUNDS_AT = BOUNDS_AT + BOUNDS_BYTES;
const FORMATS_AT = OUTPUT_BOUNDS_AT + BOUNDS_BYTES;

/** More may be read behind a value, and written behind a position. */
const OVERRUN_BYTES = 64;
/**
 * Memory of WebAssembly does not shrink: after rows that need more it is given back
 * whole.
 */
const KEPT_BYTES = 8 * 1024 * 1024;
const PAGE_BYTES = 64 * 1024;
/**
 * What a text has at most beyond twice the bytes of its value; the longest are intervals.
 */
const LONGEST_TEXT = 80;
/** Holds a single value and its text. */
const VALUE_AT = 1024;
const TEXT_AT = 2048;

type WriteValue = (field: number, start: number, end: number, at: number, limit: number) => number;

const fieldsModule = lazyModule(BINARY_FIELDS_CODE);
let single: { readonly exports: Exports; readonly memory: Buffer } | undefined;

function instantiate(writeValue: WriteValue = () => 0): Exports {
  return new WebAssembly.Instance(fieldsModule(), { caller: { writeValue } }).exports as unknown as Exports;
}

function growTo(memory: WebAssembly.Memory, bytes: number): void {
  memory.grow(Math.ceil((bytes - memory.buffer.byteLength) / PAGE_BYTES));
}

/** The same texts as those of whole rows, for values within others. */
export function writtenText(way: Way, parameter: number): ValueText {
  if (way === Way.bytea) return (bytes, start, end) => `\\x${bytes.toString('hex', start, end)}`;
  return (bytes, start, end) => {
    if (single === undefined) {
      const exports = instantiate();
      growTo(exports.memory, PAGE_BYTES);
      single = { exports, memory: Buffer.from(exports.memory.buffer) };
    }
    const { exports, memory } = single;
    bytes.copy(memory, VALUE_AT, start, end);
    const textEnd = exports.writeValue(way, parameter, VALUE_AT, VALUE_AT + end - start, TEXT_AT);
    return memory.toString('latin1', TEXT_AT, textEnd);
  };
}

/** A value that cannot be converted. */
export class ConversionFault extends Error {
  readonly field: number;
  /** Its text, or the row that it would make, is larger than a row may be. */
  readonly isTooLarge: boolean;

  constructor(
    field: number,
    message: string,
    { isTooLarge = false, cause }: { isTooLarge?: boolean; cause?: unknown } = {},
  ) {
    super(message, { cause });
    this.field = field;
    this.isTooLarge = isTooLarge;
  }
}

/**
 * Puts the text of fields that came in binary in their place. The memory of WebAssembly
 * holds what is to be done, bounds of rows, the rows, and what they become, one behind
 * the other.
 */
export class RowConversion {
  /** Up to the last field that is not text: those behind it are copied unseen. */
  readonly #formats: readonly FieldFormat[];
  readonly #maxRowBytes: number;
  readonly #perByte: number;
  readonly #perRow: number;
  readonly #fieldCount: number;
  readonly #rowsAt: number;
  #exports: Exports | undefined;
  #memory: Buffer = Buffer.alloc(0);
  #words: Int32Array = new Int32Array(0);

  constructor(formats: readonly FieldFormat[], maxRowBytes: number) {
    const converted = formats.filter(({ way }) => way !== Way.copy);
    this.#formats = formats.slice(0, 1 + formats.indexOf(converted.at(-1)!));
    this.#fieldCount = formats.length;
    this.#maxRowBytes = maxRowBytes;
    this.#perByte = converted.some(({ way }) => way === Way.bytea) ? 2 : 1;
    this.#perRow = LONGEST_TEXT * converted.length + OVERRUN_BYTES;
    this.#rowsAt = FORMATS_AT + 8 * this.#formats.length;
  }

  /**
   * Converts rows from `from` on, as many as fit a batch, and one at least.
   * @param spare memory for them, used where it is large enough
   * @throws ConversionFault
   */
  // hot: bench/row-path
  convert(rows: Rows, from: number, spare: Spare | undefined): Rows {
    const { bytes, rowBounds } = rows;
    const to = Math.min(rows.rowCount, from + BATCH_ROWS);
    const start = rowBounds[2 * from]!;
    const end = rowBounds[2 * to - 1]!;
    const rowBytes = rowBounds[2 * from + 1]! - start;
    const outputAt = this.#rowsAt + end - start + OVERRUN_BYTES;
    const bound = rowBytes * this.#perByte + this.#perRow;
    const most = bound + this.#maxRowBytes;
    let outputBytes = Math.max(BATCH_BYTES, bound);
    for (;;) {
      const exports = this.#prepare(outputAt + outputBytes + OVERRUN_BYTES);
      this.#memory.set(bytes.subarray(start, end), this.#rowsAt);
      this.#words.set(rowBounds.subarray(2 * from, 2 * to), BOUNDS_AT / 4);
      const moved = this.#rowsAt - start;
      const outputEnd = outputAt + outputBytes;
      const count = exports.convertRows(
        CONVERSION_AT,
        BOUNDS_AT,
        moved,
        to - from,
        outputAt,
        outputEnd,
        OUTPUT_BOUNDS_AT,
      );
      if (this.#words[STOP_WORD] === Stop.malformed) {
        throw new ConversionFault(this.#words[MALFORMED_WORD]!, 'its length is not that of its type');
      }
      if (count > 0) return this.#take(count, outputAt, spare);
      // The length of values that are left to `writeValue` is not known before.
      if (outputBytes === most) this.#refuseLargest(bytes, start);
      outputBytes = Math.min(2 * outputBytes, most);
    }
  }

  #prepare(memoryBytes: number): Exports {
    const isLarge = this.#memory.length > KEPT_BYTES && memoryBytes <= KEPT_BYTES;
    if (this.#exports !== undefined && memoryBytes <= this.#memory.length && !isLarge) return this.#exports;
    if (isLarge) this.#exports = undefined;
    this.#exports ??= instantiate(this.#writeValue);
    const { memory } = this.#exports;
    growTo(memory, memoryBytes);
    this.#memory = Buffer.from(memory.buffer);
    this.#words = new Int32Array(memory.buffer);
    const conversion = [FORMATS_AT, this.#rowsAt, this.#perByte, this.#perRow];
    this.#words.set(conversion, CONVERSION_AT / 4);
    const formats = this.#formats.flatMap(({ way, parameter }) => [way, parameter]);
    this.#words.set(formats, FORMATS_AT / 4);
    return this.#exports;
  }

  readonly #writeValue: WriteValue = (field, start, end, at, limit) => {
    let text: string;
    try {
      text = this.#formats[field]!.text(this.#memory, start >>> 0, end >>> 0);
    } catch (cause) {
      // A string that would be too long.
      const isTooLarge =
        cause instanceof RangeError || (cause as NodeJS.ErrnoException).code === 'ERR_STRING_TOO_LONG';
      throw new ConversionFault(field, (cause as Error).message, { isTooLarge, cause });
    }
    if (text.length > (limit >>> 0) - (at >>> 0)) return 0;
    return (at >>> 0) + this.#memory.write(text, at >>> 0, 'latin1');
  };

  #take(rowCount: number, from: number, spare: Spare | undefined): Rows {
    const end = this.#words[END_WORD]! >>> 0;
    const length = end - from;
    const isSpare =
      spare !== undefined && length <= spare.bytes.length && 2 * rowCount <= spare.rowBounds.length;
    const bytes = isSpare ? spare.bytes : Buffer.allocUnsafeSlow(Math.max(length, BATCH_BYTES));
    const rowBounds = isSpare ? spare.rowBounds : new Int32Array(2 * BATCH_ROWS);
    bytes.set(this.#memory.subarray(from, end));
    rowBounds.set(this.#words.subarray(OUTPUT_BOUNDS_AT / 4, OUTPUT_BOUNDS_AT / 4 + 2 * rowCount));
    if (length > this.#maxRowBytes) {
      for (let row = 0; row < rowCount; row++) {
        if (rowBounds[2 * row + 1]! - rowBounds[2 * row]! > this.#maxRowBytes)
          this.#refuseLargest(bytes, rowBounds[2 * row]!);
      }
    }
    return { bytes, rowBounds, rowCount };
  }

  #refuseLargest(bytes: Buffer, start: number): never {
    let largest = 0;
    let largestBytes = -1;
    let at = start;
    for (let field = 0; field < this.#fieldCount; field++) {
      const length = bytes.readInt32BE(at);
      at += 4 + Math.max(0, length);
      if (length <= largestBytes) continue;
      largest = field;
      largestBytes = length;
    }
    const message = `as text a row is larger than ${this.#maxRowBytes} bytes, the limit, and most of it is here`;
    throw new ConversionFault(largest, message, { isTooLarge: true });
  }
}
