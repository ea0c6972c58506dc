import type { FileCompression } from './file-compression.ts';
import { GZIP_CHUNK_BYTES, GzipFile } from './gzip-file.ts';
import { ZSTD_CHUNK_BYTES, ZstdFile } from './zstd-file.ts';
import { allocateForZstd } from './zstd-threads.ts';

interface Compression {
  readonly chunkBytes: number;
  /** Memory for a chunk. */
  allocate(bytes: number): Buffer;
  /** An engine of `library` compresses with gzip by zlib; default `fast`. */
  open(level: number | undefined, engine?: 'fast' | 'library'): FileCompression;
}

/** Compressions of a file as a whole. */
export const COMPRESSIONS = {
  gzip: {
    chunkBytes: GZIP_CHUNK_BYTES,
    allocate: (bytes: number): Buffer => Buffer.from(new SharedArrayBuffer(bytes)),
    open: (level: number | undefined, engine: 'fast' | 'library' = 'fast') => new GzipFile(level, engine),
  },
  zstd: {
    chunkBytes: ZSTD_CHUNK_BYTES,
    allocate: allocateForZstd,
    open: (level: number | undefined) => new ZstdFile(level),
  },
} as const satisfies Record<string, Compression>;

export type CompressionName = keyof typeof COMPRESSIONS;
