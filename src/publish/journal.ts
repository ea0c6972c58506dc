import { createHash } from 'node:crypto';
import { readdir, readFile, rm, unlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { makeFolder, writeDurably } from '../disk/durable-file.ts';
import { syncFolder } from '../disk/sync-folder.ts';
import { SluiceError } from '../errors.ts';
import { RUN_ID } from '../history/run-id.ts';
import { readError, stateError } from '../system-errors.ts';

/**
 * The disk, as the commit protocol sees it: one folder for each run that is under way. A
 * written document is durable, whole or absent, when `write` has resolved.
 */
export interface Journal {
  /** Ids of the runs that have a folder, oldest first. */
  list(): Promise<string[]>;
  create(run: string): Promise<void>;
  write(run: string, document: DocumentName, content: unknown): Promise<void>;
  /**
   * `undefined` where it was never written. Rejects with STATE_DAMAGED where it is not
   * what was written.
   */
  read(run: string, document: DocumentName): Promise<unknown>;
  /** Where a file of the run lies: its delta log, its spill. */
  path(run: string, file: string): string;
  /**
   * The decision goes first and durably: a crash leaves all of the folder, or what is
   * left of a run without a decision.
   */
  remove(run: string): Promise<void>;
}

/**
 * `intent`: a run has begun. `commit`: it is decided, and must be finished whatever
 * happens. `published`: all its files were seen in place, where no manifest says so.
 */
export type DocumentName = 'intent.json' | 'commit.json' | 'published.json';

/**
 * What a document is on disk: one that is acted upon must be known to be what was
 * written.
 */
interface Sealed {
  readonly sha256: string;
  readonly content: unknown;
}

/** A journal in a folder of the local file system. */
export class DiskJournal implements Journal {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async list(): Promise<string[]> {
    const names = await writing(async () => {
      await makeFolder(this.#directory);
      return readdir(this.#directory);
    });
    return names.filter(name => RUN_ID.test(name)).sort();
  }

  async create(run: string): Promise<void> {
    await writing(() => makeFolder(join(this.#directory, run)));
  }

  async write(run: string, document: DocumentName, content: unknown): Promise<void> {
    const text = JSON.stringify(content);
    const sealed = `{"sha256":"${digestOf(text)}","content":${text}}\n`;
    await writing(() => writeDurably(this.path(run, document), sealed));
  }

  async read(run: string, document: DocumentName): Promise<unknown> {
    const path = this.path(run, document);
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw readError(error, `${path} cannot be read`, () =>
        damaged(path, `cannot be read: ${(error as Error).message}`, error),
      );
    }
    const { sha256, content } = parsed(path, text);
    // Both sides take it of the same text: that of the content once it was written and
    // read.
    if (sha256 !== digestOf(JSON.stringify(content) ?? '')) throw damaged(path, 'is not what was written');
    return content;
  }

  path(run: string, file: string): string {
    return join(this.#directory, run, file);
  }

  async remove(run: string): Promise<void> {
    const folder = join(this.#directory, run);
    await writing(async () => {
      // Without its decision the rest is taken for a run that never was decided. With its
      // decision and without its delta log a run could be published again and never
      // applied.
      if (await removed(join(folder, 'commit.json'))) await syncFolder(folder);
      await rm(folder, { recursive: true, force: true });
    });
  }
}

function parsed(path: string, text: string): Partial<Sealed> {
  try {
    return (JSON.parse(text) as Partial<Sealed> | null) ?? {};
  } catch (cause) {
    throw damaged(path, 'is not JSON', cause);
  }
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/**
 * Nothing tells what of the run is published, so nothing but a person can say that it may
 * be forgotten.
 */
function damaged(path: string, how: string, cause?: unknown): SluiceError {
  const message = `the record ${basename(path)} of a run under way ${how}: ${path}`;
  return new SluiceError('STATE_DAMAGED', message, {
    cause,
    stage: 'state',
    hint: 'put the file back; or `sluice state reset NAME --abandon` gives the run up, also where files of it are published already',
  });
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
    throw stateError(cause, 'the data directory cannot be written');
  }
}
