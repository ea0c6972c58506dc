import type { BaselineState } from '../../baseline/baseline.ts';
import type { ResolvedActivation } from '../../config/activation.ts';
import { SluiceError } from '../../errors.ts';
import type { Manifest } from '../../publish/manifest.ts';
import type { BlobStore } from '../../sinks/sink.ts';
import { backupPrefix } from '../../state/back-up-state.ts';
import { latestBackup } from '../../state/backup-files.ts';
import type { Backup } from './plan-baseline.ts';

export interface BackupRequest {
  readonly activation: ResolvedActivation;
  readonly local: BaselineState | undefined;
  readonly latest: Manifest | undefined;
  readonly store: Pick<BlobStore, 'getBlob'>;
}

/**
 * The latest backup in the container, looked for only where the local state is behind
 * what was published.
 */
export async function backupThatMayHelp({
  activation,
  local,
  latest,
  store,
}: BackupRequest): Promise<Backup | undefined> {
  const isBehind = latest !== undefined && latest.generation > (local?.generation ?? 0);
  if (activation.runType !== 'full_then_delta' || !isBehind) return undefined;
  try {
    return await latestBackup(store, backupPrefix(activation));
  } catch (error) {
    // One that cannot be read is of no help; a store that fails is said by whatever comes
    // next.
    if (error instanceof SluiceError) return undefined;
    throw error;
  }
}
