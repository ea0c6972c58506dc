import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Baseline } from '../baseline/baseline.ts';
import { BASELINE } from '../disk/data-directory.ts';
import { makeFolder, writeDurably } from '../disk/durable-file.ts';
import { syncFolder } from '../disk/sync-folder.ts';
import { exists, writing } from './state-io.ts';

const RESET_FILE = 'reset';

/**
 * Where a baseline is, whose owner has the lock of its activation.
 *
 * A baseline is replaced by renames, of which each leaves something that
 * `finishReplacement` continues from:
 *
 *   baseline.download   being put together; what a crash leaves of it is removed
 *   baseline.restored   complete and checked. From this rename on the replacement is decided
 *   baseline.replaced   the old one, kept until the new one is in its place
 */
export class BaselinePlace {
  /** The folder that the baseline is in. */
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  get baselinePath(): string {
    return join(this.path, BASELINE);
  }

  /** Where a baseline is put together that is to replace the present one. */
  get downloadPath(): string {
    return join(this.path, 'baseline.download');
  }

  async openBaseline(): Promise<Baseline> {
    // LevelDB would make it too, but a power cut could then take it away with all that
    // was applied to it.
    await writing('making the folder of the baseline', () => makeFolder(this.baselinePath));
    return Baseline.open(this.baselinePath);
  }

  /**
   * Puts what is at `downloadPath`, which must be complete, checked and on disk, in the
   * place of the baseline.
   */
  async replaceBaseline(): Promise<void> {
    await writing('replacing the baseline', async () => {
      await rename(this.downloadPath, this.#restoredPath);
      await syncFolder(this.path);
    });
    await this.finishReplacement();
  }

  /**
   * Removes the baseline, whether it can be opened or not. A crash leaves it whole or
   * gone.
   */
  async removeBaseline(): Promise<void> {
    await writing('replacing the baseline', async () => {
      if (!(await exists(this.baselinePath))) return;
      await rm(this.#replacedPath, { recursive: true, force: true });
      await rename(this.baselinePath, this.#replacedPath);
      await syncFolder(this.path);
      await rm(this.#replacedPath, { recursive: true, force: true });
    });
  }

  /**
   * That the destination knows a baseline, and this folder has none, is meant from now
   * on.
   */
  async noteReset(): Promise<void> {
    await writing('noting the reset', () => writeDurably(join(this.path, RESET_FILE), ''));
  }

  async wasReset(): Promise<boolean> {
    return exists(join(this.path, RESET_FILE));
  }

  /** There is a baseline again: should it be lost, that is not meant. */
  async forgetReset(): Promise<void> {
    await writing('forgetting a reset', () => rm(join(this.path, RESET_FILE), { force: true }));
  }

  /** Finishes or drops what a process that ended in between has left. */
  async finishReplacement(): Promise<void> {
    const replaced = this.#replacedPath;
    await writing('replacing the baseline', async () => {
      if (await exists(this.#restoredPath)) {
        // Absent where the crash came between the two renames: then the old one is aside
        // already, and stays there.
        if (await exists(this.baselinePath)) {
          await rm(replaced, { recursive: true, force: true });
          await rename(this.baselinePath, replaced);
        }
        await rename(this.#restoredPath, this.baselinePath);
        await syncFolder(this.path);
      }
      await rm(replaced, { recursive: true, force: true });
    });
    await rm(this.downloadPath, { recursive: true, force: true });
  }

  get #restoredPath(): string {
    return join(this.path, 'baseline.restored');
  }

  get #replacedPath(): string {
    return join(this.path, 'baseline.replaced');
  }
}
