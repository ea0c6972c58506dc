import { createHash, randomUUID } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { link, open, readdir, readFile, rename, rm, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fromLine, toLine } from '../../disk/checked-line.ts';
import { STORE_FOLDER } from '../../disk/data-directory.ts';
import { makeFolder, writeDurably } from '../../disk/durable-file.ts';
import { FolderLockedError, lockFolder } from '../../disk/folder-lock.ts';
import { syncFolder } from '../../disk/sync-folder.ts';
import { checkFolder } from '../../disk/usable-folder.ts';
import { SluiceError } from '../../errors.ts';
import { errnoOf } from '../../system-errors.ts';
import { refuseUnsafeName } from '../safe-name.ts';
import type {
  BlobBlocks,
  BlobProperties,
  BlobWriteProperties,
  CommitOptions,
  CredentialFinding,
  Destination,
  ForeignBlocks,
  StageOptions,
  WriteOutcome,
} from '../sink.ts';
import { folderError } from './folder-error.ts';
import { joinBlocks, namesIn, removeStale, StagedBlocks, stagedBlocks, wholeFile } from './staged-blocks.ts';

/** As long as Azure keeps blocks that nobody commits. */
const STAGED_FOR_MS = 7 * 86_400_000;
const READ_BYTES = 4 * 1024 * 1024;
const LOCK_PATIENCE_MS = 60_000;
const LOCK_PAUSE_MS = 20;

/** What was said when a version of a file was committed. */
interface Version {
  readonly blocks: BlobBlocks['blocks'];
  readonly properties: BlobWriteProperties;
}

const UNKNOWN_VERSION: Version = { blocks: [], properties: {} };

/**
 * A local folder with the rules of a container of blobs: what is staged cannot be seen,
 * and a commit switches one file by a rename.
 *
 *   NAME                            a file, as consumers see it
 *   .sluice-store/staged/KEY/       its blocks that are not committed
 *   .sluice-store/versions/KEY/     what the version ETAG consists of, and its properties
 *   .sluice-store/lock/             held while a file is compared and switched
 *
 * An ETag is made of what the file system says of a file, so a file that somebody else
 * has changed is another version.
 */
export class FolderStore implements Destination {
  readonly #root: string;
  readonly #signal: AbortSignal | undefined;
  readonly #staging = new Map<string, StagedBlocks>();
  #swept: Promise<void> | undefined;
  /** A file system answers at once, or not at all. */
  patienceMs: number | undefined;
  readonly refusesCrc64 = false;

  /** `root` must exist. */
  constructor(root: string, signal?: AbortSignal) {
    this.#root = root;
    this.#signal = signal;
  }

  async checkAccess(): Promise<void> {
    await this.#doing(`checking the folder ${this.#root}`, () => checkFolder(this.#root));
  }

  reviewCredentials(): CredentialFinding[] {
    return [];
  }

  serviceTime(here: Date): Date {
    return here;
  }

  findForeignBlocks(): Promise<ForeignBlocks> {
    return Promise.resolve('none');
  }

