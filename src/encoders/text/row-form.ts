/**
 * How the value of a field is written, between the field's `open` and its `close`; the
 * numbers are the row writer's.
 */
export const Way = {
  /** As it came. */
  copy: 0,
  /** UTF-8 with escapes. */
  text: 1,
  /** `yes` or `no`. */
  boolean: 2,
  /**
   * PostgreSQL's timestamp as ISO 8601: `2020-01-01T00:00:00.5Z`. What has no such form
   * stays as it is.
   */
  timestamp: 3,
  /** As it came; in double quotes, and counted as coerced, where it is no number. */
  number: 4,
  /** A JSON document: as it came, UTF-8. */
  document: 5,
  /** As it came, or in quotes where it holds a special byte or is empty. */
  scan: 6,
  /** In quotes. */
  quote: 7,
  /** `scan`, but a value that may begin like a formula is left to the encoder. */
  scanFormula: 8,
  /** Left to the encoder. */
  call: 9,
} as const;
export type Way = (typeof Way)[keyof typeof Way];

export interface FieldForm {
  readonly way: Way;
  /** Precedes and follows a value. */
  readonly open: Buffer;
  readonly close: Buffer;
  /** Stands for NULL, with all that precedes and follows it. */
  readonly null: Buffer;
  /** How a `boolean` is written. */
  readonly yes?: Buffer;
  readonly no?: Buffer;
}

/**
 * Bytes that a row takes at most: `perByte` for each byte of its fields as they came, and
 * `perRow`.
 */
export interface RowBound {
  readonly perByte: number;
  readonly perRow: number;
}

/** How the rows of a file are written. */
export interface RowForm {
  readonly fields: readonly FieldForm[];
  /** Precedes the first row of the file, and each other one. */
  readonly firstOpen: Buffer;
  readonly open: Buffer;
  /** Follows a row; `emptyClose` a row of which nothing was written. */
  readonly close: Buffer;
  readonly emptyClose: Buffer;
  /**
   * Takes the place of the first byte of the first field, which separates it from one
   * before.
   */
  readonly firstByte?: number;
  readonly escapes?: Escapes;
  readonly quotes?: Quotes;
  /** Whether documents with a line break are left to the encoder. */
  readonly compactsDocuments?: boolean;
}

/** How `text` is escaped. */
export interface Escapes {
  /** What is written for a byte of ASCII, and for U+0080 to U+009F; at most 7 bytes. */
  readonly texts: readonly (Buffer | undefined)[];
  /** Whether what is written for it makes the value count as coerced. */
  coerces(code: number): boolean;
  readonly escapesC1: boolean;
  /** Whether U+FFFE and U+FFFF become U+FFFD, which counts as coerced. */
  readonly replacesNoncharacters: boolean;
}

/** What `scan`, `scanFormula` and `quote` go by. */
export interface Quotes {
  readonly quote: number;
  /** Bytes that are, or begin, what needs quotes. */
  readonly special: readonly number[];
  /**
   * Bytes of what stands for NULL: a value of as many is left to the encoder, and an
   * empty one needs quotes.
   */
  readonly nullLength: number;
  /** Whether `\.` needs quotes. */
  readonly quotesEndOfCopy: boolean;
  /**
   * Whether quotes, doubled in the value, are all that a special byte calls for; else the
   * encoder decides.
   */
  readonly quotesSpecials: boolean;
}

/** A form as the row writer reads it, in the memory from `FORM_AT` on. */
export interface LaidOutForm {
  /** Also keeps the counts while the row writer works on another form. */
  readonly bytes: Buffer;
  readonly bound: RowBound;
  /**
   * Word of the first field's count of coerced values; the next one's is `FIELD_WORDS`
   * further.
   */
  readonly coercedWord: number;
  readonly fieldCount: number;
}

export const FORM_AT = 1024;
/**
 * Words behind the two tables of 16 bytes, in the order of RowForm in
 * assembly/row-form.ts.
 */
const TABLES_BYTES = 32;
const HEAD_WORDS = 28;
export const END_WORD = TABLES_BYTES / 4 + 23;
export const STOP_WORD = END_WORD + 1;
export const REFUSED_FIELD_WORD = END_WORD + 2;
export const ROW_BYTES_WORD = END_WORD + 3;
export const FIELD_WORDS = 12;
const COERCED_WORD = 11;

