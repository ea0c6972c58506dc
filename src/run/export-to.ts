import { join } from 'node:path';
import type { ResolvedActivation } from '../config/activation.ts';
import { STORE_FOLDER } from '../disk/data-directory.ts';

/**
 * The activation as an export of every row into a local folder. It neither reads nor
 * moves the baseline: what it has to remember lies in that folder. `folder` is absolute.
 */
export function exportTo(activation: ResolvedActivation, folder: string): ResolvedActivation {
  const { syncMode, ifExists, proxies, warnings } = activation;
  const { removedRowsOverRatio: _, ...otherWarnings } = warnings;
  return {
    ...activation,
    to: folder,
    destination: { type: 'folder', name: folder, path: folder, folder: '', proxies },
    dataDirectory: join(folder, STORE_FOLDER, 'state'),
    runType: 'full_only',
    // There is no state to take a difference against, and no file to continue.
    syncMode: syncMode === 'difference' ? 'snapshot' : syncMode,
    ifExists: ifExists === 'append' ? 'overwrite' : ifExists,
    changeDetection: 'full',
    warnings: otherWarnings,
  };
}
