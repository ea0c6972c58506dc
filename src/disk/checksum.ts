import { crc32 } from 'node:zlib';

/** The object with a checksum of its own JSON, as its last field `crc`. */
export function withChecksum(content: object): object {
  return { ...content, crc: crc32(JSON.stringify(content)) };
}

/**
 * What was given to `withChecksum`; `undefined` where it has changed since. Older
 * versions wrote no checksum.
 */
export function withoutChecksum(kept: object): object | undefined {
  const { crc, ...content } = kept as { readonly crc?: unknown };
  return crc === undefined || crc === crc32(JSON.stringify(content)) ? content : undefined;
}
