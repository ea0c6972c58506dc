import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import * as zlib from 'node:zlib';
import { SluiceError } from '../../errors.ts';
import { type Asking, LingeringThread } from '../../lingering-thread.ts';
import { limitOf } from '../../system-errors.ts';

interface Compressing {
  readonly plain: Uint8Array;
  readonly level: number;
}

type Compressed = { readonly frame: Uint8Array<ArrayBuffer> } | { readonly failure: string };

export type ZstdRequest = Asking<Compressing>;

/** What Node has from 22.15 on, on threads of libuv. */
interface ZstdOfNode {
  readonly constants: { readonly ZSTD_c_compressionLevel: number };
  zstdCompress(
    bytes: Uint8Array,
    options: { readonly params: Readonly<Record<number, number>> },
    callback: (error: Error | null, frame: Buffer) => void,
  ): void;
}

const threads = Array.from(
  { length: Math.min(3, availableParallelism()) },
  () =>
    new LingeringThread<Compressing, Compressed>({
      start: () => new Worker(new URL('./zstd-worker.js', import.meta.url), { execArgv: [] }),
      failure: failed,
    }),
);
let next = 0;

const ofNode = 'zstdCompress' in zlib ? (zlib as unknown as ZstdOfNode) : undefined;

/** Memory that `compressZstd` reads without a copy. */
export function allocateForZstd(bytes: number): Buffer {
  return ofNode ? Buffer.allocUnsafeSlow(bytes) : Buffer.from(new SharedArrayBuffer(bytes));
}

/** One frame of `plain`, which must not change until then. */
export async function compressZstd(plain: Buffer, level: number): Promise<Buffer> {
  if (ofNode) return compressOfNode(ofNode, plain, level);
  const thread = threads[next++ % threads.length]!;
  const letGo = thread.use();
  try {
    const answer = await thread.ask({ plain, level });
    if ('failure' in answer) {
      // What failed within WebAssembly cannot be used again.
      thread.stop(answer.failure);
      throw failed(answer.failure);
    }
    return Buffer.from(answer.frame.buffer);
  } finally {
    letGo();
  }
}

function compressOfNode(node: ZstdOfNode, plain: Buffer, level: number): Promise<Buffer> {
  const params = { [node.constants.ZSTD_c_compressionLevel]: level };
  return new Promise((resolve, reject) => {
    node.zstdCompress(plain, { params }, (error, frame) => (error ? reject(error) : resolve(frame)));
  });
}

function failed(cause: unknown = 'the thread ended'): SluiceError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const code = limitOf(cause) ?? 'INTERNAL';
  return new SluiceError(code, `compressing with zstd failed: ${why}`, { cause, stage: 'encoding' });
}
