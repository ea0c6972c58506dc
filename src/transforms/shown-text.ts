/** No secret is longer. */
const SECRET_BYTES = 4 * 1024;

export interface ShownTextOptions {
  /** A longer value is cut, and ends with its size: `… (1048576 bytes)`. */
  readonly maxBytes: number;
  /**
   * Takes secrets out of values, before they are cut: a part of one could not be known
   * any more.
   */
  readonly clean: (text: string) => string;
}

/** The `length` bytes of a value at `at`, for people to look at. */
export function shownText(
  bytes: Buffer,
  at: number,
  length: number,
  { maxBytes, clean }: ShownTextOptions,
): string {
  if (length <= maxBytes) return bytes.toString('utf8', at, at + length);
  const end = at + Math.min(length, maxBytes + SECRET_BYTES);
  const cleaned = Buffer.from(clean(bytes.toString('utf8', at, end)));
  return `${cutText(cleaned, maxBytes)}… (${length} bytes)`;
}

/** No more bytes than that, and no character in part. */
function cutText(text: Buffer, maxBytes: number): string {
  let end = Math.min(text.length, maxBytes);
  while (end < text.length && (text[end]! & 0xc0) === 0x80) end--;
  return text.toString('utf8', 0, end);
}
