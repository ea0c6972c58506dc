// The thread of digest-thread.ts. JavaScript, because Node loads a thread's file by
// itself, also while the other sources are run uncompiled.
import { createHash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';

/**
 * @type {Map<number, { md5: import('node:crypto').Hash, sha256:
 *   import('node:crypto').Hash }>}
 */
const files = new Map();

parentPort?.on(
  'message',
  /** @param {import('./digest-thread.ts').DigestRequest} request */ request => {
    const { id, file } = request;
    const open = files.get(file) ?? { md5: createHash('md5'), sha256: createHash('sha256') };
    files.set(file, open);
    if (request.what === 'update') {
      const bytes = new Uint8Array(request.buffer, 0, request.length);
      open.md5.update(bytes);
      open.sha256.update(bytes);
      parentPort?.postMessage({ id });
      return;
    }
    files.delete(file);
    if (request.what === 'finish') {
      parentPort?.postMessage({ id, md5: open.md5.digest(), sha256: open.sha256.digest() });
    }
  },
);
