import { readFileSync, statSync } from 'node:fs';

/** A file that is not such text as it should be, in words that follow its name. */
export class TextFileError extends Error {
  override readonly name = 'TextFileError';
}

export interface TextFileLimits {
  readonly maxBytes?: number;
}

/**
 * The text of a file that a person wrote, as editors of all systems write it: UTF-8, a
 * byte order mark at its begin left out. What the system refuses is thrown as it comes.
 */
export function readTextFile(
  path: string,
  { maxBytes = Number.POSITIVE_INFINITY }: TextFileLimits = {},
): string {
  if (statSync(path).size > maxBytes) throw new TextFileError(`is larger than ${maxBytes / 1024 / 1024}MiB`);
  return textOf(readFileSync(path));
}

function textOf(bytes: Buffer): string {
  // By its mark, or by the zero byte that every second one is in most languages.
  const isUtf16 = /^(?:fffe|feff|00..|..00)$/.test(bytes.toString('hex', 0, 2)) && bytes.length > 2;
  if (isUtf16) throw new TextFileError('is UTF-16 text, not UTF-8 text; save it as UTF-8');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new TextFileError('is not UTF-8 text', { cause });
  }
}
