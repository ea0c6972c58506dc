import type { BlobStore } from '../../src/sinks/sink.ts';

/** The store, with some of its methods replaced. */
export function storeWith(store: BlobStore, own: Partial<BlobStore>): BlobStore {
  return {
    stageBlock: (...args) => store.stageBlock(...args),
    putBlob: (...args) => store.putBlob(...args),
    head: name => store.head(name),
    getBlob: name => store.getBlob(name),
    deleteBlob: (...args) => store.deleteBlob(...args),
    commitBlocks: (...args) => store.commitBlocks(...args),
    ...own,
  };
}
