/**
 * How the rows of a file are written: what src/encoders/text/row-form.ts lays out in
 * memory, word by word. Every text is given by its place and its length.
 */

/** How the value of a field is written, between the field's `open` and its `close`. */
export namespace Way {
  /** As it came. */
  export const COPY: u32 = 0;
  /** UTF-8 with escapes. */
  export const TEXT: u32 = 1;
  /** `yes` or `no`. */
  export const BOOLEAN: u32 = 2;
  /** PostgreSQL's timestamp as ISO 8601. */
  export const TIMESTAMP: u32 = 3;
  /** As it came; in quotes where it is no number. */
  export const NUMBER: u32 = 4;
  /** A JSON document: as it came, UTF-8. */
  export const DOCUMENT: u32 = 5;
  /** In quotes where it holds a special byte. */
  export const SCAN: u32 = 6;
  /** In quotes. */
  export const QUOTE: u32 = 7;
  /** `SCAN`, but a value that begins like a formula is left to the caller. */
  export const SCAN_FORMULA: u32 = 8;
  /** Left to the caller. */
  export const CALL: u32 = 9;
}

// @ts-ignore: decorator
@unmanaged
export class Field {
  way: u32;
  open: usize;
  openLength: u32;
  close: usize;
  closeLength: u32;
  /** Stands for NULL, `open` and `close` included. */
  null: usize;
  nullLength: u32;
  yes: usize;
  yesLength: u32;
  no: usize;
  noLength: u32;
  /**
   * How many values were written as something else, because the format has no form for
   * them.
   */
  coerced: u32;
}

// @ts-ignore: decorator
@unmanaged
export class RowForm {
  /**
   * A byte is special where the entry of its lower and the entry of its upper half have a
   * bit in common.
   */
  low: v128;
  high: v128;
  /** Room that a row takes at most: `perByte` for each byte as it came, and `perRow`. */
  perByte: u32;
  perRow: u32;
  fields: usize;
  fieldsEnd: usize;
  /** Precedes the first row of the file, and the others. */
  firstOpen: usize;
  firstOpenLength: u32;
  open: usize;
  openLength: u32;
  /** Follows a row; `emptyClose` one of which no field was written. */
  close: usize;
  closeLength: u32;
  emptyClose: usize;
  emptyCloseLength: u32;
  /** Not 0: takes the place of the first byte behind `open`, which separates fields. */
  firstByte: u32;
  /**
   * By byte, 8 bytes each: length of what stands for it, `COERCES` added, and up to 7
   * bytes of text.
   */
  escapes: usize;
  /** Whether U+0080 to U+009F are escaped. */
  escapesC1: u32;
  /** Whether U+FFFE and U+FFFF become U+FFFD. */
  replacesNoncharacters: u32;
  /** Whether documents with a line break are left to the caller. */
  compactsDocuments: u32;
  quote: u32;
  /**
   * Values of this length may be what stands for NULL: they are left to the caller. -1
   * where nothing stands for it.
   */
  nullLength: u32;
  /** Whether a value alone in its row is in quotes where it is `\.`. */
  quotesEndOfCopy: u32;
  /** Whether quotes are all that a special byte calls for; else the caller decides. */
  quotesSpecials: u32;
  /** -1 where bytes beyond ASCII are special to `SCAN`, else 0. */
  beyondAscii: i32;
  /** Room for an index for each field. */
  coercedInRow: usize;

  // What `writeRows` says beside the number of rows.
  end: usize;
  stop: u32;
  refusedField: u32;
  /** Bytes of the row that did not fit. */
  rowBytes: u32;
}

/** Why `writeRows` ended. */
export namespace Stop {
  export const DONE: u32 = 0;
  /** The next row may need more memory than is left. */
  export const NO_MEMORY: u32 = 1;
  /** The next row does not fit the file. */
  export const NO_ROOM: u32 = 2;
  /** A field of the next row is not UTF-8. */
  export const NOT_UTF8: u32 = 3;
}
