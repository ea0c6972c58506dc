import {
  chmodSync,
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
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
  readonly descriptor: number;
  readonly inode: number;
  bytes: number;
  /** When it was last seen at its path; `performance.now()`. */
  seenAt: number;
}

const MAX_BYTES = 10 * 1024 * 1024;
const KEPT_FILES = 4;
const LOOK_EVERY_MS = 1_000;

/**
 * Who changed what, a line of JSON per call, for its owner's eyes only. Bounded: the
 * oldest file goes when there are too many. Calls that no token allowed are not here, so
 * that strangers cannot push out what matters.
 *
 * A line is written before its call is answered, in one step: it costs less than to hand
 * the line to another thread and wait. It survives the daemon, and is not synced: a power
 * cut may take the last lines.
 */
export class AuditLog {
  readonly #path: string;
  readonly #toJson: (entry: AuditEntry) => string;
  readonly #maxBytes: number;
  readonly #keptFiles: number;
  readonly #lookEveryMs: number;
  readonly #watch: WriteWatch | undefined;
  #file: OpenFile | undefined;

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

  /** Throws where the line cannot be written. */
  append(entry: AuditEntry): void {
    const line = Buffer.from(`${this.#toJson(entry)}\n`);
    try {
      let file = this.#opened();
      if (file.bytes > 0 && file.bytes + line.length > this.#maxBytes) {
        this.close();
        this.#rotate();
        file = this.#opened();
      }
      const written = writeSync(file.descriptor, line);
      file.bytes += written;
      if (written < line.length) throw new Error(`only ${written} of ${line.length} bytes were written`);
      this.#watch?.wrote(this.#path);
    } catch (cause) {
      const error = new Error(`the audit log cannot be written: ${(cause as Error).message}`, { cause });
      this.#watch?.failed(this.#path, error);
      this.close();
      throw error;
    }
  }

  close(): void {
    const file = this.#file;
    this.#file = undefined;
    if (file) closeSync(file.descriptor);
  }

  #opened(): OpenFile {
    const seenAt = performance.now();
    if (this.#file !== undefined) {
      if (seenAt - this.#file.seenAt < this.#lookEveryMs) return this.#file;
      this.#file.seenAt = seenAt;
      if (statOf(this.#path)?.ino === this.#file.inode) return this.#file;
      this.close();
    }
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    // A file that is there already has the mode that somebody gave it.
    if (statOf(this.#path) !== undefined) chmodSync(this.#path, 0o600);
    const descriptor = openSync(this.#path, 'a+', 0o600);
    const { ino: inode, size: bytes } = fstatSync(descriptor);
    this.#file = { descriptor, inode, bytes, seenAt };
    // A power cut or a full disk may have cut the last line short: the next must not
    // become a part of it.
    if (!endsWithLine(descriptor, bytes)) writeSync(descriptor, '\n');
    return this.#file;
  }

  #rotate(): void {
    for (let kept = this.#keptFiles - 1; kept >= 1; kept--) {
      renameIfThere(`${this.#path}.${kept}`, `${this.#path}.${kept + 1}`);
    }
    renameIfThere(this.#path, `${this.#path}.1`);
  }
}

function endsWithLine(descriptor: number, bytes: number): boolean {
  if (bytes === 0) return true;
  const last = Buffer.alloc(1);
  readSync(descriptor, last, 0, 1, bytes - 1);
  return last.toString('latin1') === '\n';
}

function statOf(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
