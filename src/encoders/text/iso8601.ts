const SPACE = 0x20;
const PLUS = 0x2b;
const LETTER_T = 0x54;
const LETTER_Z = 0x5a;

/**
 * `2020-01-01 00:00:00.5+00` to `2020-01-01T00:00:00.5Z` (ISO 8601, RFC 3339). What has
 * no such form stays as PostgreSQL writes it: infinity, and the ` BC` behind years before
 * 1. Never longer than what it is made of.
 */
export function writeIso8601(
  from: Uint8Array,
  start: number,
  end: number,
  to: Uint8Array,
  position: number,
): number {
  let at = position;
  let p = start;
  while (p < end && from[p] !== SPACE) to[at++] = from[p++]!;
  if (p === end) return at;
  to[at++] = LETTER_T;
  p++;
  while (p < end && from[p] !== PLUS) to[at++] = from[p++]!;
  if (p === end) return at;
  to[at++] = LETTER_Z;
  // The session's time zone is UTC: the offset is always +00.
  p += 3;
  while (p < end) to[at++] = from[p++]!;
  return at;
}
