// A thread of zstd-threads.ts. JavaScript, because Node loads a thread's file by itself,
// also while the other sources are run uncompiled.
import { parentPort } from 'node:worker_threads';
import { zstdCompressor } from '../../zstd.js';

parentPort?.on(
  'message',
  /** @param {import('./zstd-threads.ts').ZstdRequest} request */ async ({ id, plain, level }) => {
    try {
      const compress = await zstdCompressor(level);
      const frame = compress(plain);
      parentPort?.postMessage({ id, frame }, [/** @type {ArrayBuffer} */ (frame.buffer)]);
    } catch (cause) {
      parentPort?.postMessage({ id, failure: cause instanceof Error ? cause.message : String(cause) });
    }
  },
);
