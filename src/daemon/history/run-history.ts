import { statSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type DaemonClock, SYSTEM_CLOCK } from '../../clock.ts';
import { historyFolder } from '../../disk/data-directory.ts';
import { makeFolder } from '../../disk/durable-file.ts';
import { type HistoryLimits, inOrderMade, surplusRuns } from '../../history/history-limits.ts';
import { activationsIn, findRun, keepRecord, recallRecord } from '../../history/record-files.ts';
import { RUN_ID } from '../../history/run-id.ts';
import type { RunRecord } from '../../history/run-record.ts';
import { isSuccess } from '../../history/run-state.ts';
import type { WriteWatch } from '../parts.ts';
import { type FileMark, type HistoryEntry, HistoryIndex, type IndexContent } from './history-index.ts';

export interface RunHistoryOptions {
  readonly clock?: Pick<DaemonClock, 'now'>;
  readonly watch?: WriteWatch;
  /** Ends `open`, which then rejects with its reason. */
  readonly signal?: AbortSignal;
}

interface ActivationHistory {
  /** By id. */
  entries: HistoryEntry[];
  readonly byKey: Map<string, string>;
  readonly index: HistoryIndex;
  /**
   * The folder's change time when it was last read: a command beside the daemon writes
   * records too.
   */
  seenChange: number;
  /** When that was. */
  lookedMs: number;
  /** While the folder is looked through. */
  looking?: Promise<void>;
}

/** In the place of when a folder was changed. */
const NEVER = -1;
const ABSENT = 0;
const UNREAD = -2;

const NO_INDEX: IndexContent = { entries: new Map(), sealedMs: undefined };
/** Clocks of file systems tick far more often. */
const SETTLED_MS = 2_000;

/** Records in this many files are read at the same time. */
const READERS = 16;
/**
 * Files that are looked at in one turn of the loop. Asynchronously, each would cost
 * three times as much.
 */
const LOOKS_AT_ONCE = 64;
/**
 * The history of the data directory, by an index in memory that pruning keeps small:
 * listing reads the records that it returns and no others. Most of what a start has to
 * know is on disk as an index too (`HistoryIndex`).
 */
export class RunHistory {
  readonly #dataDirectory: string;
  readonly #clock: Pick<DaemonClock, 'now'>;
  readonly #watch: WriteWatch | undefined;
  readonly #activations = new Map<string, ActivationHistory>();
  readonly #byRun = new Map<string, HistoryEntry>();

  private constructor(dataDirectory: string, { clock = SYSTEM_CLOCK, watch }: RunHistoryOptions) {
    this.#dataDirectory = dataDirectory;
    this.#clock = clock;
    this.#watch = watch;
  }

  static async open(dataDirectory: string, options: RunHistoryOptions = {}): Promise<RunHistory> {
    const history = new RunHistory(dataDirectory, options);
    for (const name of await activationsIn(dataDirectory)) {
      options.signal?.throwIfAborted();
      await history.refresh(name);
    }
    return history;
  }

  /** Writes the record and takes it in. Rejects with STATE_WRITE_FAILED. */
  async keep(record: RunRecord): Promise<void> {
    const folder = historyFolder(this.#dataDirectory, record.activation);
    await makeFolder(folder).catch(() => {});
    try {
      await keepRecord(folder, record);
    } catch (error) {
      this.#watch?.failed(folder, error as Error);
      throw error;
    }
    this.#watch?.wrote(folder);
    this.add(record);
  }

  /** Takes a record in that is on disk already. */
  add(record: RunRecord): void {
    this.#take(toEntry(record));
  }

  #take(entry: HistoryEntry): void {
    const { run, activation, idempotencyKey } = entry;
    const history = this.#of(activation);
    const { entries } = history;
    let at = entries.length;
    while (at > 0 && entries[at - 1]!.run > run) at--;
    if (entries[at - 1]?.run === run) entries[at - 1] = entry;
    else entries.splice(at, 0, entry);
    this.#byRun.set(run, entry);
    if (idempotencyKey !== undefined) history.byKey.set(idempotencyKey, run);
  }