  async stageBlock(name: string, blockId: string, bytes: Uint8Array, options?: StageOptions): Promise<void> {
    await this.#doing(`staging a block of ${name}`, async () => {
      this.#pathOf(name);
      options?.signal?.throwIfAborted();
      const staged = this.#staging.get(name) ?? new StagedBlocks(this.#own('staged', name));
      this.#staging.set(name, staged);
      this.#swept ??= removeStale(join(this.#root, STORE_FOLDER, 'staged'), Date.now() - STAGED_FOR_MS).catch(
        () => {},
      );
      await staged.stage(blockId, bytes);
    });
  }

  commitBlocks(name: string, blockIds: readonly string[], options: CommitOptions): Promise<WriteOutcome> {
    return this.#doing(`committing ${name}`, async () => {
      const path = this.#pathOf(name);
      const staged = this.#own('staged', name);
      const missing = (count: number): WriteOutcome => ({
        outcome: 'refused',
        reason: 'blocks missing',
        message: `committing ${name}: ${count} of ${blockIds.length} blocks are not there`,
      });
      const known = await this.#knownBlocks(name, path);
      try {
        for (const [id, place] of await stagedBlocks(staged)) known.set(id, place);
        const missed = blockIds.filter(id => !known.has(id)).length;
        if (missed > 0) return missing(missed);
        const places = blockIds.map(id => known.get(id)!);
        const blocks = blockIds.map((id, index) => ({ id, bytes: places[index]!.bytes }));
        const made = await joinBlocks(staged, places);
        return await this.#switch(name, made, { blocks, properties: options.properties }, options);
      } catch (error) {
        // Another writer has committed the file meanwhile, which drops what is staged.
        if (errnoOf(error) === 'ENOENT' && (await namesIn(staged)).length === 0)
          return missing(blockIds.length);
        throw error;
      }
    });
  }

  putBlob(name: string, bytes: Uint8Array, options: CommitOptions): Promise<WriteOutcome> {
    return this.#doing(`writing ${name}`, async () => {
      this.#pathOf(name);
      const apart = `${this.#own('staged', name)}-${randomUUID()}`;
      try {
        const made = await wholeFile(apart, bytes);
        return await this.#switch(name, made, { blocks: [], properties: options.properties }, options);
      } finally {
        await rm(apart, { recursive: true, force: true });
      }
    });
  }

  head(name: string): Promise<BlobProperties | undefined> {
    return this.#doing(`looking up ${name}`, async () => {
      const there = await this.#stat(this.#pathOf(name));
      return there && this.#describe(name, there);
    });
  }

  getBlob(name: string): Promise<{ readonly bytes: Buffer; readonly etag: string } | undefined> {
    return this.#doing(`reading ${name}`, async () => {
      const file = await orAbsent(() => open(this.#pathOf(name), 'r'));
      if (file === undefined) return undefined;
      try {
        return { etag: etagOf(await file.stat({ bigint: true })), bytes: await file.readFile() };
      } finally {
        await file.close();
      }
    });
  }

  getBlocks(name: string): Promise<BlobBlocks | undefined> {
    return this.#doing(`looking up ${name}`, async () => {
      const there = await this.#stat(this.#pathOf(name));
      if (there === undefined) return undefined;
      const { blocks } = await this.#version(name, etagOf(there));
      return { ...(await this.#describe(name, there)), blocks };
    });
  }

  async *readBlob(
    name: string,
    { etag, bytes }: Pick<BlobProperties, 'etag' | 'bytes'>,
  ): AsyncGenerator<Buffer, void, undefined> {
    const doing = `reading ${name}`;
    const file = await this.#doing(doing, () => open(this.#pathOf(name), 'r'));
    try {
      for (let offset = 0; offset < bytes; offset += READ_BYTES) {
        const piece = Buffer.allocUnsafe(Math.min(READ_BYTES, bytes - offset));
        const { bytesRead } = await this.#doing(doing, () => file.read(piece, 0, piece.length, offset));
        const now = await this.#doing(doing, () => file.stat({ bigint: true }));
        if (bytesRead < piece.length || etagOf(now) !== etag) {
          const message = `${name} was changed while it was read`;
          throw new SluiceError('DESTINATION_CONFLICT', message, { stage: 'destination' });
        }
        yield piece;
      }
    } finally {
      await file.close();
    }
  }

  listBlobs(prefix: string): Promise<string[]> {
    return this.#doing(`listing files below ${prefix}`, async () => {
      const names: string[] = [];
      const look = async (folder: string): Promise<void> => {
        for (const entry of await readdir(join(this.#root, folder), { withFileTypes: true })) {
          const name = folder + entry.name;
          if (name === STORE_FOLDER) continue;
          const leadsThere = `${name}/`.startsWith(prefix) || prefix.startsWith(`${name}/`);
          if (entry.isDirectory() && leadsThere) await look(`${name}/`);
          else if (entry.isFile() && name.startsWith(prefix)) names.push(name);
        }
      };
      await look('');
      return names.sort();
    });
  }

  deleteBlob(name: string, ifMatch: string): Promise<'deleted' | 'absent' | 'changed' | 'unknown'> {
    return this.#doing(`deleting ${name}`, () =>
      this.#locked(async () => {
        const path = this.#pathOf(name);
        const there = await this.#stat(path);
        if (there === undefined) return 'absent';
        if (etagOf(there) !== ifMatch) return 'changed';
        await unlink(path);
        await syncFolder(dirname(path));
        await rm(this.#own('versions', name), { recursive: true, force: true });
        await this.#removeEmptied(dirname(path));
        return 'deleted';
      }),
    );
  }

  /** Makes a file that is complete the one of that name, where the condition holds. */
  #switch(name: string, made: string, version: Version, { condition }: CommitOptions): Promise<WriteOutcome> {
    const path = this.#pathOf(name);
    const refused = (message: string): WriteOutcome => ({
      outcome: 'refused',
      reason: 'condition',
      message: `${name} ${message}`,
    });
    return this.#locked(async () => {
      const there = await this.#stat(path);
      if ('ifAbsent' in condition && there !== undefined) return refused('is there already');
      if ('ifMatch' in condition && (there === undefined || etagOf(there) !== condition.ifMatch))
        return refused('is not the version that was looked at');
      const etag = etagOf(await stat(made, { bigint: true }));
      const versions = this.#own('versions', name);
      await makeFolder(versions, 0o777);
      await writeDurably(join(versions, etag), toLine(version));
      await makeFolder(dirname(path), 0o777);
      try {
        if (!('ifAbsent' in condition)) await rename(made, path);
        else if (!(await linked(made, path))) return refused('is there already');
        await syncFolder(dirname(path));
      } catch (error) {
        if ((await this.#stat(path).catch(() => there))?.ino === there?.ino) throw error;
        return { outcome: 'unknown', message: folderError(error, `committing ${name}`).message };
      }
      this.#staging.delete(name);
      await rm(this.#own('staged', name), { recursive: true, force: true });
      for (const other of await namesIn(versions)) {
        if (other !== etag) await rm(join(versions, other), { force: true });
      }
      return { outcome: 'written', etag };
    });
  }

  /** The blocks that the present version consists of. */
  async #knownBlocks(
    name: string,
    path: string,
  ): Promise<Map<string, { file: string; offset: number; bytes: number }>> {
    const there = await this.#stat(path);
    const { blocks } = there ? await this.#version(name, etagOf(there)) : UNKNOWN_VERSION;
    let end = 0;
    return new Map(
      blocks.map(({ id, bytes }) => {
        const offset = end;
        end += bytes;
        return [id, { file: path, offset, bytes }];
      }),
    );
  }

  async #describe(name: string, there: BigIntStats): Promise<BlobProperties> {
    const etag = etagOf(there);
    if (there.isDirectory()) return { etag, bytes: 0, metadata: {}, obstacle: 'directory' };
    const { contentType, metadata = {} } = (await this.#version(name, etag)).properties;
    return { etag, bytes: Number(there.size), metadata, ...(contentType !== undefined && { contentType }) };
  }

  /** A file that is not ours has no properties, and is made of no blocks. */
  async #version(name: string, etag: string): Promise<Version> {
    const text = await orAbsent(() => readFile(join(this.#own('versions', name), etag), 'utf8'));
    return (fromLine(text?.trimEnd() ?? '') as Version | undefined) ?? UNKNOWN_VERSION;
  }

  async #stat(path: string): Promise<BigIntStats | undefined> {
    const there = await orAbsent(() => stat(path, { bigint: true }));
    if (there === undefined || there.isFile() || there.isDirectory()) return there;
    throw new SluiceError('DESTINATION_REFUSED', `${path} is neither a file nor a folder`, {
      stage: 'destination',
      hint: 'move it away, or change fileName',
    });
  }

  /** Folders exist for their files only, as they do in a container. */
  async #removeEmptied(folder: string): Promise<void> {
    for (let at = folder; at.length > this.#root.length; at = dirname(at)) {
      try {
        await rmdir(at);
      } catch {
        return;
      }
    }
  }

  #pathOf(name: string): string {
    refuseUnsafeName(name);
    if (name === STORE_FOLDER || name.startsWith(`${STORE_FOLDER}/`)) {
      const message = `${JSON.stringify(name)} lies in a folder that Sluice keeps for itself`;
      throw new SluiceError('FILE_NAME_INVALID', message, { stage: 'destination' });
    }
    return join(this.#root, name);
  }

  /** A name may be longer than the file system takes of one of its parts. */
  #own(what: 'staged' | 'versions', name: string): string {
    const key = createHash('sha256').update(name).digest('hex').slice(0, 40);
    return join(this.#root, STORE_FOLDER, what, key);
  }

  async #locked<T>(work: () => Promise<T>): Promise<T> {
    const own = join(this.#root, STORE_FOLDER);
    await makeFolder(own, 0o777);
    const lock = await this.#lock(join(own, 'lock'));
    try {
      return await work();
    } finally {
      await lock.close();
    }
  }

  async #lock(path: string): ReturnType<typeof lockFolder> {
    for (let waitedMs = 0; ; waitedMs += LOCK_PAUSE_MS) {
      try {
        return await lockFolder(path, 'a commit');
      } catch (error) {
        if (!(error instanceof FolderLockedError) || waitedMs >= LOCK_PATIENCE_MS) throw error;
        await delay(LOCK_PAUSE_MS, undefined, { ...(this.#signal && { signal: this.#signal }) });
      }
    }
  }

  async #doing<T>(doing: string, work: () => Promise<T>): Promise<T> {
    try {
      this.#signal?.throwIfAborted();
      return await work();
    } catch (error) {
      if (error instanceof Error && error.name === 'AbortError')
        throw new SluiceError('CANCELLED', `${doing}: cancelled`, { stage: 'destination' });
      throw folderError(error, doing);
    }
  }
}

function etagOf({ ino, mtimeNs, size }: BigIntStats): string {
  return [ino, mtimeNs, size].map(number => number.toString(36)).join('-');
}

async function orAbsent<T>(look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Gives the file that name unless it is taken; not every file system has links. */
async function linked(file: string, path: string): Promise<boolean> {
  try {
    await link(file, path);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EEXIST') return false;
    if (errno !== 'EPERM' && errno !== 'ENOTSUP' && errno !== 'ENOSYS') throw error;
    await rename(file, path);
    return true;
  }
}
