import { constants, crc32, deflateRaw } from 'node:zlib';
import { deflateInPlace } from './deflate/deflate-threads.ts';
import type { FileCompression } from './file-compression.ts';
import { deflatedBytesBound, MAX_STORED_BYTES, plainBytesWithin, storedBlocks } from './stored-deflate.ts';

/** See `ChunkPool`. Whole stored blocks, so that pieces have the bound of their sum. */
export const GZIP_CHUNK_BYTES = 4 * MAX_STORED_BYTES;
const DEFAULT_LEVEL = 6;

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
 * end of the preceding text before it, and the results are joined. What follows
 * the end is a second member: members that follow each other are one text (RFC 1952,
 * 2.2).
 */
export class GzipFile implements FileCompression {
  readonly head = HEADER;
  readonly tailBytes = TAIL_BYTES;
  readonly #level: number;
  readonly #byZlib: boolean;
  readonly #window = Buffer.allocUnsafe(WINDOW_BYTES);
  #windowBytes = 0;
  #crc = 0;
  #plainBytes = 0;

  /**
   * `level` is 1 to 9; default 6.
   * @param engine `fast` compresses with assembly/deflate.ts, `library` with zlib
   */
  constructor(level: number | undefined, engine: 'fast' | 'library') {
    this.#level = level ?? DEFAULT_LEVEL;
    this.#byZlib = engine === 'library';
  }

  async compress(plain: Buffer): Promise<Buffer> {
    // Node's checksum of no bytes forgets what came before.
    if (plain.length === 0) return plain;
    this.#crc = crc32(plain, this.#crc);
    this.#plainBytes += plain.length;
    const pieces: Promise<Buffer>[] = [];
    for (let at = 0; at < plain.length; at += GZIP_CHUNK_BYTES) {
      pieces.push(this.#compressPiece(plain.subarray(at, at + GZIP_CHUNK_BYTES)));
    }
    const compressed = await Promise.all(pieces);
    return compressed.length === 1 ? compressed[0]! : Buffer.concat(compressed);
  }

  async #compressPiece(plain: Buffer): Promise<Buffer> {
    const before = Buffer.from(this.#window.subarray(0, this.#windowBytes));
    // Before the text makes room for what it compresses to.
    this.#remember(plain);
    const deflate = this.#byZlib ? deflateByZlib : deflateInPlace;
    const compressed = await deflate(plain, before, this.#level);
    return compressed && compressed.length <= plain.length ? compressed : storedBlocks(plain);
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

function deflateByZlib(plain: Buffer, before: Buffer, level: number): Promise<Buffer> {
  const options = {
    level,
    // The output ends at a byte, with nothing held back: what the next piece gives is
    // appended to it.
    finishFlush: constants.Z_SYNC_FLUSH,
    chunkSize: GZIP_CHUNK_BYTES / 2,
    ...(before.length > 0 && { dictionary: before }),
  };
  return new Promise((resolve, reject) => {
    deflateRaw(plain, options, (error, compressed) => (error ? reject(error) : resolve(compressed)));
  });
}

/** What follows the deflated text of a member: its end, its checksum and its length. */
function memberTail(crc: number, plainBytes: number): Buffer {
  const sums = Buffer.allocUnsafe(8);
  sums.writeUInt32LE(crc, 0);
  sums.writeUInt32LE(plainBytes % 2 ** 32, 4);
  return Buffer.concat([LAST_BLOCK, sums]);
}
