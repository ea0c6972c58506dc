import type { FileCompression } from './file-compression.ts';
import { rawFrame, rawFrameBytes, rawFrameBytesWithin } from './raw-zstd-frame.ts';
import { compressZstd } from './zstd-threads.ts';

/** See `ChunkPool`. Each is a frame, and twice as much makes a file hardly smaller. */
export const ZSTD_CHUNK_BYTES = 512 * 1024;

const DEFAULT_LEVEL = 3;
const NOTHING = Buffer.alloc(0);

/**
 * Each piece of the text is a frame of its own: frames that follow each other are one
 * text (RFC 8878, 3). A text of no bytes is one frame too, so that it can be told from no
 * file.
 */
export class ZstdFile implements FileCompression {
  readonly head = NOTHING;
  readonly tailBytes = rawFrameBytes(0);
  readonly #level: number;
  #isEmpty = true;

  /** `level` is 1 to 19; default 3. */
  constructor(level: number | undefined) {
    this.#level = level ?? DEFAULT_LEVEL;
  }

  async compress(plain: Buffer): Promise<Buffer> {
    if (plain.length === 0) return NOTHING;
    this.#isEmpty = false;
    const compressed = await compressZstd(plain, this.#level);
    return compressed.length <= this.bound(plain.length) ? compressed : rawFrame(plain);
  }

  tail(): Buffer {
    return this.#isEmpty ? rawFrame(NOTHING) : NOTHING;
  }

  bound(plainBytes: number): number {
    return plainBytes === 0 ? 0 : rawFrameBytes(plainBytes);
  }

  plainBytesWithin(bytes: number): number {
    return rawFrameBytesWithin(bytes);
  }

  apart(plain: Buffer): Buffer {
    return rawFrame(plain);
  }

  apartBound(plainBytes: number): number {
    return rawFrameBytes(plainBytes);
  }
}
