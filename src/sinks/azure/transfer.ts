import { addAbortSignal, Readable } from 'node:stream';
import type { ReportProgress } from './retry.ts';

/**
 * A body is handed over in pieces of this size, each of which shows that the line moves.
 * A slow line moves one well within the time that an attempt may stand still. Smaller
 * pieces cost processor time: 512 KiB add 6 % to an export as CSV.
 */
const PIECE_BYTES = 4 * 1024 * 1024;

/** The bytes in pieces, each told of as it is taken. */
export function bodyOf(bytes: Uint8Array, moving: ReportProgress): Readable {
  let at = 0;
  return new Readable({
    highWaterMark: PIECE_BYTES,
    read() {
      const end = Math.min(at + PIECE_BYTES, bytes.byteLength);
      this.push(at === end ? null : bytes.subarray(at, end));
      at = end;
      moving();
    },
  });
}

/** What comes, each chunk told of as it does. */
export async function received(
  stream: NodeJS.ReadableStream | undefined,
  signal: AbortSignal,
  moving: ReportProgress,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of addAbortSignal(signal, stream as Readable) as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    moving();
  }
  return Buffer.concat(chunks);
}
