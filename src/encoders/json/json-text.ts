/** Texts and documents of JSON. */

const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * By code: RFC 8259 asks for the quote, the backslash and U+0000-001F; U+007F-009F are
 * stream-json's too.
 */
export const ESCAPES: readonly (Buffer | undefined)[] = Array.from({ length: 0xa0 }, (_, code) => {
  const short = { 8: '\\b', 9: '\\t', 10: '\\n', 12: '\\f', 13: '\\r', 34: '\\"', 92: '\\\\' }[code];
  if (short !== undefined) return Buffer.from(short);
  return code < 0x20 || code >= 0x7f ? Buffer.from(`\\u${code.toString(16).padStart(4, '0')}`) : undefined;
});
export const LONG_ESCAPE_BYTES = 6;

export function escaped(text: string): string {
  return Array.from(text, character => ESCAPES[character.codePointAt(0)!]?.toString() ?? character).join('');
}

/** The document without whitespace between its tokens. */
export function writeCompact(bytes: Buffer, start: number, end: number, position: number): number {
  let at = position;
  let isString = false;
  for (let p = start; p < end; p++) {
    const byte = bytes[p]!;
    if (byte === QUOTE) isString = !isString;
    else if (!isString && byte <= SPACE) continue;
    bytes[at++] = byte;
    if (byte === BACKSLASH) bytes[at++] = bytes[++p]!;
  }
  return at;
}
