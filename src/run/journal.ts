import { mkdir, open, readdir, readFile, rename, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError } from '../errors.ts';
import { RUN_ID } from './run-id.ts';
import { syncFolder } from './sync-folder.ts';

/**
 * The disk, as the commit protocol sees it: one folder for each run that is under way. A written document is durable,
 * whole or absent, when `write` has resolved.
 */
export interface Journal {
  /** Ids of the runs that have a folder, oldest first. */
  list(): Promise<string[]>;
  create(run: string): Promise<void>;
  write(run: string, document: DocumentName, content: unknown): Promise<void>;
  /** `undefined` where it was never written. */
  read(run: string, document: DocumentName): Promise<unknown>;
  /** Where a file of the run lies: its delta log, its spill. */
  path(run: string, file: string): string;
  /** The decision goes first and durably: a crash leaves all of the folder, or what is left of a run without a decision. */
  remove(run: string): Promise<void>;
}

/** `intent`: a run has begun. `commit`: it is decided, and must be finished whatever happens. */
export type DocumentName = 'intent.json' | 'commit.json';

/** A journal in a folder of the local file system. */
export class DiskJournal implements Journal {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async list(): Promise<string[]> {
    const names = await writing(async () => {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      return readdir(this.#directory);
    });
    return names.filter(name => RUN_ID.test(name)).sort();
  }

  async create(run: string): Promise<void> {
    await writing(async () => {
      await mkdir(join(this.#directory, run), { recursive: true, mode: 0o700 });
      await syncFolder(this.#directory);
    });
  }

  async write(run: string, document: DocumentName, content: unknown): Promise<void> {
    const folder = join(this.#directory, run);
    const path = join(folder, document);
    await writing(async () => {
      const file = await open(`${path}.tmp`, 'w', 0o600);
      try {
        await file.writeFile(JSON.stringify(content));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(`${path}.tmp`, path);
      await syncFolder(folder);
    });
  }

  async read(run: string, document: DocumentName): Promise<unknown> {
    const path = this.path(run, document);
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new SluiceError('STATE_DAMAGED', `${path} cannot be read: ${(error as Error).message}`, {
        cause: error,
        stage: 'state',
      });
    }
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new SluiceError('STATE_DAMAGED', `${path} is not JSON`, { cause, stage: 'state' });
    }
  }

  path(run: string, file: string): string {
    return join(this.#directory, run, file);
  }

  async remove(run: string): Promise<void> {
    const folder = join(this.#directory, run);
    await writing(async () => {
      // Without its decision the rest is taken for a run that never was decided. With its decision and without its
      // delta log a run could be published again and never applied.
      if (await removed(join(folder, 'commit.json'))) await syncFolder(folder);
      await rm(folder, { recursive: true, force: true });
    });
  }
}

/** Whether there was something to remove. */
async function removed(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

async function writing<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    const message = `the data directory cannot be written: ${(cause as Error).message}`;
    throw new SluiceError('STATE_WRITE_FAILED', message, { cause, stage: 'state' });
  }
}
