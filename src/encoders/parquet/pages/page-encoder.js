// Loaded by row-group-worker.js: JavaScript for the same reason.
import { codecOf } from './page-codecs.js';
import { dataPageHeader, dictionaryPageHeader, levelsOf } from './page-header.js';

/**
 * A dictionary that saves less than a tenth of the values costs readers more than it
 * saves.
 */
const WORTHWHILE = 0.9;
const MiB = 1024 * 1024;
const SLACK_BYTES = 64;
const MEMORY_PAGE_BYTES = 64 * 1024;
/** Pages with larger values are never worth a dictionary. */
export const MAX_DICTIONARY_PAGE_BYTES = 2 * MiB;
/** What Snappy makes of as much as it is given at a time, at most. */
const SNAPPY_BYTES = 512 * 1024;
const HEADER_BYTES = 128;

/**
 * @typedef {object} Exports
 * @property {WebAssembly.Memory} memory
 * @property {() => number} heapBase
 * @property {(start: number, length: number, output: number, table: number) => number}
 *   compress
 * @property {(width: number, values: number, begins: number, hashes: number, slots:
 *   number) => void} clearDictionary
 * @property {(start: number, count: number, places: number) => number} addValues
 * @property {() => number} dictionaryBytes
 * @property {() => number} dictionaryEntries
 * @property {(places: number, count: number, bits: number, at: number) => number}
 *   packPlaces
 *
 * @typedef {import('../fill/column-filler.ts').FilledPage} FilledPage
 * @typedef {import('./row-group-writer.ts').RequestedColumn} RequestedColumn
 * @typedef {import('./row-group-writer.ts').WrittenChunk} WrittenChunk
 */

/**
 * Makes the bytes of row groups from filled pages: headers, levels, dictionaries,
 * compression.
 */
export class PageEncoder {
  memory = Buffer.alloc(0);
  /** @type {readonly Buffer[]} */
  crates = [];
  /** @type {import('./page-codecs.js').Codec} */
  codec = (_parts, _size, _out, at) => at;
  /** What is written, up to `at`. */
  out = Buffer.alloc(0);
  at = 0;
  /** What the pages of the column in hand hold, with their headers. */
  uncompressedBytes = 0;

  /** @param {WebAssembly.Module} code */
  constructor(code) {
    /** @type {Exports} */
    this.exports = /** @type {any} */ (new WebAssembly.Instance(code, {}).exports);
    let end = this.exports.heapBase();
    /** @param {number} bytes */
    const take = bytes => {
      const at = Math.ceil(end / SLACK_BYTES) * SLACK_BYTES;
      end = at + bytes + SLACK_BYTES;
      return at;
    };
    this.tableAt = take(32 * 1024);
    this.inputAt = take(MAX_DICTIONARY_PAGE_BYTES);
    this.packedAt = take(MAX_DICTIONARY_PAGE_BYTES);
    this.snappyAt = take(SNAPPY_BYTES);
    this.valuesAt = take(MiB);
    this.beginsAt = take(MiB);
    this.hashesAt = take(MiB);
    this.slotsAt = take(4 * MiB);
    this.placesAt = take(0);
    this.reserve(0);
  }