  has(run: string): boolean {
    return this.#byRun.has(run);
  }

  /** The run that the key made. */
  runOf(activation: string, idempotencyKey: string): string | undefined {
    return this.#activations.get(activation)?.byKey.get(idempotencyKey);
  }

  /** Looks on disk too: a command may have made it. */
  async read(run: string): Promise<RunRecord | undefined> {
    if (!RUN_ID.test(run)) return undefined;
    const entry = this.#byRun.get(run);
    if (entry === undefined) {
      const found = await findRun(this.#dataDirectory, run);
      if (found) this.add(found);
      return found;
    }
    const record = await this.recall(entry);
    // Somebody has removed it: whoever asks with its key again is to get a run that there
    // is.
    if (record === undefined) this.#forget(entry);
    return record;
  }

  /** What stands on disk of the run, whoever wrote it. */
  recall({ activation, run }: Pick<RunRecord, 'activation' | 'run'>): Promise<RunRecord | undefined> {
    return recallRecord(historyFolder(this.#dataDirectory, activation), run);
  }

  /** The highest id first. */
  entriesOf(activation: string): readonly HistoryEntry[] {
    return (this.#activations.get(activation)?.entries ?? []).toReversed();
  }

  /**
   * In the order in which they were made, the newest last. That is the order of their
   * ids, but for those dated later than now: they were made before the clock was set
   * back, and would be the newest until it is there again.
   */
  inOrder(activation: string): readonly HistoryEntry[] {
    return inOrderMade(this.#activations.get(activation)?.entries ?? [], this.#clock.now());
  }

  activations(): readonly string[] {
    return [...this.#activations.keys()];
  }

  /** Records of the newest runs; those that cannot be read are left out. */
  async newest(activation: string, count: number): Promise<RunRecord[]> {
    const runs = this.inOrder(activation).slice(-count).reverse();
    const records = await Promise.all(runs.map(({ run }) => this.read(run).catch(() => undefined)));
    return records.filter(record => record !== undefined);
  }

  lastSuccess(activation: string): HistoryEntry | undefined {
    return this.inOrder(activation).findLast(isSuccess);
  }

  /**
   * Takes in what others have written or removed since. Costs one look at the folder
   * where nothing has changed. A name without a folder leaves nothing behind: whoever
   * asks may ask for any.
   */
  async refresh(activation: string): Promise<void> {
    if (!this.#activations.has(activation)) {
      const isThere = await stat(historyFolder(this.#dataDirectory, activation)).catch(() => undefined);
      if (isThere === undefined) return;
    }
    const history = this.#of(activation);
    // What was written after another look had begun is not in it.
    while (history.looking) await history.looking;
    history.looking = this.#lookThrough(activation, history).finally(() => delete history.looking);
    await history.looking;
  }

  async #lookThrough(activation: string, history: ActivationHistory): Promise<void> {
    const folder = historyFolder(this.#dataDirectory, activation);
    const isFirst = history.seenChange === NEVER;
    const before = Date.now();
    let changed = ABSENT;
    let files: string[] = [];
    try {
      changed = (await stat(folder)).mtimeMs;
      // A look that came with the change may have missed another one of the same instant:
      // there is a second, later.
      const isSeen = isSettled(changed, history.lookedMs) || !isSettled(changed, before);
      if (changed === history.seenChange && isSeen) return;
      files = await readdir(folder);
    } catch (error) {
      // A folder that cannot be read, as where too many files are open, still has what is
      // known of it.
      if (!isAbsent(error)) return;
    }
    const { entries: indexed, sealedMs } = isFirst ? await history.index.read() : NO_INDEX;
    const fresh: { run: string; file: FileMark }[] = [];
    const names = files.filter(file => file.endsWith('.json')).map(file => file.slice(0, -'.json'.length));
    const runs = names.filter(run => RUN_ID.test(run)).sort();
    for (const [at, run] of runs.entries()) {
      if (at % LOOKS_AT_ONCE === 0) await new Promise(resolve => setImmediate(resolve));
      const entry = indexed.get(run);
      if (entry && sealedMs === changed) {
        this.#take(entry);
        continue;
      }
      const file = markOf(`${folder}/${run}.json`);
      if (file === undefined || isSame(this.#byRun.get(run)?.file, file)) continue;
      if (entry && isSame(entry.file, file)) this.#take(entry);
      else fresh.push({ run, file });
    }
    const read = await this.#readAll(activation, folder, fresh);
    const there = new Set(runs);
    for (const { run } of history.entries.filter(entry => !there.has(entry.run))) {
      const entry = this.#byRun.get(run);
      // What was added since the folder was looked at is there.
      const isGone = await stat(join(folder, `${run}.json`)).then(() => false, isAbsent);
      if (entry && isGone) this.#forget(entry);
    }
    // Somebody may fix what could not be read, or it can be read when fewer files are
    // open.
    history.lookedMs = before;
    history.seenChange = read.length === fresh.length ? changed : UNREAD;
    const isStale = indexed.size > history.entries.length;
    if (read.length > 0 || isStale)
      await history.index.add(read, () => history.entries.filter(({ file }) => file));
    if (history.seenChange === changed && isSettled(changed, before)) await history.index.seal(changed);
  }

  /** Takes in the records that can be read. */
  async #readAll(
    activation: string,
    folder: string,
    fresh: readonly { readonly run: string; readonly file: FileMark }[],
  ): Promise<HistoryEntry[]> {
    const rest = fresh.toReversed();
    const read: HistoryEntry[] = [];
    const readNext = async (): Promise<void> => {
      for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
        const { run, file } = next;
        const record = await recallRecord(folder, run).catch(() => undefined);
        if (record?.run !== run || record.activation !== activation) continue;
        const entry = { ...toEntry(record), file };
        this.#take(entry);
        read.push(entry);
      }
    };
    await Promise.all(Array.from({ length: READERS }, readNext));
    return read;
  }

  /**
   * Removes what is over the limits, never the last success of an activation, and none
   * for the number of runs while a client may repeat its request. Returns how many were
   * removed.
   */
  async prune(activation: string, limits: HistoryLimits, now: Date): Promise<number> {
    // Also notes in the index what has come since.
    await this.refresh(activation);
    const surplus = surplusRuns(this.inOrder(activation), limits, now);
    for (const entry of surplus) {
      await rm(join(historyFolder(this.#dataDirectory, activation), `${entry.run}.json`), { force: true });
      this.#forget(entry);
    }
    return surplus.length;
  }

  #forget({ run, activation, idempotencyKey }: HistoryEntry): void {
    const history = this.#of(activation);
    history.entries = history.entries.filter(entry => entry.run !== run);
    this.#byRun.delete(run);
    if (idempotencyKey !== undefined && history.byKey.get(idempotencyKey) === run)
      history.byKey.delete(idempotencyKey);
  }

  #of(activation: string): ActivationHistory {
    let history = this.#activations.get(activation);
    if (history === undefined) {
      const index = new HistoryIndex(join(this.#dataDirectory, 'daemon', 'history', activation), activation);
      history = { entries: [], byKey: new Map(), index, seenChange: NEVER, lookedMs: 0 };
      this.#activations.set(activation, history);
    }
    return history;
  }
}

function isAbsent(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

/** Whether no other change can come that leaves the folder with the same time. */
function isSettled(changedMs: number, lookedMs: number): boolean {
  return changedMs !== ABSENT && lookedMs - changedMs > SETTLED_MS;
}

function markOf(path: string): FileMark | undefined {
  try {
    const { mtimeMs: changedMs, size: bytes, ino: inode } = statSync(path);
    return { changedMs, bytes, inode };
  } catch {
    return undefined;
  }
}

function isSame(a: FileMark | undefined, b: FileMark): boolean {
  return a?.changedMs === b.changedMs && a.bytes === b.bytes && a.inode === b.inode;
}

function toEntry({
  run,
  activation,
  state,
  trigger,
  endedAt,
  error,
  idempotencyKey,
}: RunRecord): HistoryEntry {
  const failedAtSource = state === 'failed' && error?.stage === 'source';
  return { run, activation, state, trigger, endedAt, failedAtSource, idempotencyKey };
}
