import type { ResolvedFormat, ResolvedSource } from '../../../config/activation.ts';
import type { PlainError } from '../../../plain-error.ts';
import type { Column } from '../../../row-batch.ts';
import type { Slice } from '../../../sources/source.ts';

/** What a run and the threads that read for it say to each other; plain data. */

/** What a thread is started with. */
export interface ReaderWork {
  readonly source: ResolvedSource['type'];
  /** See `Divided`. */
  readonly readerOptions: unknown;
  /** Fields of the rows; the columns of a file come first. */
  readonly fields: readonly Column[];
  readonly written: readonly Column[];
  /** Where the thread is to encode the rows as well. */
  readonly format: ResolvedFormat | undefined;
  /** It waits while so many bytes of rows that it sent have not been taken. */
  readonly aheadBytes: number;
}

export type ToReader =
  /** The answer to `next`; without a slice there is none left. */
  | { readonly what: 'slice'; readonly slice: Slice | undefined }
  /** Rows were taken that were in so many bytes, which are the thread's again. */
  | { readonly what: 'taken'; readonly memory: ArrayBuffer }
  /** Give everything up, and end. */
  | { readonly what: 'stop' };

export type FromReader =
  /** Its slice, if it had one, has been read. Asks for another one. */
  | { readonly what: 'next' }
  | ({ readonly what: 'rows' } & SentRows)
  /** The last word: all its slices were of one snapshot, and held so many rows. */
  | {
      readonly what: 'finished';
      readonly rows: number;
      /** Values that were written as something else, by the name of their column. */
      readonly coerced: readonly (readonly [column: string, count: number])[];
    }
  | { readonly what: 'failed'; readonly error: PlainError };

/** A `RowBatch`, whose memory passes with it. */
export interface SentRows {
  readonly memory: ArrayBuffer;
  readonly rowCount: number;
  readonly rowBounds: Int32Array<ArrayBuffer>;
  readonly isEncoded: boolean;
}
