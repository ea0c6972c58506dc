import type { ParquetColumn } from '../parquet-column.ts';

const FIRST_ROWS = 1024;

/**
 * The values of one column of the row group that is being filled, in Arrow's layout. NULL is a cleared bit of
 * `validity`; the place of its value holds anything.
 */
export class ColumnBuffer {
  readonly column: ParquetColumn;
  nullCount = 0;
  /** Whether a float is NaN, which has no place between a least and a greatest value. */
  hasNaN = false;
  validity = new Uint8Array(0);

  /** Values of one width, seen as what is being written. Booleans are bits. */
  octets = Buffer.alloc(0);
  shorts = new Int16Array(0);
  words = new Int32Array(0);
  singles = new Float32Array(0);
  doubles = new Float64Array(0);

  /** Values of any length: value `i` is `data[offsets[i] .. offsets[i + 1]]`. */
  offsets = new Int32Array(0);
  data = Buffer.alloc(0);
  dataBytes = 0;

  constructor(column: ParquetColumn) {
    this.column = column;
  }

  /** Makes room for the values of `rows` rows in all. */
  reserveRows(rows: number, rowsFilled: number): void {
    if (rows <= this.validity.length * 8) return;
    const room = Math.ceil(Math.max(rows, 2 * this.validity.length * 8, FIRST_ROWS) / 64) * 64;
    const validity = new Uint8Array(room / 8).fill(0xff);
    validity.set(this.validity.subarray(0, (rowsFilled + 7) >> 3));
    this.validity = validity;
    const { kind, width } = this.column;
    if (width === 0) {
      const offsets = new Int32Array(room + 1);
      offsets.set(this.offsets.subarray(0, rowsFilled + 1));
      this.offsets = offsets;
      return;
    }
    const memory = new ArrayBuffer(kind === 'boolean' ? room / 8 : room * width);
    const filled = kind === 'boolean' ? (rowsFilled + 7) >> 3 : rowsFilled * width;
    const octets = Buffer.from(memory);
    this.octets.copy(octets, 0, 0, filled);
    this.octets = octets;
    this.shorts = new Int16Array(memory, 0, memory.byteLength >> 1);
    this.words = new Int32Array(memory, 0, memory.byteLength >> 2);
    this.singles = new Float32Array(memory, 0, memory.byteLength >> 2);
    if (memory.byteLength % 8 === 0) this.doubles = new Float64Array(memory);
  }

  /** Makes room for `bytes` more bytes of data. */
  reserveData(bytes: number): void {
    const wanted = this.dataBytes + bytes;
    if (wanted <= this.data.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(wanted, 2 * this.data.length, 4096));
    this.data.copy(larger, 0, 0, this.dataBytes);
    this.data = larger;
  }

  setNull(row: number): void {
    this.validity[row >> 3]! &= ~(1 << (row & 7));
    this.nullCount++;
  }

  /** Bytes of `rows` values as Parquet's plain encoding writes them, at most. */
  plainBytes(rows: number): number {
    const { kind, width } = this.column;
    if (kind === 'boolean') return (rows + 7) >> 3;
    const values = rows - this.nullCount;
    return width === 0 ? 4 * values + this.dataBytes : Math.max(width, 4) * values;
  }

  /** Empty again. Room that one large row group took is given back. */
  clear(keepBytes: number): void {
    this.validity.fill(0xff);
    this.nullCount = 0;
    this.hasNaN = false;
    this.dataBytes = 0;
    if (this.data.length > keepBytes) this.data = Buffer.alloc(0);
  }
}
