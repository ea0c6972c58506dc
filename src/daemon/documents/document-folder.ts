import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { withChecksum, withoutChecksum } from '../../disk/checksum.ts';
import { makeFolder, writeDurably } from '../../disk/durable-file.ts';
import { syncFolder } from '../../disk/sync-folder.ts';
import { SluiceError } from '../../errors.ts';
import { readError, stateError } from '../../system-errors.ts';
import type { DocumentStore, WriteWatch } from '../parts.ts';

/**
 * Documents as JSON files of a folder, each with its checksum: a wrong byte in a name or
 * an instant could begin runs that somebody stopped, or none any more. Writes of one
 * document happen in the order in which they were asked for.
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
    let kept: unknown;
    try {
      kept = JSON.parse(await readFile(path, 'utf8'));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw readError(cause, `${path} cannot be read`, () => {
        return damaged(`${path} cannot be read: ${(cause as Error).message}`, cause);
      });
    }
    if (typeof kept !== 'object' || kept === null) return kept;
    const content = withoutChecksum(kept);
    if (content === undefined) throw damaged(`${path} is not what was written: its checksum differs`);
    return content;
  }

  write(name: string, content: object): Promise<void> {
    const text = JSON.stringify(withChecksum(content));
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
      throw new TypeError(`${JSON.stringify(name)} is not the name of a document`);
    return join(this.#folder, `${name}.json`);
  }
}

function damaged(message: string, cause?: unknown): SluiceError {
  return new SluiceError('STATE_DAMAGED', message, {
    cause,
    stage: 'state',
    hint: 'delete it, or bring it back from a backup of the data directory, and start again',
  });
}
