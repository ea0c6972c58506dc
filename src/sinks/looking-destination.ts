import type { Destination } from './sink.ts';

/**
 * A destination for a plan: everything can be looked at, what would be staged is dropped,
 * and nothing else can be written.
 */
export function lookingDestination(there: Destination): Destination {
  const refuse = (): Promise<never> => Promise.reject(new TypeError('a plan writes nothing'));
  return {
    get patienceMs() {
      return there.patienceMs;
    },
    set patienceMs(patienceMs) {
      there.patienceMs = patienceMs;
    },
    refusesCrc64: false,
    stageBlock: async (_blob, _blockId, _bytes, options) => options?.signal?.throwIfAborted(),
    commitBlocks: refuse,
    putBlob: refuse,
    deleteBlob: refuse,
    checkAccess: () => there.checkAccess(),
    head: blob => there.head(blob),
    getBlob: blob => there.getBlob(blob),
    getBlocks: blob => there.getBlocks(blob),
    readBlob: (blob, described) => there.readBlob(blob, described),
    listBlobs: prefix => there.listBlobs(prefix),
    findForeignBlocks: blob => there.findForeignBlocks(blob),
    reviewCredentials: use => there.reviewCredentials(use),
    serviceTime: here => there.serviceTime(here),
  };
}
