import { gunzipSync } from 'node:zlib';
import { decompress } from 'fzstd';

/** The text of a file whose configuration has this `compression`. */
export function uncompressed(bytes: Buffer, compression: unknown): Buffer {
  if (compression === 'gzip') return gunzipSync(bytes);
  if (compression !== 'zstd') return bytes;
  // A program that reads frames finds none here, and this reader says nothing of it.
  if (bytes.length === 0) throw new Error('no frame');
  return Buffer.from(decompress(bytes));
}
