import type { Readable } from 'node:stream';
import type { Column } from '../row-batch.ts';

/**
 * What every source promises.
 *
 * Calls come in this order, each once: `describe`, `read`, then, after the stream has ended without an error,
 * `finish`. `close` comes last, at any moment, and may be called twice.
 *
 * A source never lets a failure look like the end of the data: a stream that ended is complete only when
 * `finish` has resolved.
 */
export interface RowSource {
  /** Opens the source and tells the columns of the model. Nothing has been read yet. */
  describe(): Promise<SourceDescription>;
  /**
   * The rows, as chunks of `RowBatch`, with the fields of `columns` in that order. A destroyed stream gives up
   * what it holds at the other side: a query is cancelled.
   */
  read(columns: readonly Column[]): Readable;
  /** Proves that the stream held every row of one consistent snapshot; rejects where it cannot. */
  finish(): Promise<EndOfData>;
  /** Releases everything. Never rejects. */
  close(): Promise<void>;
}

export interface SourceDescription {
  /** Every column of the model; `name` and `source` are equal. */
  readonly columns: readonly Column[];
  /** Kind and version of the source, for people. */
  readonly dialect: string;
  /** The instant of the snapshot that `read` sends. */
  readonly snapshotTime: Date;
  /** What the source is connected to, and how it is protected, where it is connected to anything. */
  readonly connection?: string;
  /** Where that snapshot stands in the source's history; absent where the source has none, or does not show it. */
  readonly position?: SourcePosition;
}

/** A place in the history of a server's data; each part as far as it is known. */
export interface SourcePosition {
  /** Identifies the data, so all replicas share it; a restored dump has another. */
  readonly system?: string;
  /** Grows when a standby takes over. */
  readonly timeline?: number;
  /** How far the log has come: two hexadecimal numbers, `16/B374D848`. What was committed before is in the snapshot. */
  readonly position?: string;
  /** Whether the server follows another one; its `timeline` may be an earlier one then. */
  readonly standby?: boolean;
}

export interface EndOfData {
  readonly rows: number;
}
