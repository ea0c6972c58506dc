import { readdir } from 'node:fs/promises';
import { Level } from 'level';
import { openError } from '../disk/level-error.ts';
import { syncFolder } from '../disk/sync-folder.ts';
import { SluiceError } from '../errors.ts';
import type { SnapshotMark, SourcePosition } from '../sources/source.ts';
import { readError, stateError } from '../system-errors.ts';
import {
  bucketOfKey,
  epochRange,
  hashPageRange,
  kindOfKey,
  MIXED_BUCKET,
  PAGE_RECORDS,
  PageKind,
  pagesOfChunk,
  valueInPage,
  valueKeyOf,
} from './baseline-pages.ts';
import { FrameType, readDeltaLog, wordsOf } from './delta-log.ts';
import {
  BUCKETS,
  bucketOf,
  type Digest,
  EMPTY_DIGEST,
  HASH_WORDS,
  KeyTable,
  MAX_REFERENCE,
  sumOf,
} from './key-table.ts';
import type { HashedState } from './row-hashing.ts';
import { parseStateRecord, stateRecordBytes } from './state-record.ts';

/** What the baseline is, in one record that is written last. */
export interface BaselineState extends HashedState {
  /**
   * Counts the successful runs that made it; 0 is a baseline that no run has made yet.
   */
  readonly generation: number;
  /** The run that made this generation. */
  readonly run: string;
  /** Keys in it. */
  readonly count: number;
  readonly digest: Digest;
  /**
   * What the rows were: columns, key, form of texts; how it is read is their business who
   * write it.
   */
  readonly identity: string;
  readonly retained: Retained;
  /** Files that runs append to; absent where an older version wrote it. */
  readonly appended?: readonly AppendedFile[];
  /**
   * Where the source stood; absent where it does not show that, or an earlier version
   * wrote the state.
   */
  readonly position?: SourcePosition | undefined;
  /**
   * What later runs need to read only rows that have changed; absent where that is not
   * wanted, or cannot be done.
   */
  readonly changes?: ChangesSince | undefined;
  /** Why it may not be what it is said to be: the next run makes another one. */
  readonly distrusted?: string;
}

export interface ChangesSince {
  readonly mark: SnapshotMark;
  /**
   * The snapshot time of the last run that compared all rows, and how many runs since
   * have not.
   */
  readonly comparedAt: string;
  readonly runsSince: number;
}

/** What was published in a file that runs append to, whatever has become of it since. */
export interface AppendedFile {
  /** Name of its first part. */
  readonly name: string;
  /** Values of the partition whose rows it has, where files are partitioned. */
  readonly partition?: readonly (string | null)[];
  /** The run that began it. */
  readonly since: string;
  /** The generation that wrote to it last; absent where an older version said this. */
  readonly generation?: number;
  /** The highest number of a part. */
  readonly parts: number;
  /** Numbers of parts that were found to be gone, in order. */
  readonly gone: readonly number[];
}

/**
 * What is kept of each row beside its hashes: nothing, the fields of the key, or every
 * field.
 */
export type Retained = 'nothing' | 'key' | 'row';

/** Where the pages lie; this file's own business. */
interface Layout {
  readonly epoch: number;
  readonly chunks: number;
  /** Records in the pages, outdated ones included. */
  readonly records: number;
  /**
   * Leading chunks that hold no key twice among them. Absent in state of older versions:
   * none.
   */
  readonly distinctChunks?: number;
}
type StateRecord = BaselineState & { readonly layout: Layout };

const STATE_KEY = Buffer.from('m');
/**
 * About as large are LevelDB's files, which it makes of what its write buffer holds, and
 * the last batch with it.
 */
const FILE_BYTES = 1024 * 1024;
const SCAN_PAGES = 64;
const SCAN_BYTES = 4 * 1024 * 1024;
/** Compact when the pages hold more than this many records for each that counts. */
const MAX_RECORDS_PER_KEY = 1.5;
const COMPACTION_SLACK = 16_384;
/**
 * Compact when there are many chunks, and small ones: each costs a seek at the start of a
 * run.
 */
const MAX_CHUNKS = 512;
const COMPACTION_RECORDS = 8192;
/** Compacting and measuring take so many keys into memory at a time. */
const KEYS_AT_A_TIME = 3_000_000;

type Pages = Level<Buffer, Buffer>;
/** On Node, `level` is classic-level, which has this beside what `level` declares. */
interface CompactableStore {
  compactRange(start: Buffer, end: Buffer): Promise<void>;
}

