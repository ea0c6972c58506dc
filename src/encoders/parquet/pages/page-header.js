// Loaded by row-group-worker.js: JavaScript for the same reason.

/** Types of parquet.thrift: PageType and Encoding. */
const DATA_PAGE = 0;
const DICTIONARY_PAGE = 2;
const PLAIN = 0;
const RLE = 3;
const RLE_DICTIONARY = 8;

/**
 * Heads of fields in thrift's compact protocol: an i32 and a structure, one behind the
 * field before.
 */
const I32 = 0x15;
const DATA_PAGE_STRUCT = 0x2c;
const DICTIONARY_PAGE_STRUCT = 0x4c;

/**
 * @param {number} size
 * @param {number} stored
 * @param {number} rows
 * @param {boolean} isDictionary
 */
export function dataPageHeader(size, stored, rows, isDictionary) {
  const values = [rows, isDictionary ? RLE_DICTIONARY : PLAIN, RLE, RLE];
  return header([DATA_PAGE, size, stored], DATA_PAGE_STRUCT, values);
}

/**
 * @param {number} size
 * @param {number} stored
 * @param {number} entries
 */
export function dictionaryPageHeader(size, stored, entries) {
  return header([DICTIONARY_PAGE, size, stored], DICTIONARY_PAGE_STRUCT, [entries, PLAIN]);
}

/**
 * @param {readonly number[]} page
 * @param {number} struct
 * @param {readonly number[]} own
 */
function header(page, struct, own) {
  const bytes = [];
  for (const value of page) bytes.push(I32, ...number(2 * value));
  bytes.push(struct);
  for (const value of own) bytes.push(I32, ...number(2 * value));
  bytes.push(0, 0);
  return Buffer.from(bytes);
}

/** @param {number} value */
function number(value) {
  const bytes = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return bytes;
}

/**
 * Which rows have a value, behind the length of that: one run, or bits as they are.
 * @param {import('../fill/column-filler.ts').FilledPage} page
 * @param {readonly Buffer[]} crates
 */
export function levelsOf({ crate, at, levelBytes, rowCount, valueCount }, crates) {
  const run = levelBytes > 0 ? number(levelBytes * 2 + 1) : [...number(2 * rowCount), valueCount > 0 ? 1 : 0];
  const levels = Buffer.allocUnsafe(4 + run.length + levelBytes);
  levels.writeUInt32LE(run.length + levelBytes);
  levels.set(run, 4);
  if (levelBytes > 0) crates[crate]?.copy(levels, 4 + run.length, at, at + levelBytes);
  return levels;
}
