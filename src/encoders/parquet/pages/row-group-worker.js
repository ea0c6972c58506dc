// The thread of row-group-writer.ts. JavaScript, because Node loads a thread's file by
// itself, also while the other sources are run uncompiled.
import { parentPort, workerData } from 'node:worker_threads';
import { PageEncoder } from './page-encoder.js';

/** @import { Asking } from '../../../lingering-thread.ts' */
/** @import { RowGroupRequest } from './row-group-writer.ts' */

const encoder = new PageEncoder(workerData.code);

parentPort?.on(
  'message',
  /** @param {Asking<RowGroupRequest>} request */ async request => {
    const { id, crates } = request;
    try {
      const { bytes, chunks } = await encoder.encode(request);
      parentPort?.postMessage({ id, crates, bytes, chunks }, [...crates, bytes.buffer]);
    } catch (cause) {
      const failure = cause instanceof Error ? cause.message : String(cause);
      parentPort?.postMessage({ id, crates, failure }, crates);
    }
  },
);
