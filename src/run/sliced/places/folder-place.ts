import { randomUUID } from 'node:crypto';
import { type FileHandle, link, open, readFile, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { makeFolder, writeDurably } from '../../../disk/durable-file.ts';
import { syncFolder } from '../../../disk/sync-folder.ts';
import { SluiceError } from '../../../errors.ts';
import { readError, stateError } from '../../../system-errors.ts';
import { PLAN, type PlanPlace } from './plan-place.ts';

/** What file systems without links answer, as some that are shared over a network. */
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/**
 * A file for the plan, and the folder `PLAN.slices` beside it for the rest. Several
 * machines share them where the file system is shared.
 */
export class FolderPlace implements PlanPlace {
  readonly plan: string;
  readonly #path: string;

  /** @param plan as it is named elsewhere than by its path */
  constructor(path: string, plan = resolve(path)) {
    this.plan = plan;
    this.#path = resolve(path);
  }

  nameOf(document: string): string {
    return document === PLAN ? this.#path : join(`${this.#path}.slices`, document);
  }

  async read(document: string): Promise<string | undefined> {
    const path = this.nameOf(document);
    try {
      return await readFile(path, 'utf8');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw readError(
        cause,
        `${path} cannot be read`,
        () => new SluiceError('STATE_DAMAGED', `${path} cannot be read`, { cause, stage: 'state' }),
      );
    }
  }

  create(document: string, text: string): Promise<boolean> {
    const path = this.nameOf(document);
    return this.#writing(path, async () => {
      const temporary = `${path}.${randomUUID()}.tmp`;
      try {
        await writeDurably(temporary, text);
        await link(temporary, path);
        await syncFolder(dirname(path));
        return true;
      } catch (error) {
        const { code = '' } = error as NodeJS.ErrnoException;
        if (code === 'EEXIST') return false;
        if (NO_LINKS.has(code)) return openNew(path, text);
        throw error;
      } finally {
        await rm(temporary, { force: true });
      }
    });
  }

  async replace(document: string, text: string): Promise<void> {
    const path = this.nameOf(document);
    await this.#writing(path, () => writeDurably(path, text, { temporary: `${path}.${randomUUID()}.tmp` }));
  }

  async #writing<T>(path: string, act: () => Promise<T>): Promise<T> {
    try {
      await makeFolder(dirname(path));
      return await act();
    } catch (cause) {
      throw stateError(cause, `writing beside the plan ${this.plan} failed`);
    }
  }
}

async function openNew(path: string, text: string): Promise<boolean> {
  let file: FileHandle;
  try {
    file = await open(path, 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  try {
    await file.writeFile(text);
    await file.sync();
    return true;
  } finally {
    await file.close();
  }
}
