/** Texts of XML as bytes. */

/** What bytes of a text call for, to be or-ed over a text. */
export const ESCAPE = 1;
export const BEYOND_ASCII = 2;
/** A control character, which XML 1.0 cannot hold. */
export const CONTROL = 4;
/** May begin U+FFFE or U+FFFF, which XML 1.0 cannot hold either. */
export const MAYBE_NONCHARACTER = 8;
export const REWRITTEN = ESCAPE | CONTROL | MAYBE_NONCHARACTER;

/** U+FFFD as UTF-8; U+FFFE and U+FFFF differ in the third byte. */
const REPLACEMENT = Buffer.from('\ufffd');
const LEAD = REPLACEMENT[0]!;
const SECOND = REPLACEMENT[1]!;
const THIRD = REPLACEMENT[2]!;

/** `>` for `]]>`; the carriage return because a parser makes line feeds of those that it meets as such. */
const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#13;' };
export const LONGEST_ENTITY_BYTES = 5;

const REPLACED: readonly (Buffer | undefined)[] = Array.from({ length: 0x80 }, (_, code) => {
  const entity = ENTITIES[String.fromCharCode(code)];
  if (entity !== undefined) return Buffer.from(entity);
  return code < 0x20 && code !== 0x09 && code !== 0x0a ? REPLACEMENT : undefined;
});
const GROWTH = Uint8Array.from({ length: 256 }, (_, byte) => (REPLACED[byte]?.length ?? 1) - 1);
export const TEXT_FLAGS = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte >= 0x80) return byte === LEAD ? BEYOND_ASCII | MAYBE_NONCHARACTER : BEYOND_ASCII;
  if (REPLACED[byte] === undefined) return 0;
  return REPLACED[byte] === REPLACEMENT ? CONTROL : ESCAPE;
});

/** Text that is UTF-8, with its entities, and U+FFFD for what XML cannot hold. */
export function writeXmlText(from: Buffer, start: number, end: number, to: Buffer, position: number): number {
  let at = position;
  for (let p = start; p < end; p++) {
    const byte = from[p]!;
    if (isNoncharacter(from, p)) {
      to[at++] = LEAD;
      to[at++] = SECOND;
      to[at++] = THIRD;
      p += 2;
      continue;
    }
    const replaced = REPLACED[byte];
    if (replaced === undefined) to[at++] = byte;
    else for (let i = 0; i < replaced.length; i++) to[at++] = replaced[i]!;
  }
  return at;
}

export function xmlTextBytes(from: Buffer, start: number, end: number): number {
  let bytes = end - start;
  for (let p = start; p < end; p++) bytes += GROWTH[from[p]!]!;
  return bytes;
}

export function holdsNoncharacter(from: Buffer, start: number, end: number): boolean {
  for (let p = start; p < end; p++) if (isNoncharacter(from, p)) return true;
  return false;
}

function isNoncharacter(from: Buffer, p: number): boolean {
  return from[p] === LEAD && from[p + 1] === SECOND && from[p + 2]! > THIRD;
}
