import type { Stats } from 'node:fs';
import { chmod, type FileHandle, mkdir, open, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { WriteWatch } from '../parts.ts';

/** One call that changed something, or was to. */
export interface AuditEntry {
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly request: string;
  /** Absent where the configuration has no tokens. */
  readonly token?: string;
  readonly fingerprint?: string;
  readonly remote: string;
  readonly operation: string;
  readonly method: string;
  readonly path: string;
  readonly activation?: string;
  readonly run?: string;
  readonly status: number;
  /** Code of the error, where it failed. */
  readonly code?: string;
}

export interface AuditLogOptions {
  readonly path: string;
  /** Takes secrets out. */
  readonly toJson: (entry: AuditEntry) => string;
  /** Past it the file is put aside and a new one begun. */
  readonly maxBytes?: number;
  /** Files put aside, `path.1` the newest. */
  readonly keptFiles?: number;
  /** How often it is looked whether somebody has moved the file away. */
  readonly lookEveryMs?: number;
  readonly watch?: WriteWatch;
}

interface OpenFile {
  readonly handle: FileHandle;
  readonly inode: number;
  bytes: number;
  /** When it was last seen at its path; `performance.now()`. */
  seenAt: number;
}

const MAX_BYTES = 10 * 1024 * 1024;
const KEPT_FILES = 4;
const LOOK_EVERY_MS = 1_000;

/**
 * Who changed what, a line of JSON per call, for its owner's eyes only. Bounded: the oldest file goes when there are too
 * many. Calls that no token allowed are not here, so that strangers cannot push out what matters.
 */
export class AuditLog {
  readonly #path: string;
  readonly #toJson: (entry: AuditEntry) => string;
  readonly #maxBytes: number;
  readonly #keptFiles: number;
  readonly #lookEveryMs: number;
  readonly #watch: WriteWatch | undefined;
  #file: OpenFile | undefined;
  #waiting: string[] = [];
  /** Of what waits; taken up by everything that comes until it begins. */
  #next: Promise<void> | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(options: AuditLogOptions) {
    const {
      path,
      toJson,
      maxBytes = MAX_BYTES,
      keptFiles = KEPT_FILES,
      lookEveryMs = LOOK_EVERY_MS,
    } = options;
    this.#path = path;
    this.#toJson = toJson;
    this.#maxBytes = maxBytes;
    this.#keptFiles = keptFiles;
    this.#lookEveryMs = lookEveryMs;
    this.#watch = options.watch;
  }

  /** Resolves when the line is in the file; lines that come together are written together. */
  append(entry: AuditEntry): Promise<void> {
    this.#waiting.push(`${this.#toJson(entry)}\n`);
    if (this.#next === undefined) {
      const write = (): Promise<void> => this.#write();
      this.#next = this.#last.then(write, write);
      this.#last = this.#next;
    }
    return this.#next;
  }

  /** Resolves when everything is written that will be. */
  async close(): Promise<void> {
    await this.#last.catch(() => {});
    await this.#putAway();
  }

  async #write(): Promise<void> {
    const lines = Buffer.from(this.#waiting.join(''));
    this.#waiting = [];
    this.#next = undefined;
    try {
      let file = await this.#opened();
      if (file.bytes > 0 && file.bytes + lines.length > this.#maxBytes) {
        await this.#putAway();
        await this.#rotate();
        file = await this.#opened();
      }
      await file.handle.appendFile(lines);
      file.bytes += lines.length;
      this.#watch?.wrote(this.#path);
    } catch (cause) {
      const error = new Error(`the audit log cannot be written: ${(cause as Error).message}`, { cause });
      this.#watch?.failed(this.#path, error);
      await this.#putAway();
      throw error;
    }
  }

  async #opened(): Promise<OpenFile> {
    const seenAt = performance.now();
    if (this.#file !== undefined) {
      if (seenAt - this.#file.seenAt < this.#lookEveryMs) return this.#file;
      const there = await statOf(this.#path);
      this.#file.seenAt = seenAt;
      if (there?.ino === this.#file.inode) return this.#file;
      await this.#putAway();
    }
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    // A file that is there already has the mode that somebody gave it.
    if ((await statOf(this.#path)) !== undefined) await chmod(this.#path, 0o600);
    const handle = await open(this.#path, 'a+', 0o600);
    const { ino: inode, size: bytes } = await handle.stat();
    this.#file = { handle, inode, bytes, seenAt };
    // A power cut or a full disk may have cut the last line short: the next must not become a part of it.
    if (!(await endsWithLine(handle, bytes))) await handle.appendFile('\n');
    return this.#file;
  }

  async #putAway(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.handle.close();
  }

  async #rotate(): Promise<void> {
    for (let kept = this.#keptFiles - 1; kept >= 1; kept--) {
      await renameIfThere(`${this.#path}.${kept}`, `${this.#path}.${kept + 1}`);
    }
    await renameIfThere(this.#path, `${this.#path}.1`);
  }
}

async function endsWithLine(handle: FileHandle, bytes: number): Promise<boolean> {
  if (bytes === 0) return true;
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, bytes - 1);
  return buffer.toString('latin1') === '\n';
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
