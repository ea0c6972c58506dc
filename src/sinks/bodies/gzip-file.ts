import { constants, crc32, deflateRaw, type ZlibOptions } from 'node:zlib';
import type { FileCompression } from './file-compression.ts';
import { deflatedBytesBound, plainBytesWithin, storedBlocks } from './stored-deflate.ts';

/** See `ChunkPool`. */
export const GZIP_CHUNK_BYTES = 256 * 1024;

/**
 * RFC 1952: deflate, no name, no time, unknown system. The same rows give the same bytes.
 */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
/** A last deflate block without contents. */
const LAST_BLOCK = Buffer.from([0x03, 0x00]);
const TAIL_BYTES = LAST_BLOCK.length + 8;
/** How far back deflate may refer. */
const WINDOW_BYTES = 32 * 1024;

/**
 * One gzip member, made as pigz makes it: each piece is compressed on its own, with the
 * end of the preceding text as its dictionary, and the results are joined. What follows
 * the end is a second member: members that follow each other are one text (RFC 1952,
 * 2.2).
 */
export class GzipFile implements FileCompression {
  readonly head = HEADER;
  readonly tailBytes = TAIL_BYTES;
  readonly #options: ZlibOptions;
  readonly #window = Buffer.allocUnsafe(WINDOW_BYTES);
  #windowBytes = 0;
  #crc = 0;
  #plainBytes = 0;

  /** `level` is 1 to 9; default 6. */
  constructor(level: number | undefined) {
    this.#options = {
      level: level ?? constants.Z_DEFAULT_COMPRESSION,
      // The output ends at a byte, with nothing held back: what the next piece gives is
      // appended to it.
      finishFlush: constants.Z_SYNC_FLUSH,
      chunkSize: GZIP_CHUNK_BYTES / 2,
    };
  }

  async compress(plain: Buffer): Promise<Buffer> {
    this.#crc = crc32(plain, this.#crc);
    this.#plainBytes += plain.length;
    // It is copied before the window moves on.
    const dictionary = this.#window.subarray(0, this.#windowBytes);
    const options = dictionary.length > 0 ? { ...this.#options, dictionary } : this.#options;
    const compressing = new Promise<Buffer>((resolve, reject) => {
      deflateRaw(plain, options, (error, compressed) => (error ? reject(error) : resolve(compressed)));
    });
    this.#remember(plain);
    const compressed = await compressing;
    return compressed.length <= deflatedBytesBound(plain.length) ? compressed : storedBlocks(plain);
  }

  tail(): Buffer {
    return memberTail(this.#crc, this.#plainBytes);
  }

  bound(plainBytes: number): number {
    return deflatedBytesBound(plainBytes);
  }

  plainBytesWithin(bytes: number): number {
    return plainBytesWithin(bytes);
  }

  apart(plain: Buffer): Buffer {
    return Buffer.concat([HEADER, storedBlocks(plain), memberTail(crc32(plain), plain.length)]);
  }

  apartBound(plainBytes: number): number {
    return HEADER.length + deflatedBytesBound(plainBytes) + TAIL_BYTES;
  }

  /** Keeps the end of the text as the dictionary of the next piece. */
  #remember(plain: Buffer): void {
    const window = this.#window;
    const added = Math.min(plain.length, WINDOW_BYTES);
    const kept = Math.min(this.#windowBytes, WINDOW_BYTES - added);
    window.copyWithin(0, this.#windowBytes - kept, this.#windowBytes);
    plain.copy(window, kept, plain.length - added);
    this.#windowBytes = kept + added;
  }
}

/** What follows the deflated text of a member: its end, its checksum and its length. */
function memberTail(crc: number, plainBytes: number): Buffer {
  const sums = Buffer.allocUnsafe(8);
  sums.writeUInt32LE(crc, 0);
  sums.writeUInt32LE(plainBytes % 2 ** 32, 4);
  return Buffer.concat([LAST_BLOCK, sums]);
}
