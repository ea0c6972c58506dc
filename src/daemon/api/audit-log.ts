import { appendFile, chmod, mkdir, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

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
  /** Past it the file is put aside and a new one begun. */
  readonly maxBytes?: number;
  /** Files put aside, `path.1` the newest. */
  readonly keptFiles?: number;
}

const MAX_BYTES = 10 * 1024 * 1024;
const KEPT_FILES = 4;

/**
 * Who changed what, a line of JSON per call, for its owner's eyes only. Bounded: the oldest file goes when there are too
 * many. Calls that no token allowed are not here, so that strangers cannot push out what matters.
 */
export class AuditLog {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #keptFiles: number;
  #isPrepared = false;
  #waiting: string[] = [];
  /** Of what waits; taken up by everything that comes until it begins. */
  #next: Promise<void> | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor({ path, maxBytes = MAX_BYTES, keptFiles = KEPT_FILES }: AuditLogOptions) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#keptFiles = keptFiles;
  }

  /** Resolves when the line is in the file; lines that come together are written together. */
  append(entry: AuditEntry): Promise<void> {
    this.#waiting.push(`${JSON.stringify(entry)}\n`);
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
  }

  async #write(): Promise<void> {
    const lines = this.#waiting.join('');
    this.#waiting = [];
    this.#next = undefined;
    await this.#prepare();
    const size = await sizeOf(this.#path);
    if (size !== undefined && size + Buffer.byteLength(lines) > this.#maxBytes) await this.#rotate();
    await appendFile(this.#path, lines, { mode: 0o600 });
  }

  /** A file that is there already has the mode that somebody gave it. */
  async #prepare(): Promise<void> {
    if (this.#isPrepared) return;
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    if ((await sizeOf(this.#path)) !== undefined) await chmod(this.#path, 0o600);
    this.#isPrepared = true;
  }

  async #rotate(): Promise<void> {
    for (let kept = this.#keptFiles - 1; kept >= 1; kept--) {
      await renameIfThere(`${this.#path}.${kept}`, `${this.#path}.${kept + 1}`);
    }
    await renameIfThere(this.#path, `${this.#path}.1`);
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
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
