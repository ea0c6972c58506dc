/** Texts of XML as bytes. */

/** What stands for a character that XML 1.0 cannot hold. */
const REPLACEMENT = Buffer.from('\ufffd');
/**
 * `>` for `]]>`; the carriage return because a parser makes line feeds of those that it
 * meets as such.
 */
const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#13;' };
export const LONGEST_ESCAPE_BYTES = 5;

/** By code of ASCII. */
export const ESCAPES: readonly (Buffer | undefined)[] = Array.from({ length: 0x80 }, (_, code) => {
  const entity = ENTITIES[String.fromCharCode(code)];
  if (entity !== undefined) return Buffer.from(entity);
  return code < 0x20 && code !== 0x09 && code !== 0x0a ? REPLACEMENT : undefined;
});

/** Whether XML cannot hold the character, so that something else is written for it. */
export function isCoerced(code: number): boolean {
  return ESCAPES[code] === REPLACEMENT;
}