const NO_LENGTH = -1;
const COERCES = 0x80;
const NOTHING = Buffer.alloc(0);
/**
 * The row writer may write that much behind a row, and read that much behind what it
 * copies.
 */
const OVERRUN_BYTES = 32;

/**
 * @param values what the values of a row take at most; what surrounds them is added here
 */
export function layOut(form: RowForm, values: RowBound): LaidOutForm {
  const fieldsAt = TABLES_BYTES + HEAD_WORDS * 4;
  const coercedInRowAt = fieldsAt + form.fields.length * FIELD_WORDS * 4;
  const escapesAt = (coercedInRowAt + form.fields.length * 4 + 7) & ~7;
  const textsAt = escapesAt + (form.escapes ? 256 * 8 : 0);
  const texts: Buffer[] = [];
  let textsEnd = textsAt;
  const place = (text: Buffer): [at: number, length: number] => {
    texts.push(text);
    textsEnd += text.length;
    return [FORM_AT + textsEnd - text.length, text.length];
  };

  const { perByte } = values;
  let perRow = values.perRow + Math.max(form.firstOpen.length, form.open.length);
  perRow += Math.max(form.close.length, form.emptyClose.length) + OVERRUN_BYTES;
  const fieldWords = form.fields.flatMap(
    ({ way, open, close, null: nullText, yes = NOTHING, no = NOTHING }) => {
      perRow += Math.max(open.length + Math.max(yes.length, no.length, 2) + close.length, nullText.length);
      return [way, ...place(open), ...place(close), ...place(nullText), ...place(yes), ...place(no), 0];
    },
  );
  const { quotes, escapes } = form;
  const headWords = [
    perByte,
    perRow,
    FORM_AT + fieldsAt,
    FORM_AT + coercedInRowAt,
    ...place(form.firstOpen),
    ...place(form.open),
    ...place(form.close),
    ...place(form.emptyClose),
    form.firstByte ?? 0,
    FORM_AT + escapesAt,
    Number(escapes?.escapesC1 ?? false),
    Number(escapes?.replacesNoncharacters ?? false),
    Number(form.compactsDocuments ?? false),
    quotes?.quote ?? 0,
    quotes?.nullLength || NO_LENGTH,
    Number(quotes?.quotesEndOfCopy ?? false),
    Number(quotes?.quotesSpecials ?? false),
    quotes?.special.some(byte => byte >= 0x80) ? -1 : 0,
    FORM_AT + coercedInRowAt,
  ];

  const bytes = Buffer.alloc((textsEnd + 15) & ~15);
  writeTables(bytes, specialBytes(form));
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  words.set(headWords, TABLES_BYTES / 4);
  words.set(fieldWords, fieldsAt / 4);
  if (escapes) writeEscapes(bytes, escapesAt, escapes);
  Buffer.concat(texts).copy(bytes, textsAt);
  return {
    bytes,
    bound: { perByte, perRow },
    coercedWord: fieldsAt / 4 + COERCED_WORD,
    fieldCount: form.fields.length,
  };
}

/** Bytes of ASCII that the row writer has to look for. */
function specialBytes({ escapes, quotes }: RowForm): number[] {
  const escaped = escapes?.texts.flatMap((text, code) => (text ? [code] : [])) ?? [];
  return [...escaped, ...(quotes?.special ?? [])].filter(byte => byte < 0x80);
}

/**
 * A bit for each upper half: the lower half's entry says which of them make a special
 * byte with it.
 */
function writeTables(bytes: Buffer, special: readonly number[]): void {
  for (const byte of special) {
    bytes[byte & 0x0f]! |= 1 << (byte >> 4);
    bytes[16 + (byte >> 4)] = 1 << (byte >> 4);
  }
}

function writeEscapes(bytes: Buffer, at: number, { texts, coerces }: Escapes): void {
  texts.forEach((text, code) => {
    if (!text) return;
    bytes[at + 8 * code] = text.length | (coerces(code) ? COERCES : 0);
    text.copy(bytes, at + 8 * code + 1);
  });
}
