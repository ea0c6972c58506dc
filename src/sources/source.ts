import type { Readable } from 'node:stream';
import type { Column } from '../row-batch.ts';

/**
 * What every source promises.
 *
 * Calls come in this order, each once: `describe`, `read` (which may be repeated where
 * there are `changes`), then, after the stream has ended without an error, `finish`.
 * `close` comes last, at any moment, and may be called twice.
 *
 * A source never lets a failure look like the end of the data: a stream that ended is
 * complete only when `finish` has resolved.
 */
export interface RowSource {
  /** Opens the source and tells the columns of the model. Nothing has been read yet. */
  describe(): Promise<SourceDescription>;
  /**
   * The rows, as chunks of `RowBatch`, with the fields of `columns` in that order. A
   * destroyed stream gives up what it holds at the other side: a query is cancelled. Rows
   * with equal values in the columns of `groupedBy` follow one another, where the source
   * `groups`.
   */
  read(columns: readonly Column[], groupedBy?: readonly Column[]): Readable;
  /**
   * Proves that the stream held every row of one consistent snapshot; rejects where it
   * cannot.
   */
  finish(): Promise<EndOfData>;
  /** Releases everything. Never rejects. */
  close(): Promise<void>;
  /** Present where the source can bring rows together; called after `describe`. */
  readonly groups?: RowGrouping | undefined;
  /**
   * Finds rows by when they were written; absent where that was not asked for, or a
   * source cannot.
   */
  readonly changes?: ChangeFinder | undefined;
  /** Divides its rows among several readers; absent where a source cannot. */
  readonly slices?: SliceFinder | undefined;
  /** Divides its rows by their key; absent where a source cannot. */
  readonly keyRanges?: KeyRangeFinder | undefined;
}

/**
 * Divides the rows that `read` would send into slices, which readers of their own read at
 * once, each on a connection of its own. `divide` comes after `describe` and takes the
 * place of `read`; `finish` comes when every reader has finished.
 */
export interface SliceFinder {
  /** @param readers how many will share them */
  divide(columns: readonly Column[], readers: number): Promise<Divided>;
  /**
   * Rejects where what the readers rely on is lost: they may read on, but the run is to
   * begin again. Never resolves.
   */
  readonly lost: Promise<never>;
}

export type Divided =
  | {
      /** In the order in which `read` sends their rows. At least one. */
      readonly slices: readonly Slice[];
      /** Bytes that the largest slice has at the source, about. */
      readonly sliceBytes: number;
      /** What a reader is made of, in any thread: plain data, which holds secrets. */
      readonly readerOptions: unknown;
      readonly unfit?: undefined;
    }
  /** Why one reader reads. */
  | { readonly unfit: string };

/** A range of the source, in units of its own; the last one has no end. */
export interface Slice {
  readonly from: number;
  readonly to?: number;
}

/**
 * Reads slices, one after the other, of the snapshot that its source has open. `describe`
 * comes first; `finish` and `close` are those of a `RowSource`.
 */
export interface SliceReader extends Pick<RowSource, 'finish' | 'close'> {
  describe(): Promise<unknown>;
  readSlice(columns: readonly Column[], slice: Slice): Readable;
}

/**
 * Divides the rows that `read` would send by their key, so that each part can be read by
 * itself, at any time and on any connection: of a source that is asked for the same
 * model. `divideByKey` and `readRange` come after `describe` and take the place of
 * `read`.
 */
export interface KeyRangeFinder {
  /** @param wanted about how many ranges; as many as suit the rows without it */
  divideByKey(columns: readonly Column[], wanted: number | undefined): Promise<DividedByKey>;
  readRange(columns: readonly Column[], range: KeyRange): Readable;
}

export type DividedByKey =
  | {
      /** In the order of the key. At least one; together they hold every key. */
      readonly ranges: readonly KeyRange[];
      /** Bytes that a range has at the source, about. */
      readonly rangeBytes: number;
      readonly unfit?: undefined;
    }
  /** Why all rows are read at once. */
  | { readonly unfit: string };

/** Rows whose key is at least `from` and below `to`, where there are such. */
export interface KeyRange {
  /** Its columns at the source. */
  readonly key: readonly string[];
  /** A value for each, as text. */
  readonly from?: readonly string[];
  readonly to?: readonly string[];
}

export interface RowGrouping {
  /** What it costs to read rows so, for people; no row is read. */
  cost(columns: readonly Column[], groupedBy: readonly Column[]): Promise<string>;
}

/**
 * Finds, in the snapshot that `read` sends, what has been written since an earlier one.
 * `mark` comes after `describe`; `readSince` takes the place of `read`. When its rows
 * have ended come `count` and further streams of `read`, one at a time.
 */
export interface ChangeFinder {
  /**
   * What a later run needs to know of this snapshot, where these fields of rows with this
   * key are read.
   */
  mark(wanted: { readonly fields: readonly Column[]; readonly key: readonly Column[] }): Promise<Marked>;
  /** Why `readSince` would miss something; `undefined` where it would not. */
  obstacle(before: SnapshotMark, now: SnapshotMark): string | undefined;
  /**
   * Every row that is not as it was at the mark, and perhaps others; no row that is gone.
   */
  readSince(mark: SnapshotMark, columns: readonly Column[]): Readable;
  /** How many rows there are. */
  count(): Promise<number>;
  /**
   * Rejects with SOURCE_TRANSIENT where what is not locked, such as partitions, has
   * changed since `mark`.
   */
  check(): Promise<void>;
}

export type Marked =
  | { readonly mark: SnapshotMark; readonly unfit?: undefined }
  /** What in the model or at the source is in the way, in any run. */
  | { readonly mark?: undefined; readonly unfit: string };

/** A snapshot, to be compared with later ones. */
export interface SnapshotMark {
  /** Every transaction before this one had ended. */
  readonly horizon: string;
  /** The first that had not begun. */
  readonly next: string;
  /**
   * What must be as it was, so that rows change only by being written; the source alone
   * understands it.
   */
  readonly conditions: Readonly<Record<string, string>>;
}

export interface SourceDescription {
  /** Every column of the model; `name` and `source` are equal. */
  readonly columns: readonly Column[];
  /** Kind and version of the source, for people. */
  readonly dialect: string;
  /** The instant of the snapshot that `read` sends. */
  readonly snapshotTime: Date;
  /**
   * What the source is connected to, and how it is protected, where it is connected to
   * anything.
   */
  readonly connection?: string;
  /**
   * Columns of the primary key, in its order, where the model is a table whose key is
   * known; none where it has no key.
   */
  readonly primaryKey?: readonly string[];
  /**
   * Where that snapshot stands in the source's history; absent where the source has none,
   * or does not show it.
   */
  readonly position?: SourcePosition;
}

/** A place in the history of a server's data; each part as far as it is known. */
export interface SourcePosition {
  /** Identifies the data, so all replicas share it; a restored dump has another. */
  readonly system?: string;
  /** Grows when a standby takes over. */
  readonly timeline?: number;
  /**
   * How far the log has come: two hexadecimal numbers, `16/B374D848`. What was committed
   * before is in the snapshot.
   */
  readonly position?: string;
  /**
   * Whether the server follows another one; its `timeline` may be an earlier one then.
   */
  readonly standby?: boolean;
}

export interface EndOfData {
  readonly rows: number;
}
