/** Texts and documents of JSON as bytes. */

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Lead byte of U+0080 to U+00BF: the controls among them, with a second byte below 0xa0, are escaped. */
const C2 = 0xc2;
const END_OF_CONTROLS = 0xa0;

/** What bytes of a text call for, to be or-ed over a text. */
export const ESCAPE = 1;
export const BEYOND_ASCII = 2;
export const LINE_BREAK = 4;

/** Escapes by byte: RFC 8259 asks for the quote, the backslash and U+0000-001F; U+007F-009F are stream-json's too. */
const ESCAPES: readonly (Buffer | undefined)[] = Array.from({ length: 0xa0 }, (_, code) => {
  const short = { 8: '\\b', 9: '\\t', 10: '\\n', 12: '\\f', 13: '\\r', 34: '\\"', 92: '\\\\' }[code];
  if (short !== undefined) return Buffer.from(short);
  return code < 0x20 || code >= 0x7f ? Buffer.from(`\\u${code.toString(16).padStart(4, '0')}`) : undefined;
});
export const LONG_ESCAPE_BYTES = 6;
/** Bytes that the escape of a byte takes beyond the byte itself. */
const GROWTH = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x80 ? (ESCAPES[byte]?.length ?? 1) - 1 : 0,
);
export const TEXT_FLAGS = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte >= 0x80) return byte === C2 ? ESCAPE | BEYOND_ASCII : BEYOND_ASCII;
  return ESCAPES[byte] === undefined ? 0 : ESCAPE;
});
const DOCUMENT_FLAGS = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte >= 0x80) return BEYOND_ASCII;
  return byte === LINE_FEED || byte === CARRIAGE_RETURN ? LINE_BREAK : 0;
});

export function writeShort(bytes: Buffer, to: Buffer, position: number): number {
  for (let i = 0; i < bytes.length; i++) to[position + i] = bytes[i]!;
  return position + bytes.length;
}

export function documentFlags(from: Buffer, start: number, end: number): number {
  let flags = 0;
  for (let p = start; p < end; p++) flags |= DOCUMENT_FLAGS[from[p]!]!;
  return flags;
}

/** The document without whitespace between its tokens. Without `to` it is only counted. */
export function writeCompact(
  from: Buffer,
  start: number,
  end: number,
  to: Buffer | undefined,
  position: number,
): number {
  let at = position;
  let isString = false;
  for (let p = start; p < end; p++) {
    const byte = from[p]!;
    if (byte === QUOTE) isString = !isString;
    else if (!isString && byte <= SPACE) continue;
    if (to !== undefined) to[at] = byte;
    at++;
    if (byte !== BACKSLASH) continue;
    p++;
    if (to !== undefined) to[at] = from[p]!;
    at++;
  }
  return at;
}

/** Text that is UTF-8, with its escapes. */
export function writeEscaped(
  from: Uint8Array,
  start: number,
  end: number,
  to: Buffer,
  position: number,
): number {
  let at = position;
  let p = start;
  while (p < end) {
    let byte = from[p++]!;
    if (byte === C2 && from[p]! < END_OF_CONTROLS) byte = from[p++]!;
    else if (byte >= 0x80) {
      to[at++] = byte;
      continue;
    }
    const escaped = ESCAPES[byte];
    if (escaped === undefined) to[at++] = byte;
    else at = writeShort(escaped, to, at);
  }
  return at;
}

export function escapedBytes(from: Uint8Array, start: number, end: number): number {
  let bytes = end - start;
  for (let p = start; p < end; p++) {
    const byte = from[p]!;
    bytes += GROWTH[byte]!;
    if (byte === C2 && p + 1 < end && from[p + 1]! < END_OF_CONTROLS) bytes += LONG_ESCAPE_BYTES - 2;
  }
  return bytes;
}
