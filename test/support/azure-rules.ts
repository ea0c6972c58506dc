import { azureError, type BlobAction, type BlobHook, type BlobRequest } from './blob-proxy.ts';

export interface AzureLimits {
  /** Azure: 50,000. */
  readonly committedBlocks?: number;
  /** Azure: 100,000. */
  readonly uncommittedBlocks?: number;
  /** What time it is for the expiry of a SAS. */
  readonly now?: () => Date;
}

interface Staged {
  readonly ids: Set<string>;
  /** Blocks that Azure has discarded and the emulator still has. */
  readonly discarded: Set<string>;
}

/**
 * A hook for blob-proxy.ts with the rules of Azure Storage that the emulator does not
 * have: no empty block, ids of one length, limits on blocks, staged blocks gone after Put
 * Blob, Delete Blob and a commit that leaves them out, and the error of an expired SAS.
 * Limits can be set low, so that a test need not stage a hundred thousand blocks.
 */
export function azureRules(limits: AzureLimits = {}): BlobHook {
  const { committedBlocks = 50_000, uncommittedBlocks = 100_000, now = () => new Date() } = limits;
  const blobs = new Map<string, Staged>();

  const stagedOf = (request: BlobRequest) => {
    const name = `${request.container}/${request.blob}`;
    let staged = blobs.get(name);
    if (!staged) {
      staged = { ids: new Set(), discarded: new Set() };
      blobs.set(name, staged);
    }
    return staged;
  };

  function stage(request: BlobRequest): BlobAction {
    const staged = stagedOf(request);
    const id = request.query.get('blockid') ?? '';
    if (request.headers['content-length'] === '0') return azureError(400, 'InvalidHeaderValue');
    const [other = id] = staged.ids;
    if (other.length !== id.length) return azureError(400, 'InvalidBlobOrBlock');
    if (!staged.ids.has(id) && staged.ids.size >= uncommittedBlocks)
      return azureError(409, 'BlockCountExceedsLimit');
    whenDone(request, () => {
      staged.ids.add(id);
      staged.discarded.delete(id);
    });
    return undefined;
  }

  async function commit(request: BlobRequest): Promise<BlobAction> {
    const staged = stagedOf(request);
    const entries = [
      ...(await request.body()).toString().matchAll(/<(Latest|Uncommitted|Committed)>([^<]*)</g),
    ];
    if (entries.length > committedBlocks) return azureError(400, 'BlockListTooLong');
    const gone = entries.some(([, kind, id = '']) => kind !== 'Committed' && staged.discarded.has(id));
    if (gone) return azureError(400, 'InvalidBlockList');
    const listed = new Set(entries.map(([, , id = '']) => id));
    whenDone(request, () => discard(staged, id => !listed.has(id)));
    return undefined;
  }

  return request => {
    const expiry = request.query.get('se');
    if (expiry !== null && new Date(expiry) <= now()) return azureError(403, 'AuthenticationFailed');
    if (request.blob === undefined) return undefined;
    if (request.method === 'PUT' && request.comp === 'block') return stage(request);
    if (request.method === 'PUT' && request.comp === 'blocklist') return commit(request);
    const replaces = request.comp === undefined && ['PUT', 'DELETE'].includes(request.method);
    if (replaces) whenDone(request, () => discard(stagedOf(request), () => true));
    return undefined;
  };
}

/**
 * Ends the staging of all blocks of a blob; those that `isDropped` are no longer there to
 * commit.
 */
function discard(staged: Staged, isDropped: (id: string) => boolean): void {
  for (const id of staged.ids) if (isDropped(id)) staged.discarded.add(id);
  staged.ids.clear();
}

/** A request that failed or never got there changes nothing. */
function whenDone(request: BlobRequest, change: () => void): void {
  void request.outcome.then(status => {
    if (status !== undefined && status < 300) change();
  });
}
