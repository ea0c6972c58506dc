import { SluiceError } from '../../errors.ts';
import { runOfBlock } from '../block-ids.ts';
import type { BlobStore, ForeignBlocks } from '../sink.ts';

export interface ForeignBlocksStore extends Pick<BlobStore, 'head' | 'commitBlocks' | 'deleteBlob'> {
  /** Ids of the blocks of a blob that are staged and not committed. */
  uncommittedBlocks(blob: string): Promise<readonly string[]>;
  /** Whether the credentials may delete, as far as is known. */
  readonly mayDelete: boolean;
}

/**
 * Looks for blocks that another tool has staged on a name and never committed: while
 * there are any whose ids have another length than ours, none of ours can be staged.
 */
export async function findForeignBlocks(store: ForeignBlocksStore, blob: string): Promise<ForeignBlocks> {
  const ids = await store.uncommittedBlocks(blob);
  return ids.every(id => runOfBlock(id) !== '') ? 'none' : judgeForeignBlocks(store, blob);
}

/**
 * Drops such blocks, and only where no blob can be seen: what can be seen would have to
 * be written anew, which is not ours.
 * @throws SluiceError DESTINATION_CONFLICT where that cannot be done
 */
export async function dropForeignBlocks(store: ForeignBlocksStore, blob: string): Promise<void> {
  const judged = await judgeForeignBlocks(store, blob);
  if (judged !== 'to drop') throw judged;
  // An empty list of blocks drops those that are not in it.
  const emptied = await store.commitBlocks(blob, [], { condition: { ifAbsent: true }, properties: {} });
  const outcome = emptied.outcome === 'written' ? await store.deleteBlob(blob, emptied.etag) : 'changed';
  if (outcome !== 'deleted' && outcome !== 'absent') throw refused(blob, 'run again');
}

async function judgeForeignBlocks(store: ForeignBlocksStore, blob: string): Promise<'to drop' | SluiceError> {
  if ((await store.head(blob)) !== undefined) {
    return refused(
      blob,
      'upload the blob once more as it is, which drops them, or delete it, if its rows are not needed; or change fileName',
    );
  }
  if (store.mayDelete) return 'to drop';
  return refused(blob, 'give the credentials delete (d), so that Sluice drops them; or change fileName');
}

function refused(blob: string, remedy: string): SluiceError {
  const message = `another tool has staged blocks on ${blob} and not committed them, and their ids have another length`;
  const hint = `${remedy}; a week after the last of them was staged they are gone by themselves`;
  return new SluiceError('DESTINATION_CONFLICT', message, { stage: 'destination', hint });
}
