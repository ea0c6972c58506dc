// The thread of checksum-thread.ts. JavaScript, because Node loads a thread's file by
// itself, also while the other sources are run uncompiled.
import { parentPort, workerData } from 'node:worker_threads';
import { Crc64 } from './crc64.js';
import { RunningChecksums } from './running-checksums.js';

const crc64 = new Crc64(workerData.code);
/** @type {Map<number, RunningChecksums>} */
const files = new Map();

parentPort?.on(
  'message',
  /** @param {import('./checksum-thread.ts').ChecksumRequest} request */ request => {
    const { id, file } = request;
    if (request.what === 'open') {
      files.set(file, new RunningChecksums(request.names, crc64));
      return;
    }
    const open = /** @type {RunningChecksums} */ (files.get(file));
    if (request.what === 'update') {
      const blockCrc64 = open.update(new Uint8Array(request.buffer, 0, request.length));
      parentPort?.postMessage({ id, blockCrc64 });
      return;
    }
    files.delete(file);
    if (request.what === 'finish') parentPort?.postMessage({ id, checksums: open.finish() });
  },
);
