import { randomUUID } from 'node:crypto';
import { type FileHandle, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fromLine, toLine } from '../../disk/checked-line.ts';
import { makeFolder } from '../../disk/durable-file.ts';
import { syncFolder } from '../../disk/sync-folder.ts';
import { errnoOf } from '../../system-errors.ts';

const COPY_BYTES = 4 * 1024 * 1024;
const DATA = '.data';
const LIST = '.blocks';

/** Where the bytes of a block lie. */
export interface BlockPlace {
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
}

/**
 * The blocks of one file that are staged and that nobody can see yet. Blocks that come in
 * their order lie one behind the other, so that committing them all is a rename.
 *
 * A block is written and synced first, and then a line names it: a crash leaves no line
 * without its block.
 */
export class StagedBlocks {
  readonly folder: string;
  readonly #data: string;
  readonly #list: string;
  #end = 0;
  #made: Promise<void> | undefined;

  constructor(folder: string) {
    this.folder = folder;
    const own = join(folder, randomUUID());
    this.#data = own + DATA;
    this.#list = own + LIST;
  }

  async stage(id: string, bytes: Uint8Array): Promise<void> {
    const offset = this.#end;
    this.#end += bytes.byteLength;
    try {
      await this.#write(id, bytes, offset);
    } catch (error) {
      // Another writer has committed the file, and with that dropped what was staged.
      if (errnoOf(error) !== 'ENOENT') throw error;
      this.#made = undefined;
      await this.#write(id, bytes, offset);
    }
  }

  async #write(id: string, bytes: Uint8Array, offset: number): Promise<void> {
    this.#made ??= this.#make();
    await this.#made;
    await withFile(this.#data, 'r+', async file => {
      await writeAll(file, bytes, offset);
      await file.datasync();
    });
    await withFile(this.#list, 'a', async file => {
      await file.appendFile(toLine({ id, offset, bytes: bytes.byteLength }));
      await file.datasync();
    });
  }

  async #make(): Promise<void> {
    await makeFolder(this.folder, 0o777);
    for (const path of [this.#data, this.#list]) await withFile(path, 'a', () => Promise.resolve());
    await syncFolder(this.folder);
  }
}

/** Every block that is staged in a folder, whichever process did it. */
export async function stagedBlocks(folder: string): Promise<Map<string, BlockPlace>> {
  const blocks = new Map<string, BlockPlace>();
  for (const name of await namesIn(folder)) {
    if (!name.endsWith(LIST)) continue;
    const file = join(folder, name.slice(0, -LIST.length) + DATA);
    for (const line of (await readFile(join(folder, name), 'utf8')).split('\n')) {
      const block = fromLine(line) as { id: string; offset: number; bytes: number } | undefined;
      if (block) blocks.set(block.id, { file, offset: block.offset, bytes: block.bytes });
    }
  }
  return blocks;
}

/**
 * A file in the folder that holds these blocks and nothing else: the one in which they
 * lie, or a copy.
 */
export async function joinBlocks(folder: string, places: readonly BlockPlace[]): Promise<string> {
  const file = places[0]?.file;
  if (file !== undefined && (await isWhole(file, places))) return file;
  await makeFolder(folder, 0o777);
  const copy = join(folder, `${randomUUID()}.joined`);
  await withFile(copy, 'wx', async target => {
    let end = 0;
    for (const place of places) {
      await withFile(place.file, 'r', source => copyRange(source, target, { ...place, to: end }));
      end += place.bytes;
    }
    await target.sync();
  });
  return copy;
}

/** A file in a folder of its own that holds these bytes, and is durable. */
export async function wholeFile(folder: string, bytes: Uint8Array): Promise<string> {
  await makeFolder(folder, 0o777);
  const path = join(folder, 'whole');
  await withFile(path, 'wx', async file => {
    await writeAll(file, bytes, 0);
    await file.sync();
  });
  return path;
}

/** Removes what is staged for files of which nothing has moved since that time. */
export async function removeStale(folder: string, before: number): Promise<void> {
  for (const name of await namesIn(folder)) {
    const staged = join(folder, name);
    const times = await Promise.all(
      (await namesIn(staged)).map(async file => (await stat(join(staged, file))).mtimeMs),
    );
    if (times.every(time => time < before)) await rm(staged, { recursive: true, force: true });
  }
}

async function isWhole(file: string, places: readonly BlockPlace[]): Promise<boolean> {
  let end = 0;
  for (const place of places) {
    if (place.file !== file || place.offset !== end) return false;
    end += place.bytes;
  }
  return file.endsWith(DATA) && (await stat(file)).size === end;
}

async function copyRange(
  source: FileHandle,
  target: FileHandle,
  { offset, bytes, to }: { readonly offset: number; readonly bytes: number; readonly to: number },
): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(COPY_BYTES, bytes));
  for (let done = 0; done < bytes; ) {
    const wanted = Math.min(buffer.length, bytes - done);
    const { bytesRead } = await source.read(buffer, 0, wanted, offset + done);
    if (bytesRead === 0) throw new Error(`a staged block ends after ${done} of ${bytes} bytes`);
    await writeAll(target, buffer.subarray(0, bytesRead), to + done);
    done += bytesRead;
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.byteLength - done, position + done);
    done += bytesWritten;
  }
}

/** Empty where there is no such folder. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

async function withFile<T>(path: string, flags: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, flags);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}
