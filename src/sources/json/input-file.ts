import { type FileHandle, open, stat } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { SluiceError } from '../../errors.ts';
import { changed } from './json-errors.ts';

const CHUNK_BYTES = 256 * 1024;
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);

/** What tells one state of a file from another. */
export interface FileState {
  readonly path: string;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ino: bigint;
}

/** Rejects with the error of the file system, or where the path is no regular file. */
export async function stateOf(path: string): Promise<FileState> {
  const stats = await stat(path, { bigint: true });
  if (!stats.isFile()) {
    throw new SluiceError('SOURCE_CONNECT_FAILED', `${path} is not a regular file`, {
      stage: 'source',
      hint: 'give a file, or a glob such as /folder/*.ndjson',
    });
  }
  const { size, mtimeNs, ino } = stats;
  return { path, size, mtimeNs, ino };
}

/** Throws SOURCE_INCOMPLETE where the states differ. */
export function assertUnchanged(before: FileState, { size, mtimeNs, ino }: FileState): void {
  if (ino !== before.ino) throw changed(before.path, 'was replaced');
  if (size !== before.size) throw changed(before.path, `went from ${before.size} bytes to ${size}`);
  if (mtimeNs !== before.mtimeNs) throw changed(before.path, 'was written to');
}

/** A file being read; what it holds is that of `state`, or reading fails. */
export class InputFile {
  readonly #state: FileState;
  readonly #handle: FileHandle;
  #closing: Promise<void> | undefined;

  private constructor(state: FileState, handle: FileHandle) {
    this.#state = state;
    this.#handle = handle;
  }

  static async open(state: FileState): Promise<InputFile> {
    const file = new InputFile(state, await open(state.path, 'r'));
    try {
      await file.assertUnchanged();
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The content, gunzipped where the file begins as gzip does. */
  async *chunks(): AsyncGenerator<Buffer, void, undefined> {
    const magic = Buffer.alloc(GZIP_MAGIC.length);
    await this.#handle.read(magic, 0, magic.length, 0);
    if (magic.equals(GZIP_MAGIC)) yield* this.#gunzipped();
    else yield* this.#stored();
    await this.assertUnchanged();
  }

  /** The file that was opened, and what its path names now. */
  async assertUnchanged(): Promise<void> {
    const { size, mtimeNs, ino } = await this.#handle.stat({ bigint: true });
    assertUnchanged(this.#state, { path: this.#state.path, size, mtimeNs, ino });
  }

  close(): Promise<void> {
    this.#closing ??= this.#handle.close();
    return this.#closing;
  }

  async *#stored(): AsyncGenerator<Buffer, void, undefined> {
    const { path } = this.#state;
    const size = Number(this.#state.size);
    let position = 0;
    for (;;) {
      const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
      const { bytesRead } = await this.#handle.read(buffer, 0, CHUNK_BYTES, position);
      position += bytesRead;
      // A file that grows as fast as it is read would have no end.
      if (position > size) throw changed(path, `grew beyond its ${size} bytes`);
      if (bytesRead === 0) break;
      yield buffer.subarray(0, bytesRead);
    }
    if (position < size) throw changed(path, `ended after ${position} of its ${size} bytes`);
  }

  async *#gunzipped(): AsyncGenerator<Buffer, void, undefined> {
    const { path, size } = this.#state;
    const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
    pipeline(Readable.from(this.#stored(), { objectMode: false }), gunzip, () => {});
    for await (const chunk of gunzip) yield chunk as Buffer;
    // zlib stops without an error where zeros follow a member.
    if (BigInt(gunzip.bytesWritten) !== size) {
      const message = `${path} has ${size - BigInt(gunzip.bytesWritten)} bytes after the end of its gzip data`;
      const hint = 'the gzip file is damaged: write it again';
      throw new SluiceError('SOURCE_QUERY_FAILED', message, { stage: 'source', hint });
    }
  }
}