  /**
   * Room for the places of so many values.
   * @param {number} values
   */
  reserve(values) {
    const { memory } = this.exports;
    const missing = this.placesAt + 4 * values + SLACK_BYTES - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / MEMORY_PAGE_BYTES));
    if (this.memory.buffer !== memory.buffer) this.memory = Buffer.from(memory.buffer);
  }

  /**
   * @param {import('./row-group-writer.ts').RowGroupRequest} request
   * @returns {Promise<{ bytes: Uint8Array<ArrayBuffer>, chunks: WrittenChunk[] }>}
   */
  async encode({ columns, crates, compression }) {
    this.codec = await codecOf(compression, this);
    const room = columns.reduce((sum, { pages }) => sum + roomFor(pages), 0);
    if (this.out.length < room) this.out = Buffer.allocUnsafeSlow(room);
    this.at = 0;
    this.crates = crates.map(crate => Buffer.from(crate));
    const chunks = columns.map(column => this.writeChunk(column));
    return { bytes: new Uint8Array(this.out.buffer.slice(0, this.at)), chunks };
  }

  /**
   * @param {RequestedColumn} column
   * @returns {WrittenChunk}
   */
  writeChunk(column) {
    const start = this.at;
    this.uncompressedBytes = 0;
    const dictionaryBits = column.dictionary ? this.buildDictionary(column) : 0;
    if (dictionaryBits > 0) {
      const bytes = this.exports.dictionaryBytes();
      const values = this.memory.subarray(this.valuesAt, this.valuesAt + bytes);
      const entries = this.exports.dictionaryEntries();
      this.writePage([values], (size, stored) => dictionaryPageHeader(size, stored, entries));
    }
    const dataPagesAt = this.at;
    let place = this.placesAt;
    for (const page of column.pages) {
      const levels = levelsOf(page, this.crates);
      let values = this.valuesOf(page);
      if (dictionaryBits > 0) {
        values = this.packed(place, page.valueCount, dictionaryBits);
        place += 4 * page.valueCount;
      }
      this.writePage([levels, values], (size, stored) =>
        dataPageHeader(size, stored, page.rowCount, dictionaryBits > 0),
      );
    }
    return {
      offset: start,
      dictionaryBytes: dataPagesAt - start,
      storedBytes: this.at - start,
      uncompressedBytes: this.uncompressedBytes,
      pageCount: column.pages.length,
    };
  }

  /**
   * @param {FilledPage} page
   * @returns {Buffer}
   */
  valuesOf({ crate, at, levelBytes, valueBytes }) {
    return /** @type {Buffer} */ (this.crates[crate]).subarray(at + levelBytes, at + levelBytes + valueBytes);
  }

  /**
   * Looks all values up.
   * @param {RequestedColumn} column
   * @returns {number} bits of a place; 0 where a dictionary is too large, or saves too
   * little
   */
  buildDictionary({ pages, width }) {
    const { exports } = this;
    const valueCount = pages.reduce((sum, page) => sum + page.valueCount, 0);
    const plainBytes = pages.reduce((sum, page) => sum + page.valueBytes, 0);
    if (valueCount === 0 || pages.some(page => page.valueBytes > MAX_DICTIONARY_PAGE_BYTES)) return 0;
    this.reserve(valueCount);
    exports.clearDictionary(width, this.valuesAt, this.beginsAt, this.hashesAt, this.slotsAt);
    let place = this.placesAt;
    for (const page of pages) {
      this.memory.set(this.valuesOf(page), this.inputAt);
      if (!exports.addValues(this.inputAt, page.valueCount, place)) return 0;
      place += 4 * page.valueCount;
    }
    const bits = Math.max(1, 32 - Math.clz32(exports.dictionaryEntries() - 1));
    const bytes = exports.dictionaryBytes() + (valueCount * bits) / 8;
    return bytes < WORTHWHILE * plainBytes ? bits : 0;
  }

  /**
   * @param {number} places
   * @param {number} count
   * @param {number} bits
   */
  packed(places, count, bits) {
    this.memory[this.packedAt] = bits;
    const end = this.exports.packPlaces(places, count, bits, this.packedAt + 1);
    return this.memory.subarray(this.packedAt, end);
  }

  /**
   * @param {readonly Buffer[]} parts what the page holds
   * @param {(size: number, stored: number) => Buffer} headerOf
   */
  writePage(parts, headerOf) {
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    // The header is shorter than the room left for it: what follows is moved to its end.
    const from = this.at + HEADER_BYTES;
    const stored = this.codec(parts, size, this.out, from) - from;
    const header = headerOf(size, stored);
    this.at += header.copy(this.out, this.at);
    this.out.copyWithin(this.at, from, from + stored);
    this.at += stored;
    this.uncompressedBytes += header.length + size;
  }
}

/**
 * No page takes more, however it is stored.
 * @param {readonly FilledPage[]} pages
 */
function roomFor(pages) {
  let bytes = 4 * HEADER_BYTES;
  for (const { valueBytes, rowCount } of pages)
    bytes += 2 * HEADER_BYTES + Math.ceil(((valueBytes + rowCount / 8) * 7) / 6) + 4 * rowCount;
  return bytes;
}