/**
 * The state of the hash diff, on LevelDB. While a run streams it is only read; `apply`
 * brings it forward from a sealed delta log, and a crash at any moment of that leaves the
 * generation before or the one after.
 */
export class Baseline {
  readonly #pages: Pages;
  #state: StateRecord | undefined;
  /**
   * Keys of the value pages that references point into, in the order in which they were
   * read.
   */
  readonly #directory: Buffer[] = [];

  private constructor(pages: Pages, state: StateRecord | undefined) {
    this.#pages = pages;
    this.#state = state;
  }

  static async open(directory: string): Promise<Baseline> {
    await refuseHeadless(directory);
    const pages: Pages = new Level(directory, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      cacheSize: 1024 * 1024,
      // LevelDB maps the files that it has open into memory, at least 64 of them: few and
      // small ones keep that bounded.
      maxOpenFiles: 74,
      maxFileSize: FILE_BYTES,
      writeBufferSize: FILE_BYTES,
    });
    try {
      await pages.open();
      const bytes = await pages.get(STATE_KEY);
      const record = bytes && (parseStateRecord(bytes) as StateRecord | undefined);
      if (bytes && record === undefined) throw damaged(`its record in ${directory} is not one`);
      return new Baseline(pages, record);
    } catch (cause) {
      await pages.close().catch(() => {});
      throw cause instanceof SluiceError ? cause : openError(directory, cause);
    }
  }

  /** `undefined` before the first successful run. */
  get state(): BaselineState | undefined {
    return this.#state;
  }

  /**
   * Reads the records of the buckets `from` to `to - 1`, which the table has open, and no
   * others.
   */
  async load(table: KeyTable, from = 0, to = BUCKETS): Promise<void> {
    if (this.#state === undefined) return;
    const { epoch, chunks } = this.#state.layout;
    for (let chunk = 0; chunk < chunks; chunk++) {
      if (from === 0 && to === BUCKETS) {
        await this.#scan(table, chunk, hashPageRange(epoch, chunk));
      } else {
        await this.#scan(table, chunk, hashPageRange(epoch, chunk, from, to));
        await this.#scan(table, chunk, hashPageRange(epoch, chunk, MIXED_BUCKET));
      }
    }
  }

  /**
   * What was retained of the rows with these references, in any order: `[index in
   * references, bytes]`.
   */
  async *values(references: Int32Array): AsyncGenerator<[number, Buffer]> {
    const order = Uint32Array.from(references.keys()).sort((a, b) => references[a]! - references[b]!);
    let page: Buffer | undefined;
    let pageNumber = -1;
    for (const index of order) {
      const reference = references[index]!;
      const number = Math.floor(reference / PAGE_RECORDS);
      if (number !== pageNumber) {
        pageNumber = number;
        page = await this.#reading(() => this.#pages.get(this.#directory[number]!));
        if (page === undefined) throw damaged('a page of values is missing');
      }
      yield [index, valueInPage(page!, reference % PAGE_RECORDS)];
    }
  }

  /**
   * Brings the baseline to `next` by a sealed delta log. May be repeated after a crash;
   * does nothing when the baseline is at `next.generation` already. `replace` starts
   * again instead of adding to what is there.
   */
  async apply(
    deltaLog: string,
    next: BaselineState,
    { replace }: { readonly replace: boolean },
  ): Promise<void> {
    const current = this.#state;
    if (current !== undefined && current.generation >= next.generation) return;
    const fresh = replace || current === undefined;
    const epoch = current === undefined ? 1 : current.layout.epoch + (fresh ? 1 : 0);
    let chunk = fresh ? 0 : current.layout.chunks;
    let records = fresh ? 0 : current.layout.records;
    if (fresh) await this.#clear(epochRange(epoch));
    for await (const frame of readDeltaLog(deltaLog)) {
      if (frame.type === FrameType.footer) break;
      const pages =
        frame.type === FrameType.upserts
          ? pagesOfChunk(epoch, chunk, PageKind.upserts, { ...frame, words: frame.records })
          : pagesOfChunk(epoch, chunk, PageKind.removals, { count: frame.count, words: frame.keys });
      await this.#write(pages);
      chunk++;
      records += frame.count;
    }
    const distinctChunks = fresh ? chunk : (current.layout.distinctChunks ?? 0);
    await this.#advance({ ...next, layout: { epoch, chunks: chunk, records, distinctChunks } });
    if (fresh && current !== undefined) await this.#clearBefore(epoch);
  }

  /** Notes, durably, that the next run is not to go by it. */
  async distrust(why: string): Promise<void> {
    if (this.#state !== undefined) await this.#advance({ ...this.#state, distrusted: why });
  }

  /**
   * Drops outdated records when there are many of them, or `always`. Changes nothing that
   * a reader of the baseline can see.
   */
  async compact({ always = false } = {}): Promise<void> {
    const state = this.#state;
    if (state === undefined) return;
    const { layout } = state;
    const outdated = layout.records > state.count * MAX_RECORDS_PER_KEY + COMPACTION_SLACK;
    const scattered = layout.chunks > MAX_CHUNKS && layout.chunks * COMPACTION_RECORDS > layout.records;
    if (!always && !outdated && !scattered) return;
    const epoch = layout.epoch + 1;
    await this.#clear(epochRange(epoch));
    let chunks = 0;
    let records = 0;
    for await (const { table, from, to } of this.#byKeysAtATime()) {
      const firstChunk = chunks;
      for (let bucket = from; bucket < to; bucket++) {
        const { keys: words, references } = table.records(bucket);
        table.close(bucket);
        // Values are in memory together, so not too many of them; hashes alone go in one,
        // in the order of their keys.
        const together = state.retained === 'nothing' ? references.length : COMPACTION_RECORDS;
        for (let at = 0; at < references.length; at += together) {
          const count = Math.min(together, references.length - at);
          const slice = words.subarray(at * HASH_WORDS, (at + count) * HASH_WORDS);
          const kept = await this.#retainedOf(references.subarray(at, at + count));
          const chunk = firstChunk + Math.floor(at / together);
          await this.#write(
            pagesOfChunk(epoch, chunk, PageKind.upserts, { count, words: slice, byBucket: true, ...kept }),
          );
          chunks = Math.max(chunks, chunk + 1);
          records += count;
        }
      }
    }
    await this.#advance({ ...state, layout: { epoch, chunks, records, distinctChunks: chunks } });
    await this.#clearBefore(epoch);
  }

  /**
   * Brings what is in LevelDB's log into its immutable files, so that a copy of the files
   * has little in its log.
   */
  async flush(): Promise<void> {
    await this.#writing(() =>
      (this.#pages as unknown as CompactableStore).compactRange(STATE_KEY, STATE_KEY),
    );
  }

  /**
   * Counts the keys and sums up the digest from the pages alone, to be held against
   * `state`.
   */
  async measure(): Promise<{ readonly count: number; readonly digest: Digest }> {
    let count = 0;
    let digest = EMPTY_DIGEST;
    for await (const { table, from, to } of this.#byKeysAtATime()) {
      for (let bucket = from; bucket < to; bucket++) count += table.countOf(bucket);
      digest = sumOf(digest, table.digest);
    }
    return { count, digest };
  }

  /**
   * Reads every page. Rejects with STATE_DAMAGED where one cannot be read, which would
   * fail writes at any later time.
   */
  async readAll(): Promise<void> {
    const iterator = this.#pages.iterator({ fillCache: false, highWaterMarkBytes: SCAN_BYTES });
    try {
      while ((await this.#reading(() => iterator.nextv(SCAN_PAGES))).length > 0);
    } finally {
      await iterator.close();
    }
  }

  async close(): Promise<void> {
    await this.#pages.close();
  }

  /** Removes everything. */
  async reset(): Promise<void> {
    await this.#writing(() => this.#pages.clear());
    this.#state = undefined;
  }

  /** All of the baseline, some buckets after the others, so that memory stays bounded. */
  async *#byKeysAtATime(): AsyncGenerator<{ table: KeyTable; from: number; to: number }> {
    const keysOfBucket = (this.#state?.count ?? 0) / BUCKETS;
    const step = Math.min(BUCKETS, Math.max(1, Math.floor(KEYS_AT_A_TIME / keysOfBucket)));
    for (let from = 0; from < BUCKETS; from += step) {
      const to = Math.min(BUCKETS, from + step);
      this.#directory.length = 0;
      const table = new KeyTable();
      for (let bucket = from; bucket < to; bucket++) table.open(bucket, keysOfBucket);
      await this.load(table, from, to);
      yield { table, from, to };
    }
    this.#directory.length = 0;
  }

  async #scan(table: KeyTable, chunk: number, range: { gte: Buffer; lt: Buffer }): Promise<void> {
    const { retained, layout } = this.#state!;
    const keepsValues = retained !== 'nothing';
    const isDistinct = chunk < (layout.distinctChunks ?? 0);
    const iterator = this.#pages.iterator({ ...range, fillCache: false, highWaterMarkBytes: SCAN_BYTES });
    try {
      for (;;) {
        const pages = await this.#reading(() => iterator.nextv(SCAN_PAGES));
        if (pages.length === 0) return;
        for (const [key, page] of pages) this.#loadPage(table, key, page, { keepsValues, isDistinct });
      }
    } finally {
      await iterator.close();
    }
  }

  #loadPage(
    table: KeyTable,
    key: Buffer,
    page: Buffer,
    { keepsValues, isDistinct }: { readonly keepsValues: boolean; readonly isDistinct: boolean },
  ): void {
    const words = wordsOf(page, 0, page.length >> 2);
    if (kindOfKey(key) === PageKind.removals) {
      for (let at = 0; at < words.length; at += 4)
        if (table.isResident(bucketOf(words[at]!))) table.unload(words, at);
      return;
    }
    let reference = 0;
    if (keepsValues) {
      reference = this.#directory.length * PAGE_RECORDS;
      if (reference > MAX_REFERENCE - PAGE_RECORDS)
        throw damaged('it has more pages than can be referred to');
      this.#directory.push(valueKeyOf(key));
    }
    const step = keepsValues ? 1 : 0;
    const bucket = bucketOfKey(key);
    if (isDistinct && bucket !== MIXED_BUCKET) {
      table.append(bucket, words, reference, step);
      return;
    }
    for (let at = 0; at < words.length; at += HASH_WORDS) {
      if (table.isResident(bucketOf(words[at]!))) table.load(words, at, reference);
      reference += step;
    }
  }

  async #retainedOf(references: Int32Array): Promise<{ lengths: Uint32Array; values: Buffer } | undefined> {
    if (this.#state!.retained === 'nothing') return undefined;
    const parts: Buffer[] = new Array(references.length);
    for await (const [index, value] of this.values(references)) parts[index] = value;
    return { lengths: Uint32Array.from(parts, part => part.length), values: Buffer.concat(parts) };
  }

  async #write(pages: Iterable<{ readonly key: Buffer; readonly value: Buffer }>): Promise<void> {
    let operations: { type: 'put'; key: Buffer; value: Buffer }[] = [];
    let bytes = 0;
    const put = async (): Promise<void> => {
      await this.#writing(() => this.#pages.batch(operations));
      operations = [];
      bytes = 0;
    };
    for (const { key, value } of pages) {
      operations.push({ type: 'put', key, value });
      bytes += value.length;
      if (bytes >= FILE_BYTES / 2) await put();
    }
    if (operations.length > 0) await put();
  }

  /** Makes all pages durable, then the state that refers to them. */
  async #advance(state: StateRecord): Promise<void> {
    await this.#writing(async () => {
      // A synchronous put covers only the current log file; compacting an empty range
      // first flushes what went before.
      await (this.#pages as unknown as CompactableStore).compactRange(STATE_KEY, STATE_KEY);
      await this.#pages.put(STATE_KEY, stateRecordBytes(state), { sync: true });
      // LevelDB syncs its files, and the name of the first of them only by chance.
      await syncFolder(this.#pages.location);
    });
    this.#state = state;
  }

  /** The epoch that was left, and those that a crash at this place kept. */
  async #clearBefore(epoch: number): Promise<void> {
    await this.#clear(epochRange(0, epoch));
  }

  async #clear(range: ReturnType<typeof epochRange>): Promise<void> {
    await this.#writing(() => this.#pages.clear(range));
  }

  async #reading<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (cause) {
      throw readError(cause, 'the baseline cannot be read', () =>
        damaged(`it cannot be read: ${(cause as Error).message}`, cause),
      );
    }
  }

  async #writing<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (cause) {
      const message = `writing the baseline failed: ${(cause as Error).message}`;
      // A table that was to be merged is damaged.
      if (/Corruption/.test(message)) throw damaged(message, cause);
      throw stateError(cause, 'writing the baseline failed');
    }
  }
}

function damaged(what: string, cause?: unknown): SluiceError {
  return new SluiceError('STATE_DAMAGED', `the baseline is damaged: ${what}`, { cause, stage: 'state' });
}

/**
 * Without its CURRENT file LevelDB would begin again in the midst of the old tables, as
 * if there had been nothing.
 */
async function refuseHeadless(directory: string): Promise<void> {
  const names = await readdir(directory).catch((): string[] => []);
  if (names.includes('CURRENT') || !names.some(name => /^\d+\.(?:ldb|sst|log)$/.test(name))) return;
  throw damaged(`${directory} has tables and no file CURRENT`);
}
