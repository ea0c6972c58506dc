import { constants } from 'node:fs';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { describeMisfit } from '../../config/tree/describe-misfit.ts';
import { fromLine, toLine } from '../../disk/checked-line.ts';
import { writeDurably } from '../../disk/durable-file.ts';
import { syncFolder } from '../../disk/sync-folder.ts';
import { SluiceError } from '../../errors.ts';
import { keptRequest } from '../../history/kept-record.ts';
import type { RunRecord } from '../../history/run-record.ts';
import { readError, stateError } from '../../system-errors.ts';
import type { WriteWatch } from '../parts.ts';

/** A run that was accepted and has not ended. */
export interface AcceptedRun {
  readonly record: RunRecord;
  /** It was asked to stop: another process must not begin it again. */
  readonly cancelled?: true;
  /** It can only be finished, unless somebody gives it up. */
  readonly decided?: true;
  /** When the attempt that is under way began; absent while the run waits. */
  readonly attemptStartedAt?: string;
}

type Entry = { readonly put: AcceptedRun } | { readonly drop: string };

const keptEntry = z.union([
  z.strictObject({ drop: z.string() }),
  z.strictObject({
    put: z.looseObject({
      record: keptRequest,
      cancelled: z.literal(true).exactOptional(),
      decided: z.literal(true).exactOptional(),
      attemptStartedAt: z.string().exactOptional(),
    }),
  }),
]);

interface Pending {
  readonly entry: Entry;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/**
 * What is written is on disk when the write has ended: one step where writing and syncing
 * would be two.
 */
const DURABLE_APPEND = constants.O_WRONLY | constants.O_APPEND | constants.O_DSYNC;

/**
 * The log is written again when it has so many lines, and this many times the lines that
 * count.
 */
const REWRITE_LINES = 1_000;
const REWRITE_FACTOR = 4;

/**
 * The runs that were accepted and have not ended, in one file that is appended to: a line
 * is durable when its promise resolves. Lines that arrive while the disk is busy are
 * written and synced together, so that many requests at once cost hardly more than one.
 *
 * A line is `CRC32 JSON`. A last line that is cut short was never acknowledged and is
 * left out; any other that does not add up makes the log damaged.
 */
export class RequestLog {
  readonly #path: string;
  readonly #watch: WriteWatch | undefined;
  #runs: Map<string, AcceptedRun>;
  #file: FileHandle | undefined;
  #lines = 0;
  #pending: Pending[] = [];
  #writing: Promise<void> | undefined;
  #closed = false;

  private constructor(path: string, runs: Map<string, AcceptedRun>, watch: WriteWatch | undefined) {
    this.#path = path;
    this.#watch = watch;
    this.#runs = runs;
  }

  /** Rejects with STATE_DAMAGED where the log cannot be understood. */
  static async open(path: string, watch?: WriteWatch): Promise<RequestLog> {
    const log = new RequestLog(path, await readLog(path), watch);
    await writing(() => log.#rewrite(log.#runs));
    return log;
  }

  /** In the order in which they were accepted. */
  get runs(): readonly AcceptedRun[] {
    return [...this.#runs.values()];
  }

  /** Takes the place of what was kept of the run. */
  put(run: AcceptedRun): Promise<void> {
    return this.#append({ put: run });
  }

  drop(run: string): Promise<void> {
    return this.#append({ drop: run });
  }

  /** Waits for what is being written. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#writing;
    await this.#file?.close();
    this.#file = undefined;
  }

  #append(entry: Entry): Promise<void> {
    if (this.#closed) return Promise.reject(new TypeError('the log of requests is closed'));
    return new Promise((done, failed) => {
      this.#pending.push({ entry, done, failed });
      this.#writing ??= this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    // One turn of the loop: requests that have arrived together are written together.
    await new Promise(resolve => setImmediate(resolve));
    while (this.#pending.length > 0) {
      const batch = this.#pending;
      this.#pending = [];
      const entries = batch.map(({ entry }) => entry);
      try {
        await writing(() => this.#write(entries));
        this.#watch?.wrote(this.#path);
        for (const { done } of batch) done();
      } catch (error) {
        // Nobody knows what is in the file now; the next write makes it again.
        await this.#file?.close().catch(() => {});
        this.#file = undefined;
        this.#watch?.failed(this.#path, error as Error);
        for (const { failed } of batch) failed(error);
      }
    }
    // In the same turn as the last look at what is pending: nothing can be added to a
    // round that is over.
    this.#writing = undefined;
  }

  async #write(entries: readonly Entry[]): Promise<void> {
    const lines = this.#lines + entries.length;
    if (this.#file === undefined || lines > Math.max(REWRITE_LINES, REWRITE_FACTOR * this.#runs.size)) {
      const runs = new Map(this.#runs);
      for (const entry of entries) apply(runs, entry);
      await this.#rewrite(runs);
      this.#runs = runs;
      return;
    }
    const text = Buffer.from(entries.map(toLine).join(''));
    const { bytesWritten } = await this.#file.write(text);
    if (bytesWritten < text.length)
      throw new Error(`only ${bytesWritten} of ${text.length} bytes were written`);
    this.#lines = lines;
    for (const entry of entries) apply(this.#runs, entry);
  }

  async #rewrite(runs: ReadonlyMap<string, AcceptedRun>): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    const lines = Array.from(runs.values(), run => toLine({ put: run } satisfies Entry));
    await writeDurably(this.#path, lines.join(''));
    this.#file = await open(this.#path, DURABLE_APPEND);
    this.#lines = lines.length;
    await syncFolder(dirname(this.#path));
  }
}

function apply(runs: Map<string, AcceptedRun>, entry: Entry): void {
  if ('put' in entry) runs.set(entry.put.record.run, entry.put);
  else runs.delete(entry.drop);
}

/**
 * The runs that a daemon has accepted and not brought to an end, for who only looks: the
 * daemon may be writing meanwhile. Rejects with STATE_DAMAGED where the log cannot be
 * understood.
 */
export async function acceptedRuns(dataDirectory: string): Promise<readonly AcceptedRun[]> {
  return [...(await readLog(queuePath(dataDirectory))).values()];
}

export function queuePath(dataDirectory: string): string {
  return join(dataDirectory, 'daemon', 'queue.log');
}

async function readLog(path: string): Promise<Map<string, AcceptedRun>> {
  const runs = new Map<string, AcceptedRun>();
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return runs;
    throw readError(cause, `the queue of the daemon in ${path} cannot be read`, () =>
      damaged(path, (cause as Error).message, cause),
    );
  }
  const lines = text.split('\n');
  // After the last line break: nothing, or what a crash has cut short.
  lines.pop();
  for (const [index, line] of lines.entries()) {
    const entry = fromLine(line);
    if (entry === undefined) throw damaged(path, `line ${index + 1} does not add up`);
    const { error } = keptEntry.safeParse(entry);
    if (error) throw damaged(path, `line ${index + 1} is not a request: ${describeMisfit(error)}`);
    apply(runs, entry as Entry);
  }
  return runs;
}

function damaged(path: string, what: string, cause?: unknown): SluiceError {
  return new SluiceError('STATE_DAMAGED', `the queue of the daemon in ${path} cannot be read: ${what}`, {
    cause,
    stage: 'state',
    hint: 'move the file away and start again: runs that waited in it must be requested again',
  });
}

async function writing(act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (cause) {
    throw stateError(cause, 'the queue of the daemon cannot be written');
  }
}
