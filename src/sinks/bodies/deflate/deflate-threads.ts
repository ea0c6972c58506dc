import { Worker } from 'node:worker_threads';
import { lazyModule } from '../../../wasm-module.ts';
import { type CompressionRequest, CompressionThreads } from '../compression-threads.ts';
import { DEFLATE_CODE } from './deflate-code.ts';
import { Deflater } from './deflater.js';

interface Compressing {
  readonly plain: Uint8Array;
  readonly before: Uint8Array;
  readonly level: number;
}

interface Compressed {
  /** Absent where it takes no less than the text. */
  readonly bytes: number | undefined;
}

export type DeflateRequest = CompressionRequest<Compressing>;

/** A shorter text takes less time than to start a thread. */
const THREAD_BYTES = 64 * 1024;

const deflateCode = lazyModule(DEFLATE_CODE);

const threads = new CompressionThreads<Compressing, Compressed>({
  name: 'gzip',
  start: () =>
    new Worker(new URL('./deflate-worker.js', import.meta.url), {
      execArgv: [],
      workerData: { code: deflateCode() },
    }),
});

/** The one of this thread. */
let deflater: Deflater | undefined;

/**
 * Compresses a piece of up to 256 KiB in its place, which must be shared memory.
 * @param before what the piece may refer to, up to 32 KiB
 * @returns what to append to a deflate stream, or nothing, with the text as it was, where
 *   it would be no shorter
 */
export async function deflateInPlace(
  plain: Buffer,
  before: Uint8Array,
  level: number,
): Promise<Buffer | undefined> {
  const { bytes } =
    plain.length < THREAD_BYTES
      ? compressHere({ plain, before, level })
      : await threads.compress({ plain, before, level });
  return bytes === undefined ? undefined : plain.subarray(0, bytes);
}

function compressHere({ plain, before, level }: Compressing): Compressed {
  deflater ??= new Deflater(deflateCode());
  return { bytes: deflater.compressInPlace(plain, before, level) };
}
