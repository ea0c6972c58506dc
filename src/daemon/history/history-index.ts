import { appendFile, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fromLine, toLine } from '../../disk/checked-line.ts';
import { makeFolder } from '../../disk/durable-file.ts';
import type { RunRecord } from '../../history/run-record.ts';

/**
 * What is known of a run that has ended without its record: enough to find it, and to
 * know what came before it.
 */
export interface HistoryEntry extends Pick<RunRecord, 'run' | 'activation' | 'state' | 'trigger'> {
  readonly endedAt: string | undefined;
  readonly failedAtSource: boolean;
  readonly idempotencyKey: string | undefined;
  /** The file that it was taken from; absent where it has not been looked at on disk. */
  readonly file?: FileMark;
}

/** Tells whether a file is still the one that was read. */
export interface FileMark {
  readonly changedMs: number;
  readonly bytes: number;
  /** Another one each time that a record is written again, be it in the same instant. */
  readonly inode: number;
}

/**
 * The last line: all records of a folder that was last changed then are as the lines
 * before say.
 */
interface Seal {
  readonly folderChangedMs: number;
}

export interface IndexContent {
  /** By run. */
  readonly entries: ReadonlyMap<string, HistoryEntry>;
  /**
   * When the folder was last changed, where the index is known to hold all that happened
   * up to then.
   */
  readonly sealedMs: number | undefined;
}

/**
 * The index is written again when it has so many lines more than those that count: a
 * start reads them all.
 */
const SPARE_LINES = 500;

/**
 * What a start needs to know of the records of one activation, in one file, so that it
 * need not read each of them. The records are the truth: a line holds for as long as the
 * file that it was made from is as it was, and where there is no such line the record is
 * read. So the index may lag, lose lines, or be gone; nothing in it is synced.
 */
export class HistoryIndex {
  readonly #path: string;
  readonly #activation: string;
  #lines = 0;
  #sealedMs: number | undefined;

  constructor(path: string, activation: string) {
    this.#path = path;
    this.#activation = activation;
  }

  /** Empty where there is no index. */
  async read(): Promise<IndexContent> {
    const entries = new Map<string, HistoryEntry>();
    const text = await readFile(this.#path, 'utf8').catch(() => '');
    const lines = text.split('\n');
    // After the last line break: nothing, or what a crash has cut short.
    const rest = lines.pop();
    let isWhole = rest === '';
    let last: Partial<HistoryEntry & Seal> | undefined;
    for (const line of lines) {
      last = fromLine(line) as typeof last;
      if (last === undefined) isWhole = false;
      else if (last.activation === this.#activation) entries.set(last.run!, last as HistoryEntry);
    }
    // What is appended to a line that was cut short would be lost with it.
    this.#lines = rest === '' ? lines.length : Number.POSITIVE_INFINITY;
    // Without a line that is lost, the one before it of the same run would be believed.
    this.#sealedMs = isWhole ? last?.folderChangedMs : undefined;
    return { entries, sealedMs: this.#sealedMs };
  }

  /** All that has happened in the folder up to its last change is in the index. */
  async seal(folderChangedMs: number): Promise<void> {
    // Where lines are missing, it would be believed that they are there.
    if (folderChangedMs === this.#sealedMs || this.#lines === Number.POSITIVE_INFINITY) return;
    try {
      await appendFile(this.#path, toLine({ folderChangedMs } satisfies Seal), { mode: 0o600 });
      this.#lines++;
      this.#sealedMs = folderChangedMs;
    } catch {
      this.#lines = Number.POSITIVE_INFINITY;
    }
  }

  /**
   * Adds what has been read; `all` is what a new index holds, where the old one has too
   * many lines that do not count.
   */
  async add(fresh: readonly HistoryEntry[], all: () => readonly HistoryEntry[]): Promise<void> {
    const entries = all();
    const hasRoom = this.#lines + fresh.length <= entries.length + SPARE_LINES;
    if (hasRoom && fresh.length === 0) return;
    this.#sealedMs = undefined;
    try {
      await makeFolder(dirname(this.#path));
      if (hasRoom) {
        this.#lines += fresh.length;
        await appendFile(this.#path, fresh.map(toLine).join(''), { mode: 0o600 });
        return;
      }
      this.#lines = entries.length;
      await writeFile(`${this.#path}.tmp`, entries.map(toLine).join(''), { mode: 0o600 });
      await rename(`${this.#path}.tmp`, this.#path);
    } catch {
      // The next start reads the records instead. A disk that is full is told of by what
      // must be written.
      this.#lines = Number.POSITIVE_INFINITY;
    }
  }
}
