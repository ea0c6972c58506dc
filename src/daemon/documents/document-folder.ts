import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeFolder, writeDurably } from '../../disk/durable-file.ts';
import { syncFolder } from '../../disk/sync-folder.ts';
import { SluiceError } from '../../errors.ts';
import { readError, stateError } from '../../system-errors.ts';
import type { DocumentStore, WriteWatch } from '../parts.ts';

/**
 * Documents as JSON files of a folder. Writes of one document happen in the order in
 * which they were asked for.
 */
export class DocumentFolder implements DocumentStore {
  readonly #folder: string;
  readonly #watch: WriteWatch | undefined;
  readonly #writes = new Map<string, Promise<void>>();

  constructor(folder: string, watch?: WriteWatch) {
    this.#folder = folder;
    this.#watch = watch;
  }

  async read(name: string): Promise<unknown> {
    const path = this.placeOf(name);
    try {
      return JSON.parse(await readFile(path, 'utf8'));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw readError(cause, `${path} cannot be read`, () => {
        const message = `${path} cannot be read: ${(cause as Error).message}`;
        const hint = 'delete it, or bring it back from a backup of the data directory, and start again';
        return new SluiceError('STATE_DAMAGED', message, { cause, stage: 'state', hint });
      });
    }
  }

  write(name: string, content: unknown): Promise<void> {
    const text = JSON.stringify(content);
    const path = this.placeOf(name);
    return this.#inTurn(name, async () => {
      await makeFolder(dirname(path));
      await writeDurably(path, text);
    });
  }

  remove(name: string): Promise<void> {
    const path = this.placeOf(name);
    return this.#inTurn(name, async () => {
      await rm(path, { force: true });
      await syncFolder(dirname(path)).catch(error => {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      });
    });
  }

  #inTurn(name: string, act: () => Promise<void>): Promise<void> {
    const before = this.#writes.get(name) ?? Promise.resolve();
    const done = before
      .catch(() => {})
      .then(act)
      .then(
        () => this.#watch?.wrote(this.placeOf(name)),
        cause => {
          const error = stateError(cause, 'the data directory cannot be written');
          this.#watch?.failed(this.placeOf(name), error);
          throw error;
        },
      );
    this.#writes.set(name, done);
    const forget = (): void => {
      if (this.#writes.get(name) === done) this.#writes.delete(name);
    };
    done.then(forget, forget);
    return done;
  }

  placeOf(name: string): string {
    if (!/^[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)*$/.test(name))
      throw new TypeError(`${JSON.stringify(name)} is no name of a document`);
    return join(this.#folder, `${name}.json`);
  }
}
