import { Worker } from 'node:worker_threads';
import * as zlib from 'node:zlib';
import { type CompressionRequest, CompressionThreads } from './compression-threads.ts';

interface Compressing {
  readonly plain: Uint8Array;
  readonly level: number;
}

export type ZstdRequest = CompressionRequest<Compressing>;

/** What Node has from 22.15 on, on threads of libuv. */
interface ZstdOfNode {
  readonly constants: { readonly ZSTD_c_compressionLevel: number };
  zstdCompress(
    bytes: Uint8Array,
    options: { readonly params: Readonly<Record<number, number>> },
    callback: (error: Error | null, frame: Buffer) => void,
  ): void;
}

const threads = new CompressionThreads<Compressing, { readonly frame: Uint8Array<ArrayBuffer> }>({
  name: 'zstd',
  start: () => new Worker(new URL('./zstd-worker.js', import.meta.url), { execArgv: [] }),
});

const ofNode = 'zstdCompress' in zlib ? (zlib as unknown as ZstdOfNode) : undefined;

/** Memory that `compressZstd` reads without a copy. */
export function allocateForZstd(bytes: number): Buffer {
  return ofNode ? Buffer.allocUnsafeSlow(bytes) : Buffer.from(new SharedArrayBuffer(bytes));
}

/** One frame of `plain`, which must not change until then. */
export async function compressZstd(plain: Buffer, level: number): Promise<Buffer> {
  if (ofNode) return compressOfNode(ofNode, plain, level);
  const { frame } = await threads.compress({ plain, level });
  return Buffer.from(frame.buffer);
}

function compressOfNode(node: ZstdOfNode, plain: Buffer, level: number): Promise<Buffer> {
  const params = { [node.constants.ZSTD_c_compressionLevel]: level };
  return new Promise((resolve, reject) => {
    node.zstdCompress(plain, { params }, (error, frame) => (error ? reject(error) : resolve(frame)));
  });
}
