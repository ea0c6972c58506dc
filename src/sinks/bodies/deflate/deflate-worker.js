// A thread of deflate-threads.ts. JavaScript, because Node loads a thread's file by
// itself, also while the other sources are run uncompiled.
import { parentPort, workerData } from 'node:worker_threads';
import { Deflater } from './deflater.js';

const deflater = new Deflater(workerData.code);

parentPort?.on(
  'message',
  /** @param {import('./deflate-threads.ts').DeflateRequest} request */ ({ id, plain, before, level }) => {
    try {
      parentPort?.postMessage({ id, bytes: deflater.compressInPlace(plain, before, level) });
    } catch (cause) {
      parentPort?.postMessage({ id, failure: cause instanceof Error ? cause.message : String(cause) });
    }
  },
);
