import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { FileCompression } from '../config/format-kinds.ts';

/** The text of a compressed file. Rejects where the bytes are damaged or cut off. */
export function decompressed(
  bytes: AsyncIterable<Buffer>,
  compression: FileCompression | undefined,
): AsyncIterable<Buffer> {
  if (compression === undefined) return bytes;
  return compression === 'gzip' ? gunzipped(bytes) : zstdDecompressed(bytes);
}

/** An empty file is not a gzip file either. */
function gunzipped(bytes: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const gunzip = createGunzip();
  // The reader sees the failure of either where it reads.
  pipeline(bytes, gunzip, () => {});
  return gunzip;
}

/** By another program than the one that compressed it. */
async function* zstdDecompressed(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const { Decompress } = await import('fzstd');
  const ready: Buffer[] = [];
  const stream = new Decompress(text => void ready.push(Buffer.from(text)));
  let isEmpty = true;
  for await (const chunk of bytes) {
    isEmpty = false;
    stream.push(chunk);
    yield* ready.splice(0);
  }
  if (isEmpty) throw new Error('a zstd file has a frame at least');
  stream.push(new Uint8Array(0), true);
  yield* ready.splice(0);
}
