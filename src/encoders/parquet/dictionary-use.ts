import type { ColumnBuffer } from './fill/column-buffer.ts';

/** Values that are looked at in a row group: enough to tell 100,000 different values from none that repeat. */
const SAMPLES = 4096;
/** Enough where none of them repeats, or nearly all do. */
const FIRST_SAMPLES = 1024;
const SLOTS = 4 * SAMPLES;
/** Bytes that decide whether two texts are the same: at their beginning and at their end. */
const LOOKED_AT_BYTES = 32;
/** A dictionary that grows larger is given up by the writer, after the work. */
const MAX_DICTIONARY_BYTES = 1024 * 1024;
/** A dictionary that saves less than a tenth is not worth looking every value up. */
const WORTHWHILE = 0.9;

/** The hashes met so far; 0 is an empty slot. */
const met = new Int32Array(SLOTS);

/**
 * Whether a dictionary makes the column smaller, as far as a sample tells. Looking up every value of a column whose values
 * do not repeat takes more time than all the rest of writing it.
 */
export function isWorthDictionary(column: ColumnBuffer, rows: number): boolean {
  const { kind } = column.column;
  if (kind === 'boolean' || column.nullCount === rows) return false;
  met.fill(0);
  const step = rows <= SAMPLES ? 1 : stepThrough(rows);
  let samples = 0;
  let different = 0;
  for (let i = 0, row = 0; i < Math.min(rows, SAMPLES); i++, row = (row + step) % rows) {
    if ((column.validity[row >> 3]! & (1 << (row & 7))) === 0) continue;
    if (samples === FIRST_SAMPLES && (different === samples || 8 * different <= samples)) break;
    samples++;
    const hash = hashAt(column, row) || 1;
    let slot = (hash >>> 8) % SLOTS;
    while (met[slot] !== 0 && met[slot] !== hash) slot = (slot + 1) % SLOTS;
    if (met[slot] === hash) continue;
    met[slot] = hash;
    different++;
  }
  const values = rows - column.nullCount;
  if (samples === 0) return true;
  // Among n samples of D equally frequent values, n²/2D repeat an earlier one.
  const repeated = samples - different;
  const estimate = repeated === 0 ? values : Math.max(different, (samples * samples) / (2 * repeated));
  const distinct = samples === values ? different : Math.min(values, estimate);
  const plainBytes = column.plainBytes(rows);
  const dictionaryBytes = (distinct * plainBytes) / values;
  const indexBytes = (values * Math.ceil(Math.log2(distinct + 1))) / 8;
  return dictionaryBytes <= MAX_DICTIONARY_BYTES && dictionaryBytes + indexBytes < WORTHWHILE * plainBytes;
}

/** A distance that visits every row once before it comes back, in no order that data have. */
function stepThrough(rows: number): number {
  let step = Math.floor(rows * 0.618_034);
  while (commonDivisor(step, rows) !== 1) step++;
  return step;
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

// hot: bench/encoders. Invariant: the row has a value.
function hashAt({ column, octets, data, offsets }: ColumnBuffer, row: number): number {
  const { width } = column;
  const bytes = width === 0 ? data : octets;
  const start = width === 0 ? offsets[row]! : row * width;
  const end = width === 0 ? offsets[row + 1]! : start + width;
  let hash = end - start;
  const middle = Math.min(end, start + LOOKED_AT_BYTES);
  for (let p = start; p < middle; p++) hash = Math.imul(hash ^ bytes[p]!, 0x01000193);
  for (let p = Math.max(middle, end - LOOKED_AT_BYTES); p < end; p++) {
    hash = Math.imul(hash ^ bytes[p]!, 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}
