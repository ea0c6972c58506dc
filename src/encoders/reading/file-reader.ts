/**
 * Reads one published file of a format back. A reader shares no code with the encoders,
 * holds no more than a few of its rows in memory (Parquet: one column of a row group,
 * with the file on disk), and takes the bytes, which come as they are after
 * decompression, to their end.
 *
 * It rejects with whatever its parser says where the bytes are not a complete file of the
 * format, and with what `bytes` rejects with as it is; the caller knows which of the two
 * it was.
 */
export type ReadFile<Format = unknown> = (
  bytes: AsyncIterable<Buffer>,
  expected: ExpectedFile<Format>,
) => Promise<FileContents>;

export interface ExpectedFile<Format = unknown> {
  readonly format: Format;
  /**
   * Names of the columns in their order; `undefined` where nobody knows them any more.
   */
  readonly columns: readonly string[] | undefined;
}

export interface FileContents {
  readonly rows: number;
  /** The first difference from the columns that are expected. */
  readonly columnProblem: string | undefined;
}
